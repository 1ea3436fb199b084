"""Links in README, docs and CHANGELOG lead somewhere, and README stays a face."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.pages import DOCS, PAGES, README, name_of, without_fences

MOST_LINES_OF_README = 250

_LINK = re.compile(r"\]\(([^()\s]+)\)|\b(?:src|srcset|href)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_ELSEWHERE = ("http://", "https://", "mailto:")


def links(page: Path) -> Iterator[str]:
    """List the links of a page that stay within the project."""
    for in_text, in_html in _LINK.findall(without_fences(page.read_text(encoding="utf-8"))):
        if not (link := in_text or in_html).startswith(_ELSEWHERE):
            yield link


@cache
def anchors(page: Path) -> frozenset[str]:
    """Name the headings of a page as links do: lower case, words joined by hyphens, nothing else."""
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in _HEADING.findall(_prose(page)))
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in plain)


def _prose(page: Path) -> str:
    return without_fences(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file of the project, and to a heading of it where one is named."""
    dead = []
    for link in links(page):
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


def test_every_page_is_linked_to() -> None:
    """A page that nobody links to is never read."""
    linked = {(page.parent / link.partition("#")[0]).resolve() for page in PAGES for link in links(page)}
    assert [name_of(page) for page in DOCS.rglob("*.md") if page not in linked] == []


def test_readme_is_short() -> None:
    """It is the face; everything else is in docs."""
    assert len(README.read_text(encoding="utf-8").splitlines()) <= MOST_LINES_OF_README
