"""Hand a checked batch to its partition and say which task it became."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Any

import structlog
from flask import Response, jsonify

from api.auth import caller
from api.errors import Conflict, TooManyTasks, Unavailable
from api.services import services
from api.task_views import show
from api.tracing import request_id, traceparent
from shared import metrics
from shared.codec import digest_ids, encode_chunk
from shared.errors import StoreUnavailable
from shared.model import Batch, Chunk
from shared.outbox import Outboxes
from shared.partitions import new_nonce
from shared.submissions import IdempotencyKey, Submission, Submitted

log = structlog.get_logger()

#: Seconds after which a full queue is worth another try.
RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a write became."""

    task_id: int
    #: How many more tasks may wait.
    tasks_remaining: int
    #: The task is that of an earlier request with the same Idempotency-Key.
    repeated: bool

    @property
    def task_status_path(self) -> str:
        return f"/v1/tasks/{self.task_id}?key={caller().catalog_key}"


def submit(
    batch: Batch, chunks: list[Chunk], *, idempotency: IdempotencyKey | None = None, wait_s: int | None = None
) -> Response:
    """Submit a batch as `accept` does, and answer with the id of its task.

    The task itself comes along if it was to be waited for, ended or not.
    """
    accepted = accept(batch, chunks, idempotency=idempotency)
    answer = jsonify(
        task_id=accepted.task_id,
        task_status_path=accepted.task_status_path,
        **_waited_for(accepted.task_id, wait_s),
    )
    answer.headers["X-RateLimit-Tasks-Remaining"] = str(accepted.tasks_remaining)
    if accepted.repeated:
        answer.headers["Idempotency-Replayed"] = "true"
    return answer


def accept(batch: Batch, chunks: list[Chunk], *, idempotency: IdempotencyKey | None = None) -> Accepted:
    """Submit a batch and ring if nobody drains.

    A repeat with the same Idempotency-Key is answered with the task of the first, also while the queue is full.  Raises
    TooManyTasks if it is, Conflict if the key was used for another request; nothing is stored then.
    """
    tools, catalog_key = services(), caller().catalog_key
    now_ms = tools.clock()
    outbox = [Outboxes.mark(catalog_key, now_ms)] if batch.notification_emails else []
    batch = replace(batch, request_id=request_id(), traceparent=traceparent())
    frames = [encode_chunk(chunk) for chunk in chunks]
    with metrics.SUBMIT_SECONDS.time():
        submitted = tools.partition(catalog_key).submit(
            batch,
            frames,
            now_ms=now_ms,
            nonce=new_nonce(),
            touched=digest_ids([entry_id for chunk in chunks for entry_id in chunk.ids]),
            idempotency=idempotency,
            before=tools.backlog.before_submit(catalog_key, now_ms) + outbox,
            after=tools.backlog.after_submit(catalog_key, now_ms) + outbox,
        )
    if submitted.ring:
        tools.bell.ring(catalog_key)
    _refuse(submitted)
    # A repeat may also be this very request, sent to the store twice.
    repeated = idempotency is not None and submitted.outcome is Submission.REPEATED
    _tell(catalog_key, batch, submitted.task_id, repeated=repeated)
    return Accepted(submitted.task_id, submitted.tasks_remaining, repeated)


def _tell(catalog_key: str, batch: Batch, task_id: int, *, repeated: bool) -> None:
    if not repeated:
        metrics.BATCHES_ACCEPTED.labels(batch.kind, batch.operation).inc()
        metrics.ENTRIES_ACCEPTED.labels(batch.kind, batch.operation).inc(batch.entries)
        metrics.BYTES_ACCEPTED.inc(batch.bytes)
    log.info(
        "batch accepted before" if repeated else "batch accepted",
        action="submit",
        catalog_key=catalog_key,
        task_id=task_id,
        kind=batch.kind,
        operation=batch.operation,
        section=batch.section,
        entries=batch.entries,
        bytes=batch.bytes,
    )


def _waited_for(task_id: int, wait_s: int | None) -> dict[str, Any]:
    if wait_s is None:
        return {}
    tools = services()
    # The batch is accepted: with the store away from here on, its sender must still learn so.
    with contextlib.suppress(StoreUnavailable):
        task = tools.waiters.wait_for_end(tools.tasks(caller().catalog_key), task_id, wait_s)
        if task is not None:
            return {"task": show(task)[0]}
    return {}


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
