"""``python -m tests.soak``: hours of mixed load, and a report."""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import sys
import tempfile
from pathlib import Path

from tests.soak.flatness import compare_ends
from tests.soak.report import draw, report
from tests.soak.run import run_soak

REPORTS = Path(__file__).parent / "reports"
#: How many retentions it takes until as much is removed as is written.
WARM = 3


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=7_600)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--retention", type=int, default=120, help="seconds for which ended tasks are kept")
    parser.add_argument("--folder", type=Path, help="a new folder, to keep data and logs in")
    parser.add_argument("--keep-report", action="store_true", help=f"write it to {REPORTS.name}/")
    asked = parser.parse_args()
    sys.stdout.write(f"seed {asked.seed}, {asked.seconds:g} s\n")
    sys.stdout.flush()
    if asked.folder:
        asked.folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        folder = asked.folder or Path(temporary)
        result = run_soak(folder, seconds=asked.seconds, seed=asked.seed, retention_s=asked.retention)
        (folder / "samples.json").write_text(json.dumps(dataclasses.asdict(result)), encoding="utf-8")
    warm_s = min(WARM * asked.retention, asked.seconds / 4)
    found = compare_ends(result.series, warm_s=warm_s, seconds=asked.seconds)
    page = report(result, found, warm_s=warm_s)
    sys.stdout.write(page)
    if asked.keep_report:
        REPORTS.mkdir(exist_ok=True)
        name = f"seed-{result.seed}-{result.seconds:g}s"
        (REPORTS / f"{name}.md").write_text(page, encoding="utf-8")
        draw(result, REPORTS / f"{name}.png")
    return bool(result.wrong or not all(one.is_flat for one in found))


if __name__ == "__main__":
    sys.exit(main())
