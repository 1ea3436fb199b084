"""Pages of entries, and how an entry is shown."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from flask import Response

from api.errors import Invalid, Problem
from shared.catalogs import Entry
from shared.clock import iso
from shared.model import Kind


def offset_of(query: dict[str, Any], size: int) -> int | None:
    """Tell where the page begins; None if the request does not say."""
    if query["page"] is not None:
        return int((query["page"] - 1) * size)
    return None if query["offset"] is None else int(query["offset"])


def answer_page(
    kind: Kind, entries: list[Entry], *, total: int | None = None, cursor_after: int | None = None
) -> Response:
    """Answer with a page.  Its members are bytes already, so it is put together as bytes.

    A page as long as ``cursor_after`` has a cursor for what follows.
    """
    parts = [b'"%s":[%s]' % (kind.encode(), b",".join(map(shown, entries)))]
    if total is not None:
        parts.append(b'"total_count":%d' % total)
    if cursor_after is not None and len(entries) == cursor_after:
        parts.append(b'"next_page_cursor":"%s"' % _write_cursor(entries[-1].id))
    return answer_json(b"{%s}" % b",".join(parts))


def shown(entry: Entry) -> bytes:
    """Show an entry as it was sent, and when it last changed."""
    return b'%s,"updated_at":"%s"}' % (entry.body[:-1].rstrip(), iso(entry.updated_ms).encode())


def _write_cursor(entry_id: str) -> bytes:
    return base64.urlsafe_b64encode(entry_id.encode()).rstrip(b"=")


def read_cursor(cursor: str) -> str:
    """Name the entry after which a page begins.  Raises Invalid for a cursor that is not of ours."""
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise Invalid(Problem("next_page_cursor", "value is not a cursor of ours")) from None


def answer_json(body: bytes) -> Response:
    """Answer with JSON that is bytes already."""
    return Response(body, content_type="application/json")
