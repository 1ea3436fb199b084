"""OpenAPI descriptions of the Tasks API."""

from __future__ import annotations

from typing import Any

from api.openapi.describe import Answer, Description, JsonBody, Tag
from api.schemas.queries import WaitQuery
from api.tasks import answers as task_answers
from api.tasks.schemas import EntriesQuery, NewTask, TaskChangeSchema, TaskChangesSchema, TasksQuery

_TIME = "2026-01-31T12:00:00Z"
_TASK: dict[str, Any] = {
    "id": 7,
    "status": "DONE",
    "submission_time": _TIME,
    "start_time": _TIME,
    "last_update": _TIME,
    "type": "ingestion",
    "filename": "acme_Products_put_2026-01-31-12-00-00.tar",
    "protocol": "http",
    "result": {
        "changelog": {"sections": {"Products": {"items_updated": 2, "items_deleted": 0}}},
        "index_built": True,
        "ingestion_warnings": [],
    },
    "progress": {"entries_total": 2, "entries_applied": 2},
    "submitted_by": {"token_name": "feed-job", "client": "curl/8.5.0", "address": "10.0.0.7", "bytes": 240},
}
_CANCELED = {
    **{name: value for name, value in _TASK.items() if name not in ("result", "start_time")},
    "status": "CANCELED",
    "start_time": None,
    "progress": {"entries_total": 2, "entries_applied": 0},
    "canceled_by": "feed-job",
}
_COUNTS = {"QUEUED": 0, "IN_PROGRESS": 0, "DONE": 1, "FAILED": 0, "CANCELED": 0}

LIST = Description(
    "List tasks, newest first",
    Tag.TASKS,
    {
        200: Answer(
            "A page of tasks.", task_answers.TaskList, {"tasks": [_TASK], "total_count": 1, "status_counts": _COUNTS}
        )
    },
    query=TasksQuery,
)
_EXPORT: dict[str, Any] = {
    **{name: value for name, value in _TASK.items() if name != "result"},
    "status": "QUEUED",
    "start_time": None,
    "last_update": None,
    "type": "catalog_export",
    "filename": "acme_Products_export_items_2026-01-31-12-00-00.jsonl.gz",
    "section": "Products",
    "catalog_part": "items",
    "format": "jsonl",
    "progress": {"entries_total": 0, "entries_applied": 0},
    "queue_position": 1,
    "waiting_for": "a worker",
}
_EXPORTING = {"task_id": 7, "task_status_path": "/v1/tasks/7?key=acme"}
NEW = Description(
    "Export the catalogue",
    Tag.TASKS,
    {
        200: Answer(
            "The export is accepted as a task.",
            task_answers.AcceptedExport,
            _EXPORT | _EXPORTING,
            headers=("X-RateLimit-Tasks-Remaining",),
        ),
        303: Answer(
            "Another export of this catalog has not ended yet: this is its task.",
            task_answers.Exporting,
            {"message": "An export of this catalog has not ended yet: task 7.", **_EXPORTING},
            headers=("Location",),
        ),
    },
    text=(
        "The export runs in its turn: it has the effects of all earlier tasks and of no later one. The result is a "
        "gzip file in the format of an upload, JSON lines or CSV, available at `result.url` for three days. For "
        "`items_with_variations`, of which there is no CSV, all items come first, then all variations, which have an "
        "`item_id`. With `from_timestamp` only entries changed at that time or later are exported; deleted entries do "
        "not show."
    ),
    body=JsonBody(NewTask, {"type": "catalog_export", "section": "Products", "catalog_part": "items"}),
    errors=(409, 429),
)
ONE = Description(
    "Read one task",
    Tag.TASKS,
    {200: Answer("The task.", task_answers.TaskSchema, _TASK)},
    query=WaitQuery,
    errors=(404,),
)
VERIFY = Description(
    "Tell whether key and token are right",
    Tag.SERVICE,
    {200: Answer("They are.", task_answers.Verified, {"message": "successful authentication", "key": "acme"})},
    text="For older clients. Otherwise it is refused as any other request.",
)
CHANGE = Description(
    "Cancel a task, or run it again",
    Tag.TASKS,
    {200: Answer("The canceled task, or the new task of a re-run.", task_answers.TaskSchema, _CANCELED)},
    text=(
        "`CANCELED` cancels a QUEUED task. `QUEUED` re-runs an ended task: that creates a new task at the end of the "
        "queue, with `retry_of`; the old one keeps its status. With `force` it is as if sent with `force=true`."
    ),
    body=JsonBody(TaskChangeSchema, {"status": "CANCELED"}),
    errors=(404, 409),
)
CHANGE_MANY = Description(
    "Cancel tasks, or run them again, all or none",
    Tag.TASKS,
    {
        200: Answer(
            "The canceled and the new tasks, in the order of the request.",
            task_answers.ChangedTasks,
            {"tasks": [_CANCELED]},
        )
    },
    body=JsonBody(TaskChangesSchema, {"tasks": [{"id": 7, "status": "CANCELED"}]}),
    errors=(404, 409),
)
ENTRIES = Description(
    "List the outcome of each entry of a task",
    Tag.TASKS,
    {
        200: Answer(
            "A page of the entries that have an outcome, in the order sent.",
            task_answers.Report,
            {
                "entries": [
                    {"index": 0, "id": "sku-1", "outcome": "updated"},
                    {"index": 1, "id": "sku-2", "outcome": "ignored", "reason": "its id does not exist"},
                ],
                "total_count": 2,
                "outcome_counts": {
                    "created": 0,
                    "updated": 1,
                    "unchanged": 0,
                    "deleted": 0,
                    "ignored": 1,
                    "failed": 0,
                },
            },
        )
    },
    text=(
        "A QUEUED task has no outcomes yet; one IN_PROGRESS has those of its first entries. In a FAILED task, the "
        "entries that made it fail are `failed`, the others `ignored`. Once the payload is no longer kept, ids are "
        "null."
    ),
    query=EntriesQuery,
    errors=(404,),
)
PAYLOAD = Description(
    "Download the payload as it was sent, byte for byte",
    Tag.TASKS,
    {
        200: Answer(
            "The body of the request, inflated.",
            {},
            media_types=("application/json", "application/x-ndjson"),
            headers=("Content-Disposition",),
        )
    },
    text="The payload is kept for a time after the end of the task: by default 7 days, and at most 256 MiB per "
    "catalog. For catalogue files it is their entries, one per line.",
    errors=(404,),
)
