"""``/v1/tasks``: follow, cancel and re-run tasks."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from api.entries.json_body import parse_json
from api.errors import Invalid, NotFound, Problem
from api.exports.request import make_export, request_export
from api.http.auth import authorize, caller
from api.http.bodies import read_json_body
from api.http.idempotency import note_repeat, read_idempotency_key
from api.openapi.describe import describe
from api.schemas.base import load_body, load_query
from api.schemas.queries import DEFAULT_SECTION, WaitQuery, offset_of
from api.services import current_services
from api.submit.submit import origin
from api.tasks import docs as described_tasks
from api.tasks.accepted import show_accepted
from api.tasks.cancel_rerun import change_tasks
from api.tasks.dates import between_days
from api.tasks.ids import read_task_id
from api.tasks.render import show
from api.tasks.schemas import NewTask, TaskChangeSchema, TaskChangesSchema, TasksQuery, TaskType
from shared.model import Status
from shared.partition.submissions import TaskChange
from shared.tasks.records import TaskPage

blueprint = Blueprint("tasks", __name__, url_prefix="/v1/tasks")
blueprint.before_request(authorize)

_CHANGES = {Status.CANCELED: TaskChange.CANCEL, Status.QUEUED: TaskChange.RERUN}


@blueprint.get("")
@describe(described_tasks.LIST)
def get_list() -> Response:
    query = load_query(TasksQuery, request.args)
    size = query["num_results_per_page"]
    page = TaskPage()
    ours = {TaskType.INGESTION, TaskType.CATALOG_EXPORT}.intersection(query["types"] or TaskType)
    if ours:
        exports = TaskType.CATALOG_EXPORT in ours if len(ours) == 1 else None
        only = between_days(query["start_date"], query["end_date"], frozenset(query["statuses"]), exports=exports)
        page = (
            current_services()
            .tasks(caller().catalog_key)
            .page(only, size=size, offset=offset_of(query, size) or 0, before=query["before"])
        )
    return jsonify(
        tasks=show(*page.tasks),
        total_count=page.total,
        status_counts={status.value: count for status, count in page.by_status.items()},
    )


@blueprint.post("")
@describe(described_tasks.NEW)
def post() -> Response:
    body = read_json_body()
    options, who = load_body(NewTask, parse_json(body)), caller()
    batch = make_export(
        options["catalog_part"],
        options["section"] or DEFAULT_SECTION,
        options["from_timestamp"],
        options["format"],
        request_bytes=len(body),
        origin=origin(),
    )
    idempotency = read_idempotency_key(batch, body)
    requested = request_export(current_services(), who.catalog_key, batch, body, idempotency)
    note_repeat(requested.repeated)
    path = f"/v1/tasks/{requested.task_id}?key={who.catalog_key}"
    named = {"task_id": requested.task_id, "task_status_path": path}
    if requested.busy:
        answer = jsonify(message=f"An export of this catalog has not ended yet: task {requested.task_id}.", **named)
        answer.status_code, answer.headers["Location"] = 303, path
        return answer
    answer = jsonify(show_accepted(requested.task_id) | named)
    answer.headers["X-RateLimit-Tasks-Remaining"] = str(requested.tasks_remaining)
    return answer


@blueprint.get("/<task_id:task_id>")
@describe(described_tasks.ONE)
def get_one(task_id: str) -> Response:
    wait_s = load_query(WaitQuery, request.args)["wait"]
    return _one(read_task_id(task_id), wait_s=wait_s or 0)


@blueprint.patch("/<task_id:task_id>")
@describe(described_tasks.CHANGE)
def patch_one(task_id: str) -> Response:
    change = load_body(TaskChangeSchema, parse_json(read_json_body()))
    [changed] = _change([{**change, "id": read_task_id(task_id)}])
    return _one(changed)


@blueprint.patch("")
@describe(described_tasks.CHANGE_MANY)
def patch_many() -> Response:
    changes = load_body(TaskChangesSchema, parse_json(read_json_body()))["tasks"]
    ids = [change["id"] for change in changes]
    if len(set(ids)) < len(ids):
        raise Invalid(Problem("tasks", "an id may occur only once"))
    changed = _change(changes)
    tasks = current_services().tasks(caller().catalog_key).get_many(changed)
    return jsonify(tasks=show(*(task for task in tasks if task is not None)))


def _change(wanted: list[dict[str, Any]]) -> list[int]:
    who, changes = caller(), [(one["id"], _CHANGES[one["status"]]) for one in wanted]
    forced = {one["id"]: one["force_reason"] for one in wanted if one["force"]}
    changed = change_tasks(
        who.catalog_key,
        changes,
        who=who.credential.name,
        idempotency=read_idempotency_key({"changes": changes} | ({"forced": forced} if forced else {})),
        forced=forced,
    )
    note_repeat(changed.repeated)
    return changed.ids


def _one(task_id: int, *, wait_s: int = 0) -> Response:
    task = current_services().wait_for_task(caller().catalog_key, task_id, wait_s)
    if task is None:
        raise NotFound(f"task {task_id} not found")
    [rendered] = show(task)
    return jsonify(rendered)
