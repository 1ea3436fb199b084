"""Mend the log of an embedded store that does not start on it: ``python -m deploy.mend``, or ``make mend``.

It says what is damaged and what would be lost, and asks; with ``--yes`` it does not ask.  The log as it was is kept.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from deploy.stack.data_folder import open_folder
from deploy.stack.store_damage import find_damage, mend
from shared.errors import Misconfigured, SluiceError
from shared.settings import Settings


def main(arguments: Sequence[str]) -> int:
    """Mend what is damaged: 0, also if nothing is; 1 if that cannot be, or is not wanted."""
    try:
        folder = Settings.from_env(os.environ).data_dir.absolute()
        if not (folder / "store").is_dir():
            raise Misconfigured(f"no embedded store lies in {folder}: set SLUICE_DATA_DIR as for `make up`")
        # Held meanwhile, so that no store runs on it.
        with closing(open_folder(folder)):
            return _mend(folder / "store", ask="--yes" not in arguments)
    except (SluiceError, OSError) as problem:
        print(f"sluice: {problem}", file=sys.stderr)
        return 1


def _mend(store_folder: Path, *, ask: bool) -> int:
    moment = datetime.now(UTC).strftime("%Y-%m-%d-%H-%M-%S")
    done = 0
    while damage := find_damage(store_folder):
        print(damage, flush=True)
        lost = "" if damage.goes_on is not None else ", and with them what was accepted last"
        if ask and input(f"Cut these bytes out{lost}? The log as it is will be kept. [y/N] ").strip().lower() != "y":
            print("nothing was changed")
            return 1
        done += 1
        aside = store_folder / f"{damage.file.name}.{moment}.{done}"
        mend(damage, aside)
        print(f"cut out; the log as it was: {aside}", flush=True)
    print("the log of the store is whole")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
