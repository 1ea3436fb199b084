"""Hand a checked batch to its partition and say which task it became."""

from __future__ import annotations

import structlog
from flask import Response, jsonify

from api.auth import caller
from api.errors import Conflict, TooManyTasks, Unavailable
from api.services import services
from shared.model import Batch
from shared.partitions import new_nonce
from shared.submissions import Submission, Submitted

log = structlog.get_logger()

#: Seconds after which a full queue is worth another try.
RETRY_AFTER_S = 1


def submit(batch: Batch, frames: list[bytes]) -> Response:
    """Submit a batch, ring if nobody drains, and answer with the task.

    Raises TooManyTasks if the queue of the catalog is full; nothing is stored then.
    """
    tools, catalog_key = services(), caller().catalog_key
    now_ms = tools.clock()
    submitted = tools.partition(catalog_key).submit(
        batch,
        frames,
        now_ms=now_ms,
        nonce=new_nonce(),
        before=tools.backlog.before_submit(catalog_key, now_ms),
        after=tools.backlog.after_submit(catalog_key, now_ms),
    )
    if submitted.ring:
        tools.bell.ring(catalog_key)
    _refuse(submitted)
    log.info(
        "batch accepted",
        action="submit",
        catalog_key=catalog_key,
        task_id=submitted.task_id,
        kind=batch.kind,
        operation=batch.operation,
        section=batch.section,
        entries=batch.entries,
        bytes=batch.bytes,
    )
    answer = jsonify(
        task_id=submitted.task_id,
        task_status_path=f"/v1/tasks/{submitted.task_id}?key={catalog_key}",
    )
    answer.headers["X-RateLimit-Tasks-Remaining"] = str(submitted.tasks_remaining)
    return answer


def _refuse(submitted: Submitted) -> None:
    match submitted.outcome:
        case Submission.TASKS_FULL:
            refusal = TooManyTasks("Too many tasks are queued for this key.", retry_after_s=RETRY_AFTER_S)
        case Submission.BYTES_FULL:
            refusal = TooManyTasks("Too many bytes are queued for this key.", retry_after_s=RETRY_AFTER_S)
        case Submission.UPLOAD_LOST:
            raise Unavailable("The batch was lost on its way to the store. Please try again.", retry_after_s=1)
        case Submission.CONFLICT:
            raise Conflict("This Idempotency-Key was used for another request.")
        case _:
            return
    refusal.headers["X-RateLimit-Tasks-Remaining"] = str(submitted.tasks_remaining)
    raise refusal
