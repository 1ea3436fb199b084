"""Respond to a write with its task."""

from __future__ import annotations

import contextlib
from typing import Any

from flask import Response

from api.http.auth import caller
from api.http.responses import answer_json
from api.services import current_services
from api.submit.submit import Accepted, submit_request
from api.tasks.render import show
from shared.codec import encode_json
from shared.errors import StoreUnavailable
from shared.idempotency import IdempotencyKey
from shared.model import Batch, Chunk


def submit(
    batch: Batch, chunks: list[Chunk], *, idempotency: IdempotencyKey | None = None, wait_s: int | None = None
) -> Response:
    """Submit a batch as `submit_request`, and respond with the id of its task.

    With a ``wait``, the response has the task itself too, ended or not.
    """
    return answer_accepted(submit_request(batch, chunks, idempotency=idempotency), wait_s)


def answer_accepted(accepted: Accepted, wait_s: int | None) -> Response:
    """Respond with the id of a task, and after a wait with the task itself."""
    body: dict[str, Any] = {"task_id": accepted.task_id, "task_status_path": accepted.task_status_path}
    if wait_s is not None and (task := show_accepted(accepted.task_id, wait_s)):
        body["task"] = task
    answer = answer_json(encode_json(body))
    answer.headers["X-RateLimit-Tasks-Remaining"] = str(accepted.tasks_remaining)
    return answer


def show_accepted(task_id: int, wait_s: int = 0) -> dict[str, Any]:
    """Show a task that was just accepted, as it is after a wait; empty if the store is away by now.

    Its sender must learn that it was accepted in any case.
    """
    with contextlib.suppress(StoreUnavailable):
        task = current_services().wait_for_task(caller().catalog_key, task_id, wait_s)
        if task is not None:
            return show(task)[0]
    return {}
