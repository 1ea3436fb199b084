"""Write the generated tables, then build the site: ``python -m tests.docs``, or ``make docs``."""

from __future__ import annotations

import subprocess
import sys

from tests.docs import references, site
from tests.docs.pages import ROOT


def main() -> int:
    """Return 0 once the site is built, 1 with what is wrong."""
    for page in references.write():
        print(f"brought up to date: {page}")
    try:
        print(f"the site: {site.build(ROOT / 'build' / 'docs')}")
    except subprocess.CalledProcessError as failed:
        print(failed.stdout + failed.stderr, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
