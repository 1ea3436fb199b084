"""Submit a batch to its partition, from any sender and protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from api.errors import TooManyTasks, Unavailable
from api.http.auth import caller
from api.http.idempotency import note_repeat
from api.http.request_ids import request_id, traceparent
from api.services import Services, current_services
from api.submit.append import append
from shared.codec import digest_ids, encode_chunk
from shared.errors import KeyUsed, StoreFull
from shared.idempotency import IdempotencyKey
from shared.model import Batch, Chunk
from shared.origin import Origin
from shared.partition.growth import TASK_BYTES, growth_of
from shared.partition.submissions import Submission, Submitted
from shared.partition.uploads import Upload
from shared.telemetry import metrics, spans

log = structlog.get_logger()

_TASKS_FULL = "Too many tasks are queued for this key."

#: ``Retry-After`` while the queue is full.
RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class Accepted:
    """The result of an accepted write."""

    catalog_key: str
    task_id: int
    #: How many more tasks may be queued.
    tasks_remaining: int
    #: The task is that of an earlier request with the same Idempotency-Key.
    repeated: bool

    @property
    def task_status_path(self) -> str:
        return f"/v1/tasks/{self.task_id}?key={self.catalog_key}"


def submit_batch(
    services: Services,
    catalog_key: str,
    batch: Batch,
    frames: Sequence[bytes] | Upload,
    *,
    growth: int,
    touched: bytes = b"",
    idempotency: IdempotencyKey | None = None,
) -> Accepted:
    """Submit a batch, whose chunks are given or staged in an upload, and send a wake-up if needed.

    ``growth`` is what its entries will take once they are applied.  A repeat with the same Idempotency-Key is answered
    with the task of the first, also while the queue is full.  Raises TooManyTasks if it is, Conflict if the key was
    used for another request, StoreFull if there is little room; nothing is stored then.
    """
    growth += TASK_BYTES
    services.admit(catalog_key, growth)
    submit = partial(
        services.tail(catalog_key).submit, batch, frames, growth=growth, touched=touched, idempotency=idempotency
    )
    nonce, may_mail = frames.nonce if isinstance(frames, Upload) else "", bool(batch.notification_emails)
    traced = spans.span("submit", parent=batch.origin.traceparent, catalog_key=catalog_key, entries=batch.entries)
    with traced as span, metrics.SUBMIT_SECONDS.time():
        submitted = append(services, catalog_key, submit, nonce=nonce, may_mail=may_mail)
        span.set(task_id=submitted.task_id, outcome=submitted.outcome)
    refuse(submitted)
    # REPEATED may also mean this very request, sent to the store twice.
    repeated = idempotency is not None and submitted.outcome is Submission.REPEATED
    _record_accepted(catalog_key, batch, submitted.task_id, repeated=repeated)
    return Accepted(catalog_key, submitted.task_id, submitted.tasks_remaining, repeated)


def _record_accepted(catalog_key: str, batch: Batch, task_id: int, *, repeated: bool) -> None:
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


def refuse_full_queue(services: Services, catalog_key: str) -> None:
    """Raise TooManyTasks if the queue is full already: there is no use in reading what would be refused."""
    if not services.tail(catalog_key).tasks_remaining():
        refusal = TooManyTasks(_TASKS_FULL, retry_after_s=RETRY_AFTER_S)
        refusal.headers["X-RateLimit-Tasks-Remaining"] = "0"
        raise refusal


def refuse(submitted: Submitted) -> None:
    """Raise the error of a refused submission; nothing is stored then."""
    match submitted.outcome:
        case Submission.TASKS_FULL:
            refusal = TooManyTasks(_TASKS_FULL, retry_after_s=RETRY_AFTER_S)
        case Submission.BYTES_FULL:
            refusal = TooManyTasks("Too many bytes are queued for this key.", retry_after_s=RETRY_AFTER_S)
        case Submission.STORE_FULL:
            raise StoreFull("no room for what waits to be applied, and for this")
        case Submission.UPLOAD_LOST:
            raise Unavailable("The batch was lost on its way to the store. Please try again.", retry_after_s=1)
        case Submission.CONFLICT:
            raise KeyUsed
        case _:
            return
    refusal.headers["X-RateLimit-Tasks-Remaining"] = str(submitted.tasks_remaining)
    raise refusal


def origin() -> Origin:
    """Return the origin of the current request."""
    return Origin(caller().as_submitter(), request_id(), traceparent())


def submit_request(batch: Batch, chunks: list[Chunk], *, idempotency: IdempotencyKey | None = None) -> Accepted:
    """Submit a batch of the current request; as `submit_batch`."""
    services = current_services()
    lean = services.memory.is_lean
    accepted = submit_batch(
        services,
        caller().catalog_key,
        batch,
        [encode_chunk(chunk) for chunk in chunks],
        growth=sum(growth_of(batch, chunk, lean=lean) for chunk in chunks),
        touched=digest_ids([entry_id for chunk in chunks for entry_id in chunk.ids]),
        idempotency=idempotency,
    )
    note_repeat(accepted.repeated)
    return accepted
