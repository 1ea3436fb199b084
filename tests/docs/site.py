"""The pages as a site."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import DOCS, ROOT

#: What the pages show or link to: copied beside them, so that links mean the same in the repository and on the site.
SHOWN = (
    "README.md",
    "CHANGELOG.md",
    "docs",
    "deploy/screenshots",
    "tests/benchmarks/results/plot.png",
    "tests/benchmarks/results/table.md",
    "tests/chaos/reports",
)


def build(folder: Path) -> Path:
    """Build the site below a folder, whose contents are replaced; returns where its first page is.

    Raises CalledProcessError, with what was said, for a link that leads nowhere or anything else that is wrong.
    """
    shutil.rmtree(folder, ignore_errors=True)
    pages = folder / "pages"
    for name in SHOWN:
        source, target = ROOT / name, pages / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.toml"))
        else:
            shutil.copyfile(source, target)
    shutil.copyfile(DOCS / "zensical.toml", folder / "zensical.toml")
    subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", folder / "zensical.toml"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return folder / "site" / "index.html"
