"""Everything that `make mutants` breaks still exists, and so does the test that notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.breaks import BREAKS, Break

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("one", BREAKS, ids=lambda one: one.name)
def test_a_break_has_one_place_and_one_test(one: Break) -> None:
    assert (ROOT / one.path).read_text(encoding="utf-8").count(one.old) == 1
    file, name = one.test.split("::")
    assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")
