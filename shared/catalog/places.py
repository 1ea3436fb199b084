"""Places between the entries of a list, which is ordered by the bytes of their ids.

A place is a text that need not be an id: entries may come and go around it, and whatever list is made anew has it too.
"""

from __future__ import annotations


def between(before: bytes, following: bytes) -> bytes:
    """Name the place between two ids by the fewest bytes: behind the first, and not behind the second."""
    pairs = enumerate(zip(before, following, strict=False))
    return following[: next((at for at, (one, other) in pairs if one != other), len(before)) + 1]


def behind(entry_id: str) -> bytes:
    """Name the place behind an id, whatever may follow it."""
    return entry_id.encode() + b"\0"
