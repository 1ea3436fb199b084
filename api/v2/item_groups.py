"""``/v2/item_groups``: writes become tasks, reads go directly to the store."""

from __future__ import annotations

from flask import Blueprint, Response, request

from api.errors import NotFound
from api.http.auth import authorize, caller
from api.http.responses import answer_json
from api.http.shown_entries import shown
from api.schemas.base import load_query
from api.schemas.queries import GroupSection
from api.services import current_services
from api.v2.docs import describe_list, describe_one
from api.v2.lists import answer_list
from api.v2.queries import GroupsQuery
from api.v2.writes import add_writes
from shared.model import NO_SECTION, Kind

blueprint = Blueprint("item_groups", __name__, url_prefix="/v2/item_groups")
blueprint.before_request(authorize)
add_writes(blueprint, Kind.ITEM_GROUPS)


@blueprint.get("")
@describe_list(Kind.ITEM_GROUPS, GroupsQuery)
def get_list() -> Response:
    return answer_list(Kind.ITEM_GROUPS, NO_SECTION, load_query(GroupsQuery, request.args))


@blueprint.get("/<anything:group_id>")
@describe_one(Kind.ITEM_GROUPS, GroupSection)
def get_one(group_id: str) -> Response:
    load_query(GroupSection, request.args)
    found = current_services().catalog(caller().catalog_key).get(Kind.ITEM_GROUPS, NO_SECTION, [group_id])
    if not found:
        raise NotFound(f"item group not found: {group_id!r}")
    return answer_json(shown(found[0]))
