"""Everything that `make mutants` breaks still exists, and so does the test that notices."""

from __future__ import annotations

import contextlib
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mutants import simulated
from tests.mutants.__main__ import judge
from tests.mutants.bits import BITS
from tests.mutants.breaks import BREAKS, Break
from tests.mutants.copies import NotThere, project_copy

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("one", BREAKS + BITS, ids=lambda one: one.name)
def test_a_break_has_one_place_and_one_test(one: Break) -> None:
    assert (ROOT / one.path).read_text(encoding="utf-8").count(one.old) == 1
    file, name = one.test.split("::")
    assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")


#: Each in a process of its own: a second or two.
TRIED = random.Random(12).sample(BITS, 12)


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    with project_copy() as root:
        yield root


@pytest.mark.parametrize("one", TRIED, ids=lambda one: f"{one.path}: {one.old}")
def test_a_small_change_of_the_core_is_noticed(copy: Path, one: Break) -> None:
    """Its test fails because of it: what is not changed passes, here as everywhere."""
    assert judge(one, copy) == ""


def test_a_break_whose_histories_cannot_be_run_is_no_noticed_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the others are tried all the same."""
    breaks = [Break(name, "", "a", "b", "") for name in ("late", "gone", "ill", "seen")]
    ran = {
        "ill": subprocess.CompletedProcess([], 2, "", "ImportError"),
        "seen": subprocess.CompletedProcess([], 1, "seed 7 fails:\nLawBroken: it is", ""),
    }

    @contextlib.contextmanager
    def broken(_: Path, one: Break) -> Iterator[None]:
        now.append(one.name)
        if one.name == "gone":
            raise NotThere("no such place")
        yield

    def run_in(*_: object) -> subprocess.CompletedProcess[str]:
        if now[-1] == "late":
            raise subprocess.TimeoutExpired("histories", 900)
        return ran[now[-1]]

    now: list[str] = []
    for name, value in (
        ("BREAKS", breaks), ("broken", broken), ("run_in", run_in), ("project_copy", contextlib.nullcontext),
    ):  # fmt: skip
        monkeypatch.setattr(simulated, name, value)
    monkeypatch.setattr("sys.argv", ["simulated"])
    assert simulated.main() == 1
    said = capsys.readouterr().out
    assert (said.count("NOT RUN"), "1 of 4 as expected" in said) == (3, True)
