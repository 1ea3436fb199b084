"""The generations of a catalog's kinds."""

from __future__ import annotations

from typing import NamedTuple


class Generations(NamedTuple):
    """The generations of one kind that a task reads and writes."""

    #: The one that readers see.
    live: int
    #: The one that the task writes.
    written: int
    #: The one with the items of its variations.
    items: int
