"""What is asked at the tail of a partition, and the answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Submission(StrEnum):
    """What became of a batch at the door of the store."""

    ACCEPTED = "ACCEPTED"
    #: The same request was accepted before: the task is that one.
    REPEATED = "REPEATED"
    #: The Idempotency-Key was used for another request.
    CONFLICT = "CONFLICT"
    #: Another export of the catalog waits or runs: the task is that one.
    EXPORTING = "EXPORTING"
    TASKS_FULL = "TASKS_FULL"
    BYTES_FULL = "BYTES_FULL"
    #: What was staged is not whole; nothing was stored.
    UPLOAD_LOST = "UPLOAD_LOST"


@dataclass(frozen=True, slots=True)
class Submitted:
    outcome: Submission
    #: 0 if refused.
    task_id: int
    #: How many more tasks may wait.
    tasks_remaining: int
    #: Nobody drains, goes through the backlog or rang lately: the caller should.
    ring: bool


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's name for a request, and a digest of what the request says."""

    scope_digest: str
    request_digest: str


class Change(StrEnum):
    CANCEL = "CANCEL"
    RERUN = "RERUN"
