"""Take away each protection in a copy of the project, and change bits: the test named for it has to fail."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.bits import BITS
from tests.mutants.breaks import BREAKS, Break
from tests.mutants.copies import NotThere, broken, project_copy, run_in

#: What pytest answers when a test failed; a file that cannot be read, or a test that is not there, is another status.
FAILED = 1


def run_tests(root: Path, tests: Sequence[str]) -> tuple[int, str]:
    """Run tests of a copy; returns pytest's status and what it said."""
    # To load all plugins that are installed takes longer than most of the tests.
    needed = ("-p", "pytest_timeout", "-p", "no:cacheprovider")
    done = run_in(root, "pytest", "-q", "-x", *needed, *(f"tests/{one}" for one in tests))
    return done.returncode, done.stdout + done.stderr


def judge(one: Break, root: Path) -> str:
    """Break the copy, test it, mend it; returns what is wrong with the outcome, '' if nothing is."""
    try:
        with broken(root, one):
            status, said = run_tests(root, [one.test])
    except (NotThere, subprocess.TimeoutExpired) as problem:
        return str(problem)
    if status == 0:
        return "its test passes all the same"
    # A script that no longer runs would fail every test and prove nothing.
    if status != FAILED or re.search(r"^E .*(ResponseError|SyntaxError)", said, re.MULTILINE):
        return f"its test could not be run:\n{said}"
    return ""


def main() -> int:
    everything = BREAKS + BITS
    with project_copy() as root:
        status, said = run_tests(root, sorted({one.test for one in everything}))
        if status != 0:
            print(f"the tests fail although nothing is broken:\n{said}")
            return 1
        survived = 0
        for one in everything:
            problem = judge(one, root)
            survived += bool(problem)
            print(f"{'NOT NOTICED' if problem else 'noticed':12}{one.name:32}{one.test}  {problem}", flush=True)
    print(f"{len(everything) - survived} of {len(everything)} breaks noticed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
