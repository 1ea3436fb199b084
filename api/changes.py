"""``/v1/changes``: what each task changed, in order, for whoever keeps a copy or an index of the catalogue."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from api import answer_schemas
from api.auth import authorize, caller
from api.describing import Answer, Description, Tag, describe
from api.errors import Gone, NotFound
from api.schemas import ChangesQuery, load_query
from api.services import services
from shared.changes import Change, ChangesGone
from shared.reports import told

blueprint = Blueprint("changes", __name__, url_prefix="/v1/changes")
blueprint.before_request(authorize)


@blueprint.get("")
@describe(
    Description(
        "Follow what tasks changed",
        Tag.CHANGES,
        {
            200: Answer(
                "A page of changes, in the order of the tasks. Go on with `next_after`; at once, if there is `more`.",
                answer_schemas.ChangesPage,
                {
                    "changes": [
                        {
                            "task_id": 7,
                            "kind": "items",
                            "section": "Products",
                            "entries": [{"id": "sku-1", "outcome": "updated"}],
                        }
                    ],
                    "next_after": 7,
                    "more": False,
                },
            )
        },
        text="For whoever keeps a copy or an index of the catalogue. 404 if the feed is switched off.",
        query=ChangesQuery,
        errors=(404, 410),
    )
)
def get_list() -> Response:
    """Tell what the tasks after a given one changed; 410 says from where to go on once everything was read again."""
    tools, query = services(), load_query(ChangesQuery, request.args)
    if tools.settings.changes == "off":
        raise NotFound("The change feed is switched off (SLUICE_CHANGES).")
    try:
        page = tools.changes(caller().catalog_key).page(
            query["after"], section=query["section"], size=query["num_results_per_page"]
        )
    except ChangesGone as gone:
        raise Gone(
            f"The changes after task {query['after']} are no longer kept. Read the whole catalogue, "
            f"then follow its changes from after={gone.latest}.",
            members={"next_after": gone.latest},
        ) from None
    return jsonify(changes=list(map(_shown, page.changes)), next_after=page.next_after, more=page.more)


def _shown(change: Change) -> dict[str, Any]:
    return {
        "task_id": change.task_id,
        "kind": change.kind,
        "section": change.section or None,
        "entries": [{"id": entry_id, "outcome": told(outcome)} for entry_id, outcome in change.entries],
    }
