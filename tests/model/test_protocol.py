"""The protocol as a small model, gone through exhaustively by spin: the laws hold, and each protection is needed.

Some protections overlap: with one of them gone another still holds.  Those are taken away together.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.test_conventions import LUA, SCRIPTS

MODEL = Path(__file__).with_name("protocol.pml")

#: `make model` goes through the whole of what is promised; a test run through what takes seconds.
WHOLE = os.environ.get("MODEL", "BATCHES=2 FAULTS=1 AWAKE=0")

SMALL = "BATCHES=2 FAULTS=1 AWAKE=0"
NO_FAULT = "BATCHES=2 FAULTS=0"

# The assertions, as the checker spells them.
STORED_TWICE = "(stored[batch]==1)"
CHUNK_TWICE = "(chunk==effects[id])"
AFTER_THE_END = "((status[id]==4)||(status[id]==3))"
STALE_READ = "(applied==base)"
STRANDED = " !(((status[id]==4)||(status[id]==3)))"


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    """spin writes the checker, a C compiler makes it fast; without them: skip at home, fail in CI."""
    for tool in ("spin", "gcc"):
        if shutil.which(tool) is None:
            if os.environ.get("CI") == "true":
                pytest.fail(f"{tool} is missing")
            pytest.skip(f"{tool} is not installed")


def check(folder: Path, constants: str, *, cycles: bool = False) -> str:
    """Go through every state; return the checker's report."""
    defined = [f"-D{constant}" for constant in constants.split()]
    subprocess.run(["spin", *defined, "-a", MODEL], cwd=folder, check=True, capture_output=True)
    kind = "-DNP" if cycles else "-DSAFETY"
    subprocess.run(["gcc", "-w", "-O1", kind, "-DCOLLAPSE", "-o", "checker", "pan.c"], cwd=folder, check=True)
    command = ["./checker", "-m100000", *(["-l"] if cycles else [])]
    report = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    assert "max search depth too small" not in report
    return report


def states(report: str) -> int:
    found = re.search(r"(\d+) states, stored", report)
    assert found
    return int(found[1])


@pytest.mark.parametrize("constants", [WHOLE, "BATCHES=2 FAULTS=0 AWAKE=1"])
def test_the_laws_hold_in_every_order_of_events(
    tmp_path: Path, constants: str, measured: Callable[[str], None]
) -> None:
    report = check(tmp_path, constants)
    assert "errors: 0" in report, report
    measured(f"protocol, {constants}: {states(report):,} states, all good")


def test_no_run_goes_on_for_ever(tmp_path: Path) -> None:
    assert "errors: 0" in check(tmp_path, f"{NO_FAULT} AWAKE=1", cycles=True)


def test_without_faults_the_doorbell_alone_finds_every_batch(tmp_path: Path) -> None:
    assert "errors: 0" in check(tmp_path, f"{NO_FAULT} SWEEP=0")


@pytest.mark.parametrize(
    ("constants", "broken"),
    [
        (f"{SMALL} NONCE=0", STORED_TWICE),
        (f"{SMALL} HEAD=0", AFTER_THE_END),
        (f"{SMALL} FENCE=0 HEAD=0", AFTER_THE_END),
        (f"{SMALL} FENCE=0 CHUNK=0 BASE=0 BIG=3", CHUNK_TWICE),
        (f"{SMALL} REPLAY=0 CHUNK=0 BASE=0", CHUNK_TWICE),
        ("BATCHES=3 FAULTS=0 AWAKE=0 BASE=0", STALE_READ),
        (f"{SMALL} SWEEP=0", STRANDED),
        (f"{SMALL} SCAN=0", STRANDED),
        (f"{NO_FAULT} SCAN=0 MARK_AGAIN=0", STRANDED),
        (f"{NO_FAULT} SWEEP=0 LOOK_AGAIN=0", STRANDED),
        (f"{NO_FAULT} SWEEP=0 SCAN=0 MARK_AGAIN=0 EMPTY_CHECK=0", STRANDED),
    ],
)
def test_with_a_protection_gone_a_law_breaks(tmp_path: Path, constants: str, broken: str) -> None:
    assert f"assertion violated {broken} (at depth" in check(tmp_path, constants)


def test_each_step_is_a_script_that_says_so() -> None:
    named = set(re.findall(r"/\* (\w+)", MODEL.read_text(encoding="utf-8"))) & set(SCRIPTS)
    said = {name for name in SCRIPTS if f"protocol.pml: {name}." in (LUA / f"{name}.lua").read_text(encoding="utf-8")}
    assert named == said
    assert len(said) == 7
