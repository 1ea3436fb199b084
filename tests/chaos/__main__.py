"""``python -m tests.chaos``: a long run, and its report."""

from __future__ import annotations

import argparse
import random
import sys
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
    parser.add_argument("--folder", type=Path, help="a new folder, to keep all logs in")
    parser.add_argument("--keep-report", action="store_true", help=f"write it to {REPORTS.name}/")
    parser.add_argument("--without-sinks", action="store_true", help="deliver nothing, also where servers are there")
    arguments = parser.parse_args()
    if arguments.cluster and arguments.durability != "fsync":
        parser.error("a cluster loses no answer: its durability is fsync")
    place = "a cluster" if arguments.cluster else f"durability {arguments.durability}"
    sys.stdout.write(f"seed {arguments.seed}, {arguments.seconds:g} s, {place}\n")
    sys.stdout.flush()
    if arguments.folder:
        arguments.folder.mkdir(parents=True)
    result = run_chaos(
        seconds=arguments.seconds, seed=arguments.seed, durability=arguments.durability, cluster=arguments.cluster,
        folder=arguments.folder, targets=[] if arguments.without_sinks else installed(),
    )  # fmt: skip
    page = report(result)
    sys.stdout.write(page)
    if arguments.keep_report:
        REPORTS.mkdir(exist_ok=True)
        seed = f"seed-{result.seed}"
        start = f"cluster-{seed}" if result.cluster else f"{seed}-{result.durability}"
        name = f"{start}-{result.seconds:g}s.md"
        (REPORTS / name).write_text(page, encoding="utf-8")
    return bool(result.wrong)


if __name__ == "__main__":
    sys.exit(main())
