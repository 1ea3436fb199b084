"""Pages of entries."""

from __future__ import annotations

from flask import Response

from api.http.responses import answer_json
from api.http.shown_entries import shown
from api.schemas.cursors import write_cursor
from shared.catalog.pages import StoredEntry
from shared.model import Kind
from shared.store.positions import Position

#: Header of pages that were not asked for by cursor: where to follow the change feed from, once the rest was read.
CHANGES_AFTER = "X-Changes-After"


def answer_page(
    kind: Kind,
    entries: list[StoredEntry],
    *,
    total: int | None = None,
    next_place: bytes | None = None,
    changes_after: Position | None = None,
) -> Response:
    """Answer with a page.  Its members are bytes already, so it is put together as bytes."""
    parts = [b'"%s":[%s]' % (kind.encode(), b",".join(map(shown, entries)))]
    if total is not None:
        parts.append(b'"total_count":%d' % total)
    if next_place is not None:
        parts.append(b'"next_page_cursor":"%s"' % write_cursor(next_place).encode())
    answer = answer_json(b"{%s}" % b",".join(parts))
    if changes_after is not None:
        answer.headers[CHANGES_AFTER] = str(changes_after)
    return answer
