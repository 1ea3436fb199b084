"""Runs, ids and positions as a small model, gone through exhaustively by spin: each protection is needed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.model.test_protocol import tools as tools
from tests.test_conventions import LUA, SCRIPTS

MODEL = Path(__file__).with_name("runs.pml")

# The assertions, as the checker spells them.
ID_TWICE = "(given[seq]==0)"
SILENT_GAP = "(owner[at]==at_owner)"


def check(folder: Path, *constants: str) -> str:
    """Go through every state; return the checker's report."""
    defined = [f"-D{constant}" for constant in constants]
    subprocess.run(["spin", *defined, "-a", MODEL], cwd=folder, check=True, capture_output=True)
    subprocess.run(["gcc", "-w", "-O1", "-DSAFETY", "-DCOLLAPSE", "-o", "checker", "pan.c"], cwd=folder, check=True)
    report = subprocess.run(["./checker", "-m100000"], cwd=folder, check=True, capture_output=True, text=True).stdout
    assert "max search depth too small" not in report
    return report


def test_no_id_comes_twice_and_no_reader_is_misled(tmp_path: Path) -> None:
    report = check(tmp_path)
    assert "errors: 0" in report, report


@pytest.mark.parametrize(
    ("constants", "broken"),
    [
        (("NUMBER=0",), ID_TWICE),
        (("ELAPSED=0",), ID_TWICE),
        (("GAP=0",), SILENT_GAP),
    ],
)
def test_with_a_protection_gone_something_comes_twice(tmp_path: Path, constants: tuple[str, ...], broken: str) -> None:
    assert f"assertion violated {broken} (at depth" in check(tmp_path, *constants)


def test_each_step_is_a_script_that_says_so() -> None:
    named = set(re.findall(r"/\* (\w+)", MODEL.read_text(encoding="utf-8"))) & set(SCRIPTS)
    said = {name for name in SCRIPTS if f"runs.pml: {name}." in (LUA / f"{name}.lua").read_text(encoding="utf-8")}
    assert named == said == {"list_ended", "number_run"}
