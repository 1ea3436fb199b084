"""README says what the code says."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from shared.settings_reference import settings_table

README = Path(__file__).parents[2] / "README.md"


def test_the_settings_in_readme_are_those_of_the_code() -> None:
    text = README.read_text(encoding="utf-8")
    shown = text.split("tests/unit/test_readme.py -->\n")[1].split("\n<!-- end of settings -->")[0]
    assert shown == settings_table()


def test_the_command_line_tells_the_settings_of_its_version_without_a_store() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "from api.cli import main; main()", "settings"], env={}, capture_output=True, text=True,
        cwd=README.parent,
    )  # fmt: skip
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == f"Settings of Sluice {version('sluice')}\n\n{settings_table()}\n"


def test_the_tests_that_readme_names_are_there() -> None:
    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"\b((?:unit|integration|model|acceptance|chaos|fuzz)/test_\w+\.py)", text))
    assert named
    assert [name for name in sorted(named) if not (README.parent / "tests" / name).is_file()] == []
