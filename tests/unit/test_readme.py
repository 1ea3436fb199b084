"""README says what the code says."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from shared.settings import Settings, variable

README = Path(__file__).parents[2] / "README.md"


def settings_table() -> str:
    """Write the settings as README shows them."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for field in dataclasses.fields(Settings):
        default = "" if field.default is None else f"`{field.default}`"
        choices = field.metadata["one_of"]
        meaning = field.metadata["doc"] + (f" One of {', '.join(choices)}." if choices else "")
        rows.append(f"| `{variable(field)}` | {default} | {meaning} |")
    return "\n".join(rows)


def test_the_settings_in_readme_are_those_of_the_code() -> None:
    text = README.read_text(encoding="utf-8")
    shown = text.split("tests/unit/test_readme.py -->\n")[1].split("\n<!-- end of settings -->")[0]
    assert shown == settings_table()


def test_the_tests_that_readme_names_are_there() -> None:
    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"\b((?:unit|integration|model|acceptance|chaos|fuzz)/test_\w+\.py)", text))
    assert named
    assert [name for name in sorted(named) if not (README.parent / "tests" / name).is_file()] == []
