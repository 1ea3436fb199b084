"""Bodies of our own making, for writes whose entries are not sent as V2 has them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence


def make_body(name: str, entries: Sequence[bytes]) -> tuple[bytes, array[int]]:
    """Write the body that V2 would have been sent; returns it, and where each entry begins and ends."""
    head = b'{"%s":[' % name.encode()
    bounds = array("I")
    end = len(head) - 1
    for entry in entries:
        start = end + 1
        end = start + len(entry)
        bounds.extend((start, end))
    return head + b",".join(entries) + b"]}", bounds
