"""A list of entries: all of a kind, or those that are named, page by page."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import msgspec
from flask import Response

from api.http.auth import caller
from api.schemas.cursors import read_cursor
from api.schemas.queries import offset_of
from api.services import current_services
from api.v2.pages import answer_page
from shared.catalog import places
from shared.catalog.pages import StoredEntry
from shared.catalog.reader import Catalog
from shared.model import Kind


class _OfItem(msgspec.Struct):
    """The item of a variation."""

    item_id: str | None = None


_of_item = msgspec.json.Decoder(_OfItem).decode


def answer_list(kind: Kind, section: str, query: dict[str, Any]) -> Response:
    """Answer with the page of a list that a query asks for."""
    services = current_services()
    catalog, size, place = services.catalog(caller().catalog_key), query["num_results_per_page"], _place(query)
    if query["ids"] or query.get("item_ids"):
        return _answer_named(catalog, kind, section, query)
    if place is not None:
        page = catalog.page_from(kind, section, place, size=size)
        return answer_page(kind, page.entries, next_place=page.next_place)
    offset, with_position = offset_of(query, size), services.settings.changes != "off"
    page = catalog.page(kind, section, offset=offset or 0, size=size, with_position=with_position)
    next_place = page.next_place if offset is None else None
    return answer_page(kind, page.entries, total=page.total, next_place=next_place, changes_after=page.position)


def _place(query: dict[str, Any]) -> bytes | None:
    cursor = query["next_page_cursor"]
    return None if cursor is None else read_cursor(cursor)


def _answer_named(catalog: Catalog, kind: Kind, section: str, query: dict[str, Any]) -> Response:
    """Answer with a page of those that are named, by their own ids or by the ids of their items."""
    size, place, offset = query["num_results_per_page"], _place(query), offset_of(query, query["num_results_per_page"])
    of_items = set(query.get("item_ids", ()))
    ids, found = _named(catalog, kind, section, set(query["ids"]), of_items)
    first = offset or 0 if place is None else bisect_left(ids, place, key=str.encode)
    here, more = ids[first : first + size], first + size < len(ids)
    entries = catalog.get(kind, section, here) if found is None else found[first : first + size]
    if of_items:
        # One may have gone to another item since they were looked for.
        entries = [entry for entry in entries if _of_item(entry.body).item_id in of_items]
    return answer_page(
        kind,
        entries,
        total=len(ids) if place is None else None,
        next_place=places.between(here[-1].encode(), ids[first + size].encode()) if more and offset is None else None,
    )


def _named(
    catalog: Catalog, kind: Kind, section: str, ids: set[str], of_items: set[str]
) -> tuple[list[str], list[StoredEntry] | None]:
    """List the ids of those that are there, in order; of a few that were named one by one, the entries as well."""
    of_these = set(catalog.variation_ids(section, *of_items)) if of_items else ids
    ordered = sorted(of_these & ids if ids else of_these, key=str.encode)
    if not ids:
        return ordered, None
    found = catalog.get(kind, section, ordered)
    return [entry.id for entry in found], found
