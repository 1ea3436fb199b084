"""``/v2/items`` and ``/v2/variations``: writes become tasks, reads go straight to the store."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from api.auth import authorize, caller
from api.described_reads import describe_list, describe_one
from api.errors import NotFound
from api.pages import answer_json, answer_page, offset_of, read_cursor, shown
from api.schemas import ItemsQuery, SectionQuery, VariationsQuery, load_query
from api.services import services
from api.writing import add_writes
from shared.catalogs import Catalog
from shared.model import Kind


def create_blueprint(kind: Kind) -> Blueprint:
    """Make the routes of one kind of entry."""
    blueprint = Blueprint(kind, __name__, url_prefix=f"/v2/{kind}")
    blueprint.before_request(authorize)
    add_writes(blueprint, kind)

    @blueprint.get("")
    @describe_list(kind, VariationsQuery if kind is Kind.VARIATIONS else ItemsQuery)
    def get_list() -> Response:
        return _list(kind)

    @blueprint.get("/<anything:entry_id>")
    @describe_one(kind, SectionQuery)
    def get_one(entry_id: str) -> Response:
        section = load_query(SectionQuery, request.args)["section"]
        found = services().catalog(caller().catalog_key).get(kind, section, [entry_id])
        if not found:
            raise NotFound(f"{kind.one} {entry_id!r} not found")
        return answer_json(shown(found[0]))

    return blueprint


def _list(kind: Kind) -> Response:
    query = load_query(VariationsQuery if kind is Kind.VARIATIONS else ItemsQuery, request.args)
    catalog, section = services().catalog(caller().catalog_key), query["section"]
    size, cursor = query["num_results_per_page"], query["next_page_cursor"]
    offset = offset_of(query, size)
    ids = _named_ids(catalog, query)
    if ids is not None:
        found = catalog.get(kind, section, ids)
        return answer_page(kind, found[offset or 0 :][:size], total=len(found))
    if cursor is not None:
        entries = catalog.page_after(kind, section, after=read_cursor(cursor), size=size)
        return answer_page(kind, entries, cursor_after=size)
    entries, total = catalog.page(kind, section, offset=offset or 0, size=size)
    more = offset is None and len(entries) < total
    return answer_page(kind, entries, total=total, cursor_after=size if more else None)


def _named_ids(catalog: Catalog, query: dict[str, Any]) -> list[str] | None:
    """Name the ids that a list is limited to, in order, each once; None: it is not limited."""
    ids = set(query["ids"])
    if query.get("item_id") is not None:
        of_item = set(catalog.variation_ids(query["section"], query["item_id"]))
        ids = ids & of_item if ids else of_item
    elif not ids:
        return None
    return sorted(ids, key=str.encode)
