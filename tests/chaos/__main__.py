"""``python -m tests.chaos``: a long run, and its report."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.report import report
from tests.chaos.run import run_chaos
from tests.chaos.sinks.destinations import installed

REPORTS = Path(__file__).parent / "reports"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--cluster", action="store_true", help="three masters and three replicas, not one store")
    parser.add_argument("--durability", choices=["fsync", "everysec"], default="fsync")
    parser.add_argument(
        "--folder", type=Path, help="a new folder, to keep all logs in; they are kept anyway if something is wrong"
    )
    parser.add_argument("--keep-report", action="store_true", help=f"write it to {REPORTS.name}/")
    parser.add_argument("--without-sinks", action="store_true", help="deliver nothing, also where servers are there")
    arguments = parser.parse_args()
    if arguments.cluster and arguments.durability != "fsync":
        parser.error("a cluster loses no answer: its durability is fsync")
    place = "a cluster" if arguments.cluster else f"durability {arguments.durability}"
    sys.stdout.write(f"seed {arguments.seed}, {arguments.seconds:g} s, {place}\n")
    sys.stdout.flush()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="chaos-")) / "run"
    folder.mkdir(parents=True)
    try:
        result = run_chaos(
            seconds=arguments.seconds, seed=arguments.seed, durability=arguments.durability,
            cluster=arguments.cluster, folder=folder, targets=[] if arguments.without_sinks else installed(),
        )  # fmt: skip
    except BaseException:
        sys.stdout.write(f"The logs are in {folder}\n")
        raise
    page = report(result)
    sys.stdout.write(page)
    if result.wrong:
        sys.stdout.write(f"The logs are in {folder}\n")
    elif arguments.folder is None:
        shutil.rmtree(folder)
    if arguments.keep_report:
        REPORTS.mkdir(exist_ok=True)
        seed = f"seed-{result.seed}"
        start = f"cluster-{seed}" if result.cluster else f"{seed}-{result.durability}"
        name = f"{start}-{result.seconds:g}s.md"
        (REPORTS / name).write_text(page, encoding="utf-8")
    return bool(result.wrong)


if __name__ == "__main__":
    sys.exit(main())
