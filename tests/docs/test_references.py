"""The generated regions of README and docs are up to date with the code."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from shared.settings import settings_table
from tests.docs.pages import PAGES, ROOT, fill, name_of, regions
from tests.docs.references import SOURCES

GENERATED = [page for page in PAGES if regions(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", GENERATED, ids=name_of)
def test_a_generated_region_is_up_to_date(page: Path) -> None:
    """A stale one is mended by ``make docs``."""
    text = page.read_text(encoding="utf-8")
    assert text == fill(text, SOURCES), "run `make docs`"


def test_everything_that_can_be_generated_is_shown() -> None:
    shown = [name for page in GENERATED for name in regions(page.read_text(encoding="utf-8"))]
    assert sorted(shown) == sorted(SOURCES)


def test_the_command_line_shows_the_settings_of_its_version_without_a_store() -> None:
    words = [sys.executable, "-c", "from api.cli.main import main; main()", "settings"]
    said = subprocess.run(words, env={}, capture_output=True, text=True, cwd=ROOT)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == f"Settings of Sluice {version('sluice')}\n\n{settings_table()}\n"
