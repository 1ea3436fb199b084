"""The entries of a body, whatever its form."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Raw


@dataclass(frozen=True, slots=True)
class ParsedBody:
    """The entries of a body and their places in it."""

    text: bytes
    entries: Sequence[Raw]
    #: Start and end of each entry in ``text``, one after the other.
    bounds: array[int]
    #: Index of an entry that is not JSON: the reason.  ``null`` is in its place.
    broken: Mapping[int, str] = field(default_factory=dict)
    #: For NDJSON: the line number of each entry, from 1.
    lines: Sequence[int] | None = None


def count_problem(count: int, most: int) -> str | None:
    """Return the problem with a number of entries, if any."""
    if not count:
        return "ensure this value has at least 1 items"
    return f"ensure this value has at most {most} items" if count > most else None
