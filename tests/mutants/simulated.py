"""Take away each protection in a copy of the project: histories alone have to notice."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.mutants.breaks import BREAKS, Break
from tests.mutants.copies import NotThere, broken, project_copy, run_in

#: Histories that are run at most for each: the check of the base takes almost 6,000, most others fewer than 400.
SEEDS = 6000

NO_SINKS = "the sink of a history has a destination in memory, not this one"
ROOMY = "no store of a history is ever short of memory"
REREAD = "a follower that is told of a restart reads everything anew, whatever else it is told"
BACKLOG = "a worker looks at the backlog once more after each job, and finds what is left"
BY_BASE = "the check of the base refuses the same commits"

#: What histories cannot notice, and why.
UNSEEN = {
    "chunk check": BY_BASE,
    "generation check": BY_BASE,
    "repeated commit": "the repeat is refused as stale, and the owner reads its head again: that only takes longer",
    "numbers grow with the time that is lost": "the store is started anew once in a history, not from an old backup",
    "signs of life of the store": "the store is started anew once in a history, not from an old backup",
    "entry and patch of one moment": "takes the PUT of an item with a patch beside it just amid a read: too rare",
    "gaps between ids": REREAD,
    "the run in a position": REREAD,
    "a repeat waits for replicas": "the server has no replica",
    "empty check at release": BACKLOG,
    "empty check at the last commit": BACKLOG,
    "last net": "a catalog is forgotten only by two accidents in one round trip, of which a history has one",
    "stall counter": "a history ends as well if nobody is ever given up: its accidents have an end",
    "room for what waits": ROOMY,
    "room for ids that are left out": ROOMY,
    "room of neighbours on a server": ROOMY,
    "few long entries at a time": "entries are short",
    "gate of a lost writer": NO_SINKS,
    "gate of a winner": NO_SINKS,
    "gate of a successor, until it is looked at": NO_SINKS,
    "gate of a successor, from then on": NO_SINKS,
    "number of a late writer's file": NO_SINKS,
    "indices of others": NO_SINKS,
    "versions of documents": NO_SINKS,
    "refusals of one delivery": NO_SINKS,
}


class CouldNotRun(Exception):
    """No history tells anything of a break; the text says why."""


def judge(one: Break, root: Path, seeds: int) -> str:
    """Break the copy and run histories there; returns how it was noticed, '' if it was not.

    Raises CouldNotRun.
    """
    try:
        with broken(root, one):
            done = run_in(root, "tests.simulation", "--seeds", str(seeds), "--stop")
    except (NotThere, subprocess.TimeoutExpired) as problem:
        raise CouldNotRun(str(problem)) from problem
    if not (found := re.search(r"^seed (\d+) fails:", done.stdout, re.MULTILINE)):
        if done.returncode:
            raise CouldNotRun(f"{done.stdout}{done.stderr}")
        return ""
    said = re.findall(r"^\w[\w.]*(?:Error|Broken|Leak|Ends)\b.*$", done.stdout, re.MULTILINE)
    return f"seed {found[1]}: {said[-1][:140] if said else ''}"


def main() -> int:
    asked, missed = sys.argv[1:], 0
    chosen = [one for one in BREAKS if not asked or one.name in asked]
    with project_copy() as root:
        for one in chosen:
            if why := UNSEEN.get(one.name):
                print(f"{'unseen':12}{one.name:40}{why}", flush=True)
                continue
            try:
                how = judge(one, root, SEEDS)
                verdict = "noticed" if how else "NOT NOTICED"
            except CouldNotRun as problem:
                how, verdict = str(problem), "NOT RUN"
            missed += verdict != "noticed"
            print(f"{verdict:12}{one.name:40}{how}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} as expected")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
