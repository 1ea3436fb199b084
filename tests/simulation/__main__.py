"""Run histories from the command line."""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import time
from itertools import pairwise

import structlog

from tests.simulation.audit import Outcome
from tests.simulation.history import Stage
from tests.simulation.plan import Variant
from tests.simulation.shrink import Shrinker
from tests.simulation.timed_store import timed_store


def _numbers(text: str) -> frozenset[int]:
    return frozenset(map(int, text.split(",")))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="how many histories")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument("--jobs", type=int, default=1, help="processes among which they are divided")
    parser.add_argument("--stop", action="store_true", help="end with the first that fails")
    parser.add_argument("--shrink", action="store_true", help="look for a smaller history that fails in the same way")
    parser.add_argument("--trace", action="store_true", help="show each round trip and accident")
    parser.add_argument("--schedule", type=int, default=0, help="another order, and other accidents, of the same seed")
    parser.add_argument("--without", type=_numbers, default=frozenset(), help="operations to leave out, as 3,5")
    parser.add_argument("--muted", type=_numbers, default=frozenset(), help="accidents that do not happen, as 0,2")
    return parser.parse_args()


def main() -> int:
    asked = _asked()
    began = time.perf_counter()
    failed = _divide(asked) if asked.jobs > 1 else _run(asked)
    if asked.jobs:
        took = time.perf_counter() - began
        print(f"{asked.seeds} histories, {asked.seeds / took:.0f} a second{', some failed' if failed else ''}")
    return int(failed)


def _divide(asked: argparse.Namespace) -> bool:
    """Run equal parts in processes, each with a store of its own; returns whether a history failed."""
    options = [f"--{name}" for name in ("stop", "shrink", "trace") if getattr(asked, name)]
    bounds = [asked.first + asked.seeds * job // asked.jobs for job in range(asked.jobs + 1)]
    command = [sys.executable, "-m", "tests.simulation", "--jobs", "0", *options]
    parts = [
        subprocess.Popen([*command, "--first", str(first), "--seeds", str(end - first)])
        for first, end in pairwise(bounds)
    ]
    # Each part and its store take turns: on one core neither has to be woken up on another one.
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        for number, part in enumerate(parts):
            os.sched_setaffinity(part.pid, {cores[number % len(cores)]})
    return any([part.wait() for part in parts])  # noqa: C419 - all are waited for


def _run(asked: argparse.Namespace) -> bool:
    structlog.configure(processors=[lambda *_: ""], logger_factory=structlog.ReturnLoggerFactory())
    failed = False
    with timed_store() as store:
        stage = Stage(store)
        # What is there stays, and histories leave little behind that only this finds.
        gc.freeze()
        gc.set_threshold(100_000)
        for seed in range(asked.first, asked.first + asked.seeds):
            outcome = stage.run(Variant(seed, asked.schedule, asked.without, asked.muted))
            if outcome.wrong:
                failed = True
                _show(Shrinker(stage.run, outcome).smallest() if asked.shrink else outcome)
            if asked.trace:
                print(*(f"{number:5}  {who:10} {what}" for number, (who, what) in enumerate(outcome.trace)), sep="\n")
            if failed and asked.stop:
                break
    return failed


def _show(outcome: Outcome) -> None:
    print(f"seed {outcome.variant.seed} fails: {outcome.wrong}", flush=True)
    left = f"{outcome.operations} operations, {outcome.accidents} accidents"
    print(f"{left}; again: make simulate ARGS={outcome.variant.arguments()!r}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
