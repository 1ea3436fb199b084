"""``/v1/tasks/{id}/entries`` and ``…/payload``: what became of each entry of a task, and what was sent."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, request

from api import described_tasks
from api.auth import authorize, caller
from api.describing import describe
from api.errors import NotFound
from api.pages import offset_of
from api.paths import read_task_id
from api.schemas import EntriesQuery, load_query
from api.services import services
from shared.model import Form
from shared.payloads import PayloadGone
from shared.reports import ReportedEntry
from shared.tasks import Task

blueprint = Blueprint("task_entries", __name__, url_prefix="/v1/tasks")
blueprint.before_request(authorize)

_MEDIA_TYPES = {Form.JSON: "application/json", Form.NDJSON: "application/x-ndjson"}


@blueprint.get("/<task_id>/entries")
@describe(described_tasks.ENTRIES)
def get_entries(task_id: str) -> Response:
    """Tell what became of each entry, page by page."""
    query = load_query(EntriesQuery, request.args)
    size = query["num_results_per_page"]
    offset = offset_of(query, size) or 0
    reports = services().reports(caller().catalog_key)
    task = _task(task_id)
    page = reports.page(task, only=query["outcome"], offset=offset, size=size)
    return jsonify(
        entries=[_shown(task, entry) for entry in page.entries],
        total_count=page.total,
        outcome_counts={outcome.value: count for outcome, count in page.by_outcome.items()},
    )


@blueprint.get("/<task_id>/payload")
@describe(described_tasks.PAYLOAD)
def get_payload(task_id: str) -> Response:
    """Send the body of the request that became the task, byte for byte, inflated; of files, their rows as JSON."""
    task, catalog_key = _task(task_id), caller().catalog_key
    try:
        texts = services().payloads(catalog_key).texts(task)
    except PayloadGone:
        raise NotFound(f"the payload of task {task.id} is no longer kept") from None
    answer = Response(texts, mimetype=_MEDIA_TYPES[task.batch.form])
    filename = f"{catalog_key}-task-{task.id}.{task.batch.form}"
    answer.headers.set("Content-Disposition", "attachment", filename=filename)
    return answer


def _task(task_id: str) -> Task:
    number = read_task_id(task_id)
    task = services().tasks(caller().catalog_key).get(number)
    if task is None:
        raise NotFound(f"task {number} not found")
    return task


def _shown(task: Task, entry: ReportedEntry) -> dict[str, Any]:
    shown = asdict(entry)
    if task.batch.parts:
        shown["kind"] = task.batch.kind_of_entry(entry.index)
    if entry.reason is None:
        del shown["reason"]
    return shown
