"""Submit, cancel and re-run: their results."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Submission(StrEnum):
    """Whether a batch was accepted, or why not."""

    ACCEPTED = "ACCEPTED"
    #: The same request was accepted before; the task is the one it became.
    REPEATED = "REPEATED"
    #: The Idempotency-Key was used for another request.
    CONFLICT = "CONFLICT"
    #: Another export of the catalog is queued or in progress; the task is that one.
    EXPORTING = "EXPORTING"
    TASKS_FULL = "TASKS_FULL"
    BYTES_FULL = "BYTES_FULL"
    #: The store lacks the memory for what this and all other waiting batches will become.
    STORE_FULL = "STORE_FULL"
    #: The staged upload is incomplete; nothing was stored.
    UPLOAD_LOST = "UPLOAD_LOST"


@dataclass(frozen=True, slots=True)
class Submitted:
    """The reply to a batch or an export."""

    outcome: Submission
    #: 0 if refused.
    task_id: int
    #: How many more tasks may be queued.
    tasks_remaining: int
    #: No worker drains, is awake or was notified lately: send a wake-up.
    ring: bool


class TaskChange(StrEnum):
    """A change of a task."""

    CANCEL = "CANCEL"
    RERUN = "RERUN"


@dataclass(frozen=True, slots=True)
class TasksChanged:
    """The result of a change of tasks."""

    #: Ids of the canceled and of the new tasks, in the order of the request.
    ids: list[int]
    #: As in Submitted.
    ring: bool
    #: The same request was accepted before, and these are its tasks.
    repeated: bool = False
