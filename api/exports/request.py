"""Ask for an export."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog

from api.services import Services
from api.submit.append import append
from api.submit.submit import refuse
from shared.codec import encode_chunk
from shared.files.file_format import FileFormat
from shared.idempotency import IdempotencyKey
from shared.model import NO_SECTION, Batch, CatalogPart, Chunk, Export, Kind, Operation
from shared.origin import Origin
from shared.partition.submissions import Submission

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RequestedExport:
    """The task of an export."""

    task_id: int
    #: The task is that of another request, and has not ended.
    busy: bool
    #: The same request was accepted before, with the same Idempotency-Key, and became the task.
    repeated: bool
    #: How many more tasks may wait.
    tasks_remaining: int


def make_export(
    part: CatalogPart,
    section: str,
    since: datetime | None,
    form: FileFormat,
    *,
    request_bytes: int,
    origin: Origin,
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
        export=Export(part, None if since is None else int(since.timestamp() * 1000), form),
        origin=origin,
    )


def request_export(
    services: Services, catalog_key: str, batch: Batch, request: bytes, idempotency: IdempotencyKey | None = None
) -> RequestedExport:
    """Submit an export and ring if nobody drains; if one has not ended yet, that one is the answer.

    Raises TooManyTasks, KeyUsed or StoreFull.  The request is kept as the task's payload.
    """
    services.admit(catalog_key)
    frame = encode_chunk(Chunk(request, [], array("I")))
    submit = partial(services.exports(catalog_key).submit, batch, frame, idempotency=idempotency)
    submitted = append(services, catalog_key, submit)
    refuse(submitted)
    requested = RequestedExport(
        submitted.task_id,
        submitted.outcome is Submission.EXPORTING,
        idempotency is not None and submitted.outcome is Submission.REPEATED,
        submitted.tasks_remaining,
    )
    _record_requested(catalog_key, batch, requested)
    return requested


def _record_requested(catalog_key: str, batch: Batch, requested: RequestedExport) -> None:
    facts: dict[str, Any] = {"part": batch.export.part} if batch.export else {}
    log.info(
        "export has not ended yet" if requested.busy else "export accepted",
        action="submit",
        catalog_key=catalog_key,
        task_id=requested.task_id,
        section=batch.section,
        **facts,
    )
