"""``/v1/history/{kind}/{id}``: which tasks touched an entry, and what each changed."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, Response, request
from marshmallow import fields as ma

from api.errors import NotFound
from api.history.answers import DifferenceSchema, show_difference
from api.history.entry_histories import PAGE, HistoryStep, entry_history
from api.http.auth import authorize, caller
from api.http.responses import answer_json
from api.openapi.answers import moment, positive
from api.openapi.describe import Answer, Description, Tag, describe
from api.schemas import fields, query_fields
from api.schemas.base import Query, Strict, load_query
from api.schemas.fields import between
from api.schemas.queries import MAX_INT32, page_size, section_or_default
from shared.clock import iso
from shared.codec import encode_json
from shared.model import Kind, Operation, Status
from shared.tasks.reports import EntryOutcome


class HistoryQuery(Query):
    """Parameters of a history."""

    section = section_or_default()
    num_results_per_page = page_size(PAGE, most=PAGE)
    before = query_fields.QueryInteger(
        load_default=None,
        allow_none=False,
        validate=between(1, MAX_INT32),
        metadata={"description": "Return only tasks with lower ids: send `next_before` of a page to get the next one."},
    )


class HistoryStepSchema(Strict):
    """What one task did to an entry."""

    task_id = positive(required=True, description="The task.")
    status = fields.Choice(list(Status), required=True, metadata={"description": "The status of the task."})
    operation = fields.Choice(list(Operation), required=True, metadata={"description": "What the task does."})
    submission_time = moment(description="When the task was submitted.")
    token_name = fields.Text(required=True, allow_none=True, metadata={"description": "Name of the sender's token."})
    outcome = fields.Choice(
        list(EntryOutcome),
        required=True,
        allow_none=True,
        metadata={"description": "What became of it; null while the task waits, and if it did not name the entry."},
    )
    reason = fields.Text(metadata={"description": "Why the entry was left out or failed."})
    named = fields.Flag(
        required=True,
        metadata={"description": "Whether the task named the entry; otherwise it was deleted or written with others."},
    )
    sent = ma.Raw(
        required=True,
        allow_none=True,
        metadata={"description": "The entry as it was sent; null if that is no longer kept, or it was not named."},
    )
    changes = fields.ListOf(
        fields.Object(DifferenceSchema),
        required=True,
        allow_none=True,
        metadata={
            "description": "The fields that the task changed; null while it waits, and where that cannot be told."
        },
    )
    before_known = fields.Flag(
        required=True,
        metadata={
            "description": "Whether what was before is still kept. If not, `changes` are the fields that were sent, "
            "without their values before."
        },
    )


class HistoryPage(Strict):
    """A page of a history, newest first."""

    history = fields.ListOf(fields.Object(HistoryStepSchema), required=True)
    next_before = positive(description="Send it as `before` to get the next page; absent on the last one.")


blueprint = Blueprint("history", __name__, url_prefix="/v1/history")
blueprint.before_request(authorize)


@blueprint.get("/<kind>/<anything:entry_id>")
@describe(
    Description(
        "Read the history of an entry",
        Tag.TASKS,
        {
            200: Answer(
                "What each task did to the entry, newest first; empty if no kept task touched it.",
                HistoryPage,
                {
                    "history": [
                        {
                            "task_id": 7,
                            "status": "DONE",
                            "operation": "patch",
                            "submission_time": "2026-01-31T12:00:00Z",
                            "token_name": "feed-job",
                            "outcome": "updated",
                            "named": True,
                            "sent": {"id": "sku-1", "data": {"price": 17.5}},
                            "changes": [{"field": "data.price", "before": 19.9, "after": 17.5}],
                            "before_known": True,
                        }
                    ]
                },
            )
        },
        text=(
            "Worked out from what was sent, so it reaches back as far as tasks and payloads are kept. Up to ten "
            "earlier tasks are read to find out what an entry was before. A page with long values has fewer tasks than "
            "asked for, about a megabyte."
        ),
        query=HistoryQuery,
        errors=(404,),
    )
)
def get_history(kind: str, entry_id: str) -> Response:
    if kind not in list(Kind):
        raise NotFound(f"there is no kind {kind!r}, only {', '.join(Kind)}")
    query = load_query(HistoryQuery, request.args)
    found = entry_history(
        caller().catalog_key,
        entry_id,
        kind=Kind(kind),
        section=query["section"],
        before=query["before"],
        size=query["num_results_per_page"],
    )
    page: dict[str, Any] = {"history": list(map(_shown, found.lines))}
    if found.before is not None:
        page["next_before"] = found.before
    return answer_json(encode_json(page))


def _shown(step: HistoryStep) -> dict[str, Any]:
    task, changes = step.task, step.changes
    submitter = task.batch.origin.submitter
    rendered: dict[str, Any] = {
        "task_id": task.id,
        "status": task.status,
        "operation": task.batch.operation,
        "submission_time": iso(task.submitted_ms),
        "token_name": None if submitter is None else submitter.token_name,
        "outcome": step.outcome,
        "named": not step.also,
        "sent": None if step.sent is None else msgspec.Raw(step.sent.text),
        "changes": None if changes is None else list(map(show_difference, changes.found)),
        "before_known": changes is not None and changes.complete,
    }
    return rendered if step.reason is None else rendered | {"reason": step.reason}
