"""``/v2/items`` and ``/v2/variations``: writes become tasks, reads go directly to the store."""

from __future__ import annotations

from flask import Blueprint, Response, request

from api.errors import NotFound
from api.http.auth import authorize, caller
from api.http.responses import answer_json
from api.http.shown_entries import shown
from api.schemas.base import load_query
from api.schemas.queries import SectionQuery
from api.services import current_services
from api.v2.docs import describe_list, describe_one
from api.v2.lists import answer_list
from api.v2.queries import ItemsQuery, VariationsQuery
from api.v2.writes import add_writes
from shared.model import Kind


def create_blueprint(kind: Kind) -> Blueprint:
    """Create the routes of one kind of entry."""
    blueprint = Blueprint(kind, __name__, url_prefix=f"/v2/{kind}")
    blueprint.before_request(authorize)
    add_writes(blueprint, kind)

    @blueprint.get("")
    @describe_list(kind, VariationsQuery if kind is Kind.VARIATIONS else ItemsQuery)
    def get_list() -> Response:
        query = load_query(VariationsQuery if kind is Kind.VARIATIONS else ItemsQuery, request.args)
        return answer_list(kind, query["section"], query)

    @blueprint.get("/<anything:entry_id>")
    @describe_one(kind, SectionQuery)
    def get_one(entry_id: str) -> Response:
        section = load_query(SectionQuery, request.args)["section"]
        found = current_services().catalog(caller().catalog_key).get(kind, section, [entry_id])
        if not found:
            raise NotFound(f"{kind.one} {entry_id!r} not found")
        return answer_json(shown(found[0]))

    return blueprint
