"""Entries as readers see them, and pages of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from shared.store.positions import Position


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A stored item, variation or item group."""

    id: str
    updated_ms: int
    #: The JSON object, as sent or merged.
    body: bytes


@dataclass(frozen=True, slots=True)
class EntryPage:
    """A page of entries, as of one moment."""

    entries: list[StoredEntry]
    #: Number of entries of the kind on all pages.
    total: int
    #: Start of the next page, see `shared.catalog.places`; None if there is none.
    next_place: bytes | None
    #: Position in the change feed, if requested.
    position: Position | None


class PageOf(NamedTuple):
    """The range of a page: between two ids, or a number of entries after an offset."""

    start: bytes
    stop: bytes
    offset: int
    size: int
    with_position: bool
    #: About how many bytes at most, but always one entry; 0: no limit.
    bytes: int = 0
