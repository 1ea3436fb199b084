"""What the Tasks API says of itself."""

from __future__ import annotations

from typing import Any

from api import task_answers
from api.describing import Answer, Description, JsonBody, Tag
from api.schemas import EntriesQuery, NewTask, TaskChange, TaskChanges, TasksQuery, WaitQuery

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
    {200: Answer("A page.", task_answers.TaskList, {"tasks": [_TASK], "total_count": 1, "status_counts": _COUNTS})},
    query=TasksQuery,
)
_EXPORTING = {"task_id": 7, "task_status_path": "/v1/tasks/7?key=acme"}
NEW = Description(
    "Export the catalogue",
    Tag.TASKS,
    {
        200: Answer(
            "The export was accepted and became a task.",
            task_answers.Accepted,
            _EXPORTING,
            headers=("X-RateLimit-Tasks-Remaining",),
        ),
        303: Answer(
            "An export of this catalog has not ended yet: this is its task.",
            task_answers.Exporting,
            {"message": "An export of this catalog has not ended yet: task 7.", **_EXPORTING},
            headers=("Location",),
        ),
    },
    text=(
        "It is written in its turn: it has what all tasks before it left, and nothing of those behind it. What comes "
        "of it is a gzip file of JSON lines, in the form of an upload, to be fetched from `result.url` for three days. "
        "Of `items_with_variations` all items come first, then all variations; these are the lines with an `item_id`. "
        "With `from_timestamp` only what was changed at that moment or since is written; what was deleted does not "
        "show."
    ),
    body=JsonBody(NewTask, {"type": "catalog_export", "section": "Products", "catalog_part": "items"}),
    errors=(429,),
)
ONE = Description(
    "Read one task",
    Tag.TASKS,
    {200: Answer("The task.", task_answers.Task, _TASK)},
    query=WaitQuery,
    errors=(404,),
)
CHANGE = Description(
    "Cancel a task, or run it again",
    Tag.TASKS,
    {200: Answer("The canceled task, or the new one.", task_answers.Task, _CANCELED)},
    text=(
        "`CANCELED` takes back what is QUEUED. `QUEUED` runs again what has ended: that makes a new task at the tail, "
        "with `retry_of`; the old one keeps its status."
    ),
    body=JsonBody(TaskChange, {"status": "CANCELED"}),
    errors=(404, 409),
)
CHANGE_MANY = Description(
    "Cancel tasks, or run them again, all or none",
    Tag.TASKS,
    {
        200: Answer(
            "The canceled and the new tasks, in the order asked for.",
            task_answers.ChangedTasks,
            {"tasks": [_CANCELED]},
        )
    },
    body=JsonBody(TaskChanges, {"tasks": [{"id": 7, "status": "CANCELED"}]}),
    errors=(404, 409),
)
ENTRIES = Description(
    "Tell what became of each entry of a task",
    Tag.TASKS,
    {
        200: Answer(
            "A page of the entries that have an outcome, in the order they were sent.",
            task_answers.Report,
            {
                "entries": [
                    {"index": 0, "id": "sku-1", "outcome": "updated"},
                    {"index": 1, "id": "sku-2", "outcome": "ignored", "reason": "its id is not there"},
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
        "A task that waits has no outcomes yet, one that runs has those of its first entries. In a task that FAILED, "
        "the entries to blame are `failed`, the others `ignored`. Once the payload is no longer kept, the ids are null."
    ),
    query=EntriesQuery,
    errors=(404,),
)
PAYLOAD = Description(
    "Read what was sent, byte for byte",
    Tag.TASKS,
    {
        200: Answer(
            "The body of the request, inflated.",
            {},
            media_types=("application/json", "application/x-ndjson"),
            headers=("Content-Disposition",),
        )
    },
    text="Kept until some time after the end of the task (by default 7 days, and no more than 256 MiB a catalog). Of "
    "catalogue files it is their entries, one a line.",
    errors=(404,),
)
