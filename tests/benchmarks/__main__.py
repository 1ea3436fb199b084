"""``python -m tests.benchmarks``: measure, and write down what came of it."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from deploy.up import Stopped, stop_on_signals
from shared.errors import SluiceError
from tests.benchmarks import bench, report
from tests.benchmarks.plan import FULL, QUICK
from tests.benchmarks.rows import ROWS

RESULTS = Path(__file__).parent / "results"
#: Where a run goes that is not a full one; git does not know it.
TRIAL = RESULTS / "trial"


def main() -> int:
    """Parse the command line and run."""
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure Sluice beside others.")
    parser.add_argument("--quick", action="store_true", help="small sizes: about four minutes instead of twenty")
    parser.add_argument("--row", action="append", choices=names, metavar="NAME", help=f"only these: {', '.join(names)}")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each row is measured")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the results go")
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    if options.rounds:
        plan = replace(plan, rounds=options.rounds, few_rounds=options.rounds)
    rows = [row for row in ROWS if not options.row or row.name in options.row]
    whole = plan == FULL and len(rows) == len(ROWS)
    folder = options.out or (RESULTS if whole else TRIAL)
    try:
        with stop_on_signals():
            results, about = bench.run(rows, plan, lambda line: print(line, flush=True))
    except Stopped:
        print("stopped; nothing was written")
        return 1
    except SluiceError as problem:
        print(f"benchmark: {problem}", file=sys.stderr)
        return 1
    report.write(results, about, folder)
    print(f"\n{report.table(results, about)}\nwritten to {folder} in {about['seconds']} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
