"""Writes of V1: submitted as any other, then waited for, so that the answer says what came of them."""

from __future__ import annotations

from api.auth import caller
from api.errors import Conflict, StillQueued
from api.services import services
from api.submitting import accept
from api.waiting import MAX_WAIT_S
from shared.errors import StoreUnavailable
from shared.model import TERMINAL, Batch, Chunk, Status
from shared.submissions import IdempotencyKey
from shared.tasks import Task

#: Seconds that a write waits although too many wait already: most are applied in a hundredth of that.
STANDING_S = 0.5


def submit_and_wait(
    batch: Batch, chunks: list[Chunk], *, idempotency: IdempotencyKey | None = None, wait_s: int | None = None
) -> Task:
    """Submit a batch and return its task once that has ended, DONE or FAILED.

    It waits ``wait_s``, or MAX_WAIT_S.  Raises StillQueued if the time is up before, Conflict if the task was canceled,
    and what `accept` raises.
    """
    tools, accepted = services(), accept(batch, chunks, idempotency=idempotency)
    seconds = MAX_WAIT_S if wait_s is None else wait_s
    try:
        tasks = tools.tasks(caller().catalog_key)
        task = tools.waiters.wait_for_end(tasks, accepted.task_id, seconds, standing_s=STANDING_S)
    except StoreUnavailable:
        task = None  # the batch is accepted: its sender must learn so
    if task is None or task.status not in TERMINAL:
        raise StillQueued(accepted.task_id, accepted.task_status_path)
    if task.status is Status.CANCELED:
        raise Conflict(f"Task {task.id}, which this write became, was canceled.")
    return task


def refuse_failed(task: Task) -> None:
    """Raise Conflict, with the task's error, if it FAILED: right in itself, the write did not fit what was there."""
    if task.status is Status.FAILED:
        raise Conflict(f"{task.error} (task {task.id})")
