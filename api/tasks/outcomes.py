"""``/v1/tasks/{id}/entries`` and ``…/payload``: the outcome of each entry of a task, and its payload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, request

from api.errors import NotFound
from api.history.answers import show_difference
from api.history.entry_changes import changes_in
from api.history.sent_entries import SentEntries
from api.history.states import Changes
from api.http.auth import authorize, caller
from api.http.responses import answer_json
from api.openapi.describe import describe
from api.schemas.base import load_query
from api.schemas.queries import offset_of
from api.services import current_services
from api.tasks import docs as described_tasks
from api.tasks.ids import read_task_id
from api.tasks.schemas import EntriesQuery
from shared.codec import encode_json
from shared.model import Form
from shared.tasks.payloads import PayloadGone
from shared.tasks.records import Task
from shared.tasks.reports import EntryOutcome, ReportedEntry

blueprint = Blueprint("task_entries", __name__, url_prefix="/v1/tasks")
blueprint.before_request(authorize)

_MEDIA_TYPES = {Form.JSON: "application/json", Form.NDJSON: "application/x-ndjson"}


@blueprint.get("/<task_id>/entries")
@describe(described_tasks.ENTRIES)
def get_entries(task_id: str) -> Response:
    """List the outcomes of a task's entries, page by page."""
    query = load_query(EntriesQuery, request.args)
    size = query["num_results_per_page"]
    offset = offset_of(query, size) or 0
    reports = current_services().reports(caller().catalog_key)
    task = _task(task_id)
    page = reports.page(task, only=query["outcome"], offset=offset, size=size)
    changes = _changes(task, page.entries) if query["changes"] else {}
    rendered = {
        "entries": [_shown(task, entry, changes.get(entry.index)) for entry in page.entries],
        "total_count": page.total,
        "outcome_counts": {outcome.value: count for outcome, count in page.by_outcome.items()},
    }
    return answer_json(encode_json(rendered))


@blueprint.get("/<task_id>/payload")
@describe(described_tasks.PAYLOAD)
def get_payload(task_id: str) -> Response:
    """Send the inflated body of the task's request, byte for byte; for files, their rows as JSON."""
    task, catalog_key = _task(task_id), caller().catalog_key
    try:
        texts = current_services().payloads(catalog_key).texts(task)
    except PayloadGone:
        raise NotFound(f"the payload of task {task.id} is no longer kept") from None
    answer = Response(texts, mimetype=_MEDIA_TYPES[task.batch.form])
    filename = f"{catalog_key}-task-{task.id}.{task.batch.form}"
    answer.headers.set("Content-Disposition", "attachment", filename=filename)
    return answer


def _task(task_id: str) -> Task:
    number = read_task_id(task_id)
    task = current_services().tasks(caller().catalog_key).get(number)
    if task is None:
        raise NotFound(f"task {number} not found")
    return task


def _changes(task: Task, entries: Sequence[ReportedEntry]) -> dict[int, Changes]:
    catalog_key = caller().catalog_key
    sent = SentEntries(current_services().payloads(catalog_key), task)
    try:
        updated = [sent.one(entry.index) for entry in entries if entry.outcome is EntryOutcome.UPDATED]
    except PayloadGone:
        return {}
    return changes_in(catalog_key, task, updated)


def _shown(task: Task, entry: ReportedEntry, changes: Changes | None) -> dict[str, Any]:
    rendered = asdict(entry)
    if changes is not None:
        rendered |= {"changes": list(map(show_difference, changes.found)), "before_known": changes.complete}
    if task.batch.parts:
        rendered["kind"] = task.batch.kind_of_entry(entry.index)
    if entry.reason is None:
        del rendered["reason"]
    return rendered
