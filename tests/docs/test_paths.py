"""Files and folders that a page names are there, and the folders of the source are named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PAGES, README, ROOT, name_of

#: A path from the root of the project, to a file or, with a slash at its end, to a folder.
_PATH = re.compile(r"(?<![\w./-])((?:api|shared|workers|deploy|tests|docs)/[\w@./-]*(?:\.\w+|/|\b(?=`)))")
_NAME = re.compile(r"`([A-Za-z_]\w*)` (?:in|of)\s+`((?:api|shared|workers|deploy|tests)/[\w./-]+\.\w+)`")
_MODULE = re.compile(r"python -m ((?:api|deploy|tests)(?:\.\w+)+)")
_MAP = DOCS / "developers" / "where-things-are.md"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_path_that_is_named_is_there(page: Path) -> None:
    named = set(_PATH.findall(page.read_text(encoding="utf-8")))
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_name_is_where_it_is_said_to_be() -> None:
    """As ``_COLUMNS`` in ``api/files/rows/csv_rows.py``."""
    named = [found for page in PAGES for found in _NAME.findall(page.read_text(encoding="utf-8"))]
    assert named
    assert [f"{name} in {path}" for name, path in named if name not in (ROOT / path).read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_of_a_module_is_there(page: Path) -> None:
    """As ``python -m tests.benchmarks.pages``."""
    for module in _MODULE.findall(page.read_text(encoding="utf-8")):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


def test_every_folder_of_the_source_has_a_line() -> None:
    """In the map for developers; the folders at the top in README too."""
    tops = [path for path in ROOT.iterdir() if path.is_dir() and ((path / "__init__.py").is_file() or path == DOCS)]
    packages = [file.parent for top in tops if top not in (DOCS, ROOT / "tests") for file in top.rglob("__init__.py")]
    shown = _MAP.read_text(encoding="utf-8")
    assert [name_of(folder) for folder in packages if f"`{name_of(folder)}/`" not in shown] == []
    readme = README.read_text(encoding="utf-8")
    assert [name_of(top) for top in tops if f"| `{name_of(top)}/` |" not in readme] == []


def test_every_target_of_make_has_a_line() -> None:
    targets = re.findall(r"^#   make ([\w-]+) ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    shown = (DOCS / "developers" / "testing.md").read_text(encoding="utf-8")
    assert targets
    assert [target for target in targets if f"| `make {target}` |" not in shown] == []
