"""The entries of a body, in whichever form they were sent."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Raw


@dataclass(frozen=True, slots=True)
class Sent:
    """Entries as they lie in a body."""

    text: bytes
    entries: Sequence[Raw]
    #: Start and end of each entry in ``text``, one after the other.
    bounds: array[int]
    #: By index: why an entry is no JSON; ``null`` stands in its place.
    broken: Mapping[int, str] = field(default_factory=dict)
    #: For a form of lines: the number of the line each entry stands in, from 1.
    lines: Sequence[int] | None = None


def count_problem(count: int, most: int) -> str | None:
    """Say what is wrong with a number of entries, if anything."""
    if not count:
        return "ensure this value has at least 1 items"
    return f"ensure this value has at most {most} items" if count > most else None
