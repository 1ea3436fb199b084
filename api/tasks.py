"""``/v1/tasks``: follow, cancel and re-run."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from api import described_tasks
from api.auth import authorize, caller
from api.bodies import read_json_body
from api.changing import change_tasks
from api.days import between_days
from api.describing import describe
from api.errors import Invalid, NotFound, Problem
from api.exporting import make_export, request_export
from api.json_bodies import parse_json
from api.paths import read_task_id
from api.schemas import NewTask, TaskChange, TaskChanges, TasksQuery, TaskType, WaitQuery, load_body, load_query
from api.services import services
from api.task_views import show
from api.tracing import request_id, traceparent
from shared.model import Status
from shared.submissions import Change
from shared.tasks import TaskPage

blueprint = Blueprint("tasks", __name__, url_prefix="/v1/tasks")
blueprint.before_request(authorize)

_CHANGES = {Status.CANCELED: Change.CANCEL, Status.QUEUED: Change.RERUN}


@blueprint.get("")
@describe(described_tasks.LIST)
def get_list() -> Response:
    query = load_query(TasksQuery, request.args)
    size = query["num_results_per_page"]
    offset = query["offset"] or 0
    if query["page"] is not None:
        offset = (query["page"] - 1) * size
    page = TaskPage()
    ours = {TaskType.INGESTION, TaskType.CATALOG_EXPORT}.intersection(query["types"] or TaskType)
    if ours:
        exports = TaskType.CATALOG_EXPORT in ours if len(ours) == 1 else None
        only = between_days(query["start_date"], query["end_date"], frozenset(query["statuses"]), exports=exports)
        page = services().tasks(caller().catalog_key).page(only, offset=offset, size=size)
    return jsonify(
        tasks=show(*page.tasks),
        total_count=page.total,
        status_counts={status.value: count for status, count in page.by_status.items()},
    )


@blueprint.post("")
@describe(described_tasks.NEW)
def post() -> Response:
    body = read_json_body()
    wish, who = load_body(NewTask, parse_json(body)), caller()
    batch = make_export(
        wish["catalog_part"],
        wish["section"],
        wish["from_timestamp"],
        request_bytes=len(body),
        submitter=who.as_submitter(),
        request_id=request_id(),
        traceparent=traceparent(),
    )
    asked = request_export(services(), who.catalog_key, batch, body)
    path = f"/v1/tasks/{asked.task_id}?key={who.catalog_key}"
    if asked.repeated:
        answer = jsonify(
            message=f"An export of this catalog has not ended yet: task {asked.task_id}.",
            task_id=asked.task_id,
            task_status_path=path,
        )
        answer.status_code, answer.headers["Location"] = 303, path
        return answer
    answer = jsonify(task_id=asked.task_id, task_status_path=path)
    answer.headers["X-RateLimit-Tasks-Remaining"] = str(asked.tasks_remaining)
    return answer


@blueprint.get("/<task_id:task_id>")
@describe(described_tasks.ONE)
def get_one(task_id: str) -> Response:
    wait_s = load_query(WaitQuery, request.args)["wait"]
    return _one(read_task_id(task_id), wait_s=wait_s or 0)


@blueprint.patch("/<task_id:task_id>")
@describe(described_tasks.CHANGE)
def patch_one(task_id: str) -> Response:
    wish = load_body(TaskChange, parse_json(read_json_body()))["status"]
    [changed] = _change([(read_task_id(task_id), _CHANGES[wish])])
    return _one(changed)


@blueprint.patch("")
@describe(described_tasks.CHANGE_MANY)
def patch_many() -> Response:
    wishes = load_body(TaskChanges, parse_json(read_json_body()))["tasks"]
    ids = [wish["id"] for wish in wishes]
    if len(set(ids)) < len(ids):
        raise Invalid(Problem("tasks", "an id may stand here once"))
    changed = _change([(wish["id"], _CHANGES[wish["status"]]) for wish in wishes])
    tasks = services().tasks(caller().catalog_key).get_many(changed)
    return jsonify(tasks=show(*(task for task in tasks if task is not None)))


def _change(changes: list[tuple[int, Change]]) -> list[int]:
    who = caller()
    return change_tasks(who.catalog_key, changes, who=who.credential.name)


def _one(task_id: int, *, wait_s: int = 0) -> Response:
    tools = services()
    task = tools.waiters.wait_for_end(tools.tasks(caller().catalog_key), task_id, wait_s)
    if task is None:
        raise NotFound(f"task {task_id} not found")
    [shown] = show(task)
    return jsonify(shown)
