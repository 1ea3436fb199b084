"""Hand a checked batch to its partition and say which task it became."""

from __future__ import annotations

import contextlib
from typing import Any

from flask import Response

from api.accepting import Accepted, hand_over
from api.auth import caller
from api.pages import answer_json
from api.services import services
from api.task_views import show
from api.tracing import request_id, traceparent
from shared.codec import digest_ids, encode_chunk, encode_json
from shared.errors import StoreUnavailable
from shared.model import Batch, Chunk
from shared.submissions import IdempotencyKey


def submit(
    batch: Batch, chunks: list[Chunk], *, idempotency: IdempotencyKey | None = None, wait_s: int | None = None
) -> Response:
    """Submit a batch as `accept` does, and answer with the id of its task.

    The task itself comes along if it was to be waited for, ended or not.
    """
    return answer_accepted(accept(batch, chunks, idempotency=idempotency), wait_s)


def answer_accepted(accepted: Accepted, wait_s: int | None) -> Response:
    """Answer with the id of a task, and after a wait with the task."""
    said: dict[str, Any] = {"task_id": accepted.task_id, "task_status_path": accepted.task_status_path}
    if wait_s is not None:
        said |= _waited_for(accepted.task_id, wait_s)
    answer = answer_json(encode_json(said))
    answer.headers["X-RateLimit-Tasks-Remaining"] = str(accepted.tasks_remaining)
    if accepted.repeated:
        answer.headers["Idempotency-Replayed"] = "true"
    return answer


def origin() -> dict[str, Any]:
    """Say where a batch comes from that the present request brings, as the members of a Batch."""
    return {"submitter": caller().as_submitter(), "request_id": request_id(), "traceparent": traceparent()}


def accept(batch: Batch, chunks: list[Chunk], *, idempotency: IdempotencyKey | None = None) -> Accepted:
    """Submit a batch of the present request, as `hand_over`; raises as that."""
    return hand_over(
        services(),
        caller().catalog_key,
        batch,
        [encode_chunk(chunk) for chunk in chunks],
        touched=digest_ids([entry_id for chunk in chunks for entry_id in chunk.ids]),
        idempotency=idempotency,
    )


def _waited_for(task_id: int, wait_s: int) -> dict[str, Any]:
    tools = services()
    # The batch is accepted: with the store away from here on, its sender must still learn so.
    with contextlib.suppress(StoreUnavailable):
        task = tools.waiters.wait_for_end(tools.tasks(caller().catalog_key), task_id, wait_s)
        if task is not None:
            return {"task": show(task)[0]}
    return {}
