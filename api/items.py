"""``/v2/items`` and ``/v2/variations``: writes become tasks, reads go straight to the store."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from flask import Blueprint, Response, request

from api.auth import authorize, caller
from api.errors import Invalid, NotFound, Problem
from api.schemas import ItemsQuery, VariationsQuery, load_query
from api.services import services
from api.writing import write
from shared.catalogs import Catalog, Entry
from shared.clock import iso
from shared.model import Kind, Operation


def create_blueprint(kind: Kind) -> Blueprint:
    """Make the routes of one kind of entry."""
    blueprint = Blueprint(kind, __name__, url_prefix=f"/v2/{kind}")
    blueprint.before_request(authorize)

    @blueprint.put("")
    def put() -> Response:
        return write(kind, Operation.PUT)

    @blueprint.patch("")
    def patch() -> Response:
        return write(kind, Operation.PATCH)

    @blueprint.delete("")
    def delete() -> Response:
        return write(kind, Operation.DELETE)

    @blueprint.get("")
    def get_list() -> Response:
        return _list(kind)

    @blueprint.get("/<anything:entry_id>")
    def get_one(entry_id: str) -> Response:
        section = load_query(ItemsQuery, request.args)["section"]
        found = services().catalog(caller().catalog_key).get(kind, section, [entry_id])
        if not found:
            raise NotFound(f"{kind.removesuffix('s')} {entry_id!r} not found")
        return _json(_shown(found[0]))

    return blueprint


def _list(kind: Kind) -> Response:
    query = load_query(VariationsQuery if kind is Kind.VARIATIONS else ItemsQuery, request.args)
    catalog, section = services().catalog(caller().catalog_key), query["section"]
    size, cursor = query["num_results_per_page"], query["next_page_cursor"]
    offset = _offset(query, size)
    ids = _named_ids(catalog, query)
    if ids is not None:
        found = catalog.get(kind, section, ids)
        return _page(kind, found[offset or 0 :][:size], total=len(found))
    if cursor is not None:
        entries = catalog.page_after(kind, section, after=_read_cursor(cursor), size=size)
        return _page(kind, entries, cursor_after=size)
    entries, total = catalog.page(kind, section, offset=offset or 0, size=size)
    more = offset is None and len(entries) < total
    return _page(kind, entries, total=total, cursor_after=size if more else None)


def _named_ids(catalog: Catalog, query: dict[str, Any]) -> list[str] | None:
    """Name the ids that a list is limited to, in order, each once; None: it is not limited."""
    ids = set(query["ids"])
    if query.get("item_id") is not None:
        of_item = set(catalog.variation_ids(query["section"], query["item_id"]))
        ids = ids & of_item if ids else of_item
    elif not ids:
        return None
    return sorted(ids, key=str.encode)


def _offset(query: dict[str, Any], size: int) -> int | None:
    """Tell where the page begins; None if the request does not say."""
    if query["page"] is not None:
        return int((query["page"] - 1) * size)
    return None if query["offset"] is None else int(query["offset"])


def _page(kind: Kind, entries: list[Entry], *, total: int | None = None, cursor_after: int | None = None) -> Response:
    """Answer with a page.  Its members are bytes already, so it is put together as bytes.

    A page as long as ``cursor_after`` has a cursor for what follows.
    """
    parts = [b'"%s":[%s]' % (kind.encode(), b",".join(map(_shown, entries)))]
    if total is not None:
        parts.append(b'"total_count":%d' % total)
    if cursor_after is not None and len(entries) == cursor_after:
        parts.append(b'"next_page_cursor":"%s"' % _write_cursor(entries[-1].id))
    return _json(b"{%s}" % b",".join(parts))


def _shown(entry: Entry) -> bytes:
    """Show an entry as it was sent, and when it last changed."""
    return b'%s,"updated_at":"%s"}' % (entry.body[:-1].rstrip(), iso(entry.updated_ms).encode())


def _write_cursor(entry_id: str) -> bytes:
    return base64.urlsafe_b64encode(entry_id.encode()).rstrip(b"=")


def _read_cursor(cursor: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise Invalid(Problem("next_page_cursor", "value is not a cursor of ours")) from None


def _json(body: bytes) -> Response:
    return Response(body, mimetype="application/json")
