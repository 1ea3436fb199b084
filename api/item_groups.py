"""``/v2/item_groups``: writes become tasks, reads go straight to the store."""

from __future__ import annotations

from flask import Blueprint, Response, request

from api.auth import authorize, caller
from api.described_reads import describe_list, describe_one
from api.errors import NotFound
from api.pages import answer_json, answer_page, offset_of, shown
from api.schemas import GroupsQuery, load_query
from api.services import services
from api.writing import add_writes
from shared.model import NO_SECTION, Kind

blueprint = Blueprint("item_groups", __name__, url_prefix="/v2/item_groups")
blueprint.before_request(authorize)
add_writes(blueprint, Kind.ITEM_GROUPS)


@blueprint.get("")
@describe_list(Kind.ITEM_GROUPS, GroupsQuery)
def get_list() -> Response:
    query = load_query(GroupsQuery, request.args)
    catalog, size = services().catalog(caller().catalog_key), query["num_results_per_page"]
    offset = offset_of(query, size) or 0
    if query["ids"]:
        found = catalog.get(Kind.ITEM_GROUPS, NO_SECTION, sorted(set(query["ids"]), key=str.encode))
        return answer_page(Kind.ITEM_GROUPS, found[offset:][:size], total=len(found))
    groups, total = catalog.page(Kind.ITEM_GROUPS, NO_SECTION, offset=offset, size=size)
    return answer_page(Kind.ITEM_GROUPS, groups, total=total)


@blueprint.get("/<anything:group_id>")
@describe_one(Kind.ITEM_GROUPS)
def get_one(group_id: str) -> Response:
    found = services().catalog(caller().catalog_key).get(Kind.ITEM_GROUPS, NO_SECTION, [group_id])
    if not found:
        raise NotFound(f"item group not found: {group_id!r}")
    return answer_json(shown(found[0]))
