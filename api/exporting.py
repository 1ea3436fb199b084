"""Ask for an export."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from api.accepting import RETRY_AFTER_S
from api.errors import TooManyTasks
from api.services import Services
from shared.codec import encode_chunk
from shared.model import NO_SECTION, Batch, CatalogPart, Chunk, Export, Kind, Operation, Submitter
from shared.partitions import new_nonce
from shared.submissions import Submission

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of the wish."""

    task_id: int
    #: The task is that of an earlier wish, and has not ended.
    repeated: bool
    #: How many more tasks may wait.
    tasks_remaining: int


def make_export(
    part: CatalogPart,
    section: str,
    since: datetime | None,
    *,
    request_bytes: int,
    submitter: Submitter,
    request_id: str = "",
    traceparent: str = "",
) -> Batch:
    """Describe an export; a moment without an offset is UTC."""
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    kind = part.kinds[0]
    return Batch(
        kind=kind,
        operation=Operation.EXPORT,
        section=NO_SECTION if kind is Kind.ITEM_GROUPS else section,
        entries=0,
        bytes=request_bytes,
        chunks=1,
        export=Export(part, None if since is None else int(since.timestamp() * 1000)),
        submitter=submitter,
        request_id=request_id,
        traceparent=traceparent,
    )


def request_export(tools: Services, catalog_key: str, batch: Batch, request: bytes) -> Asked:
    """Submit an export and ring if nobody drains; if one has not ended yet, that one is the answer.

    Raises TooManyTasks or StoreFull.  The request is kept as the task's payload.
    """
    tools.admit()
    now_ms = tools.clock()
    submitted = tools.exports(catalog_key).submit(
        batch,
        encode_chunk(Chunk(request, [], array("I"))),
        now_ms=now_ms,
        nonce=new_nonce(),
        before=tools.backlog.before_submit(catalog_key, now_ms),
        after=tools.backlog.after_submit(catalog_key, now_ms),
    )
    if submitted.ring:
        tools.bell.ring(catalog_key)
    if submitted.outcome is Submission.TASKS_FULL:
        refusal = TooManyTasks("Too many tasks are queued for this key.", retry_after_s=RETRY_AFTER_S)
        refusal.headers["X-RateLimit-Tasks-Remaining"] = str(submitted.tasks_remaining)
        raise refusal
    asked = Asked(submitted.task_id, submitted.outcome is Submission.EXPORTING, submitted.tasks_remaining)
    _tell(catalog_key, batch, asked)
    return asked


def _tell(catalog_key: str, batch: Batch, asked: Asked) -> None:
    facts: dict[str, Any] = {"part": batch.export.part} if batch.export else {}
    log.info(
        "export has not ended yet" if asked.repeated else "export accepted",
        action="submit",
        catalog_key=catalog_key,
        task_id=asked.task_id,
        section=batch.section,
        **facts,
    )
