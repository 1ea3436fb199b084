"""What `make mutants` breaks is still there to be broken, and README says which test notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.breaks import BREAKS, Break

ROOT = Path(__file__).parents[2]


def table() -> str:
    """Write the breaks as README shows them."""
    rows = ["| taken away | in | test that fails then, in `tests/` |", "|---|---|---|"]
    for one in BREAKS:
        file, name = one.test.split("::")
        rows.append(f"| {one.name} | `{one.path}` | `{file}`: {name.removeprefix('test_').replace('_', ' ')} |")
    return "\n".join(rows)


@pytest.mark.parametrize("one", BREAKS, ids=lambda one: one.name)
def test_a_break_has_one_place_and_one_test(one: Break) -> None:
    assert (ROOT / one.path).read_text(encoding="utf-8").count(one.old) == 1
    file, name = one.test.split("::")
    assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")


def test_readme_names_each_break_and_its_test() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = text.split("tests/unit/test_mutants.py -->\n")[1].split("\n<!-- end of breaks -->")[0]
    assert shown == table()
