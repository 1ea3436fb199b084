"""Submit a V1 write and wait for its result."""

from __future__ import annotations

from flask import Response, after_this_request

from api.errors import Conflict, StillQueued
from api.http.auth import caller
from api.services import current_services
from api.submit.submit import submit_request
from api.waiters import MAX_WAIT_S
from shared.errors import StoreUnavailable
from shared.idempotency import IdempotencyKey
from shared.model import TERMINAL, Batch, Chunk, Status
from shared.tasks.records import Task

#: The header that names the task, whatever became of it.
TASK_ID = "X-Task-Id"
#: Seconds that a write waits even if too many wait already: most are applied in a hundredth of that.
STANDING_S = 0.5


def submit_and_wait(
    batch: Batch, chunks: list[Chunk], *, idempotency: IdempotencyKey | None = None, wait_s: int | None = None
) -> Task:
    """Submit a batch and return its task when it has ended, DONE or FAILED.

    Waits up to ``wait_s``, or MAX_WAIT_S.  A header of the response names the task.  Raises StillQueued if the time is
    up, Conflict if the task was canceled, and whatever `submit_request` raises.
    """
    services, accepted = current_services(), submit_request(batch, chunks, idempotency=idempotency)
    _name_task(accepted.task_id)
    seconds = MAX_WAIT_S if wait_s is None else wait_s
    try:
        task = services.wait_for_task(caller().catalog_key, accepted.task_id, seconds, standing_s=STANDING_S)
    except StoreUnavailable:
        task = None  # the batch is accepted: its sender must learn that
    if task is None or task.status not in TERMINAL:
        raise StillQueued(accepted.task_id, accepted.task_status_path)
    if task.status is Status.CANCELED:
        raise Conflict(f"Task {task.id}, which this write became, was canceled.")
    return task


def _name_task(task_id: int) -> None:
    @after_this_request
    def name(response: Response) -> Response:
        response.headers[TASK_ID] = str(task_id)
        return response


def refuse_failed(task: Task) -> None:
    """Raise Conflict, with the task's error, if it FAILED: the write is valid but conflicts with existing entries."""
    if task.status is Status.FAILED:
        raise Conflict(f"{task.error} (task {task.id})")
