"""Hand a batch to its partition, whoever sent it and by whatever protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from api.errors import Conflict, TooManyTasks, Unavailable
from api.services import Services
from shared import metrics
from shared.model import Batch
from shared.outbox import Outboxes
from shared.partitions import new_nonce
from shared.submissions import IdempotencyKey, Submission, Submitted
from shared.uploads import Upload

log = structlog.get_logger()

#: Seconds after which a full queue is worth another try.
RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a write became."""

    catalog_key: str
    task_id: int
    #: How many more tasks may wait.
    tasks_remaining: int
    #: The task is that of an earlier request with the same Idempotency-Key.
    repeated: bool

    @property
    def task_status_path(self) -> str:
        return f"/v1/tasks/{self.task_id}?key={self.catalog_key}"


def hand_over(
    tools: Services,
    catalog_key: str,
    batch: Batch,
    frames: Sequence[bytes] | Upload,
    *,
    touched: bytes = b"",
    idempotency: IdempotencyKey | None = None,
) -> Accepted:
    """Submit a batch, its chunks at hand or staged in an upload, and ring if nobody drains.

    A repeat with the same Idempotency-Key is answered with the task of the first, also while the queue is full.  Raises
    TooManyTasks if it is, Conflict if the key was used for another request, StoreFull if there is little room; nothing
    is stored then.
    """
    if isinstance(frames, Upload):
        # Its chunks were admitted as they came.
        tools.admit()
    else:
        tools.admit(sum(map(len, frames)), batch.entries)
    now_ms = tools.clock()
    outbox = [Outboxes.mark(catalog_key, now_ms)] if batch.notification_emails else []
    with metrics.SUBMIT_SECONDS.time():
        submitted = tools.partition(catalog_key).submit(
            batch,
            frames,
            now_ms=now_ms,
            nonce=frames.nonce if isinstance(frames, Upload) else new_nonce(),
            touched=touched,
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
    return Accepted(catalog_key, submitted.task_id, submitted.tasks_remaining, repeated)


def _tell(catalog_key: str, batch: Batch, task_id: int, *, repeated: bool) -> None:
    if not repeated:
        metrics.series(metrics.BATCHES_ACCEPTED, batch.kind, batch.operation).inc()
        metrics.series(metrics.ENTRIES_ACCEPTED, batch.kind, batch.operation).inc(batch.entries)
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
