"""Cursors: the start of the next page of entries, as text for URLs."""

from __future__ import annotations

import base64
import binascii

from api.errors import Invalid, Problem
from shared.catalog import places

#: In front of a place.  Cursors of before there were places are an id alone.
_MARK = "~"


def write_cursor(place: bytes) -> str:
    """Write a place between two entries."""
    return _MARK + base64.urlsafe_b64encode(place).rstrip(b"=").decode()


def read_cursor(cursor: str, *, parameter: str = "next_page_cursor") -> bytes:
    """Read the place that a cursor names.  Raises Invalid for one that is not of ours."""
    encoded = cursor.removeprefix(_MARK)
    try:
        read = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        place = read if cursor.startswith(_MARK) else places.behind(read.decode())
    except (binascii.Error, ValueError):
        read, place = b"", b""
    if not read:
        raise Invalid(Problem(parameter, "value is not a cursor of ours"))
    return place
