"""``make docs`` builds a site that one can search and read without a network."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs import site
from tests.docs.pages import DOCS, PAGES, name_of

#: What a browser loads by itself; a link is followed only when somebody clicks.
_LOADS = re.compile(
    r"<(?:script|img|source|iframe)\b[^>]*?\b(?:src|srcset)=\"?([^\s\">]+)|<link\b[^>]*?\bhref=\"?([^\s\">]+)"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built in strict mode: a link that leads nowhere is an error."""
    return site.build(tmp_path_factory.mktemp("site")).parent


def test_every_page_is_there(built: Path) -> None:
    names = {name_of(page).replace("README.md", "index.md").removesuffix(".md") + ".html" for page in PAGES}
    assert [name for name in sorted(names) if not (built / name).is_file()] == []


def _in_menu(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        for target in entry.values():
            yield from [target] if isinstance(target, str) else _in_menu(target)


def test_every_page_is_in_the_menu() -> None:
    menu = tomllib.loads((DOCS / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]
    assert sorted(_in_menu(menu)) == sorted(map(name_of, PAGES))


def test_nothing_is_loaded_from_elsewhere(built: Path) -> None:
    """Fonts, scripts, styles and pictures lie beside the pages."""
    for page in built.rglob("*.html"):
        loaded = [one or other for one, other in _LOADS.findall(page.read_text(encoding="utf-8"))]
        assert loaded, page
        assert [url for url in loaded if re.match(r"(https?:)?//", url)] == [], page
    for style in built.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", style.read_text(encoding="utf-8")), style


def test_what_is_written_can_be_found(built: Path) -> None:
    """The search index has the text of the pages."""
    index = json.dumps(json.loads((built / "search.json").read_text(encoding="utf-8")))
    for words in ("SLUICE_LEASE_TTL_S", "Idempotency-Key", "SluicePartitionStuck"):
        assert words in index
