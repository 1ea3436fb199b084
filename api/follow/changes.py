"""``/v1/changes``: the change feed, for keeping a copy or an index of the catalogue up to date."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
from flask import Blueprint, Response, request

from api.errors import Gone, Invalid, NotFound, Problem
from api.follow.answers import ChangesPage
from api.follow.schemas import ChangesQuery, Included
from api.http.auth import authorize, caller
from api.http.responses import answer_json
from api.http.shown_entries import shown
from api.openapi.describe import Answer, Description, Tag, describe
from api.schemas.base import load_query
from api.services import current_services
from shared.catalog.changed_entries import MOST_IDS, AsOf, Place, read_changed
from shared.codec import encode_json
from shared.store.positions import Position
from shared.tasks.change_feed import PAGE_ENTRIES, ChangePage, ChangesGone
from shared.tasks.reports import shown_outcome
from shared.tasks.task_changes import TaskChanges

NDJSON = "application/x-ndjson"
#: Seconds between two looks for a change: little beside what a follower does with it.
LOOK_EVERY_S = 0.02

blueprint = Blueprint("changes", __name__, url_prefix="/v1/changes")
blueprint.before_request(authorize)


@blueprint.get("")
@describe(
    Description(
        "Follow changes",
        Tag.CHANGES,
        {
            200: Answer(
                "A page of changes, in the order of the tasks. Continue with `next_after`; at once if there is `more`.",
                ChangesPage,
                {
                    "changes": [
                        {
                            "task_id": 7,
                            "kind": "items",
                            "section": "Products",
                            "entries": [{"id": "sku-1", "outcome": "updated"}],
                        }
                    ],
                    "next_after": "7-1f0c3a9e",
                    "more": False,
                    "restarted": False,
                },
                ("application/json", NDJSON),
            )
        },
        text=(
            "For keeping a copy or an index of the catalogue up to date. 404 if the feed is switched off. With "
            "`Accept: application/x-ndjson` the answer has a line for each entry, with `task_id`, `kind` and "
            "`section`, and a last line with `next_after`, `more` and `restarted`."
        ),
        query=ChangesQuery,
        errors=(404, 410),
    )
)
def get_list() -> Response:
    """List the changes of tasks after a given one; 410 says where to continue after reading the whole catalogue."""
    services, query = current_services(), load_query(ChangesQuery, request.args)
    if services.settings.changes == "off":
        raise NotFound("The change feed is switched off (SLUICE_CHANGES).")
    try:
        after = _start(query)
        page = _page(query, after)
    except ChangesGone as gone:
        raise Gone(
            f"The changes after {after} are no longer kept, or the store has lost what came before that. "
            f"Read the whole catalogue, then follow its changes from after={gone.latest}.",
            members={"next_after": str(gone.latest)},
        ) from None
    found = None
    if Included.ENTRIES in query["include"]:
        found = read_changed(services.client, caller().catalog_key, _named(page.changes))
    position = {"next_after": str(page.next_after), "more": page.more, "restarted": page.restarted}
    if found is not None:
        position["as_of"] = str(found.position)
    changes = [_shown(change, found) for change in page.changes]
    if request.accept_mimetypes.best_match(("application/json", NDJSON)) == NDJSON:
        return Response(b"".join(_lines(changes, position)), content_type=NDJSON)
    return answer_json(encode_json({"changes": changes, **position}))


def _start(query: dict[str, Any]) -> Position:
    """Find where to begin.  Raises Invalid and NotFound."""
    name, after = query["cursor"], query["after"]
    if name is None:
        return after or Position(0)
    if after is not None:
        raise Invalid(Problem("", "after, cursor are mutually exclusive"))
    report = current_services().cursors(caller().catalog_key).get(name)
    if report is None:
        raise NotFound("cursor not found")
    return report.cursor.after


def _page(query: dict[str, Any], after: Position) -> ChangePage:
    """Read the page that a query asks for, and wait for a change if there is none and the query says so."""
    services = current_services()
    feed, restarted = services.changes(caller().catalog_key), False
    most = MOST_IDS if Included.ENTRIES in query["include"] else PAGE_ENTRIES
    until = time.monotonic() + query["wait"]
    while True:
        page = feed.page(
            after,
            section=query["section"],
            size=query["num_results_per_page"],
            kinds=frozenset(query["kinds"]),
            most_entries=most,
        )
        restarted |= page.restarted
        left_s = until - time.monotonic()
        if page.changes or left_s <= 0:
            return replace(page, restarted=restarted)
        # Others may have changed what was not asked for: the wait goes on behind it.
        after = page.next_after
        if not page.more:
            services.waiters.wait_for(partial(feed.goes_on, after), "a change", left_s, every_s=LOOK_EVERY_S)
            if not feed.goes_on(after):
                return replace(page, restarted=restarted)


def _named(changes: list[TaskChanges]) -> dict[Place, list[str]]:
    """List the changed ids of each place, each once."""
    ids: dict[Place, dict[str, None]] = {}
    for change in changes:
        place = ids.setdefault(Place(change.kind, change.section), {})
        place.update(dict.fromkeys(entry_id for entry_id, _ in change.entries))
    return {place: list(some) for place, some in ids.items()}


def _shown(change: TaskChanges, found: AsOf | None) -> dict[str, Any]:
    entries: list[dict[str, Any]] = [
        {"id": entry_id, "outcome": shown_outcome(outcome)} for entry_id, outcome in change.entries
    ]
    if found is not None:
        there = found.entries[Place(change.kind, change.section)]
        for entry in entries:
            stored = there.get(entry["id"])
            entry["entry"] = None if stored is None else msgspec.Raw(shown(stored))
    section = change.section or None
    return {"task_id": change.task_id, "kind": change.kind, "section": section, "entries": entries}


def _lines(changes: list[dict[str, Any]], position: dict[str, Any]) -> Iterator[bytes]:
    """Write a line for each entry, and a last one with the position."""
    for change in changes:
        where = {name: change[name] for name in ("task_id", "kind", "section")}
        for entry in change["entries"]:
            yield encode_json({**where, **entry}) + b"\n"
    yield encode_json(position) + b"\n"
