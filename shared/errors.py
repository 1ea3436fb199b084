"""Errors, grouped by what the caller should do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class SluiceError(Exception):
    """The base of all errors of Sluice."""


class TryAgain(SluiceError):
    """Nothing is wrong with the request; the same call may succeed later."""

    #: Seconds to wait before the next attempt, at least.
    retry_after_s: int = 1


class StoreUnavailable(TryAgain):
    """Redis cannot be reached, is loading, or did not answer in time."""


class OtherRun(StoreUnavailable):
    """The store's server was restarted since this catalog's last task id; nothing was changed."""

    def __init__(self, run: str) -> None:
        super().__init__("the store was restarted just now")
        self.run = run


class StoreFull(TryAgain):
    """Redis has no memory left for new batches; its data is safe."""

    retry_after_s = 10


class RecordTooNew(TryAgain):
    """A newer Sluice wrote a task's record, which this one would misread."""

    def __init__(self) -> None:
        super().__init__("this task was written by a newer version of Sluice, and this process is not upgraded yet")


class UploadLost(TryAgain):
    """An upload is incomplete; nothing of it was stored."""


class EntryFailure(NamedTuple):
    """An entry that makes its task fail."""

    id: str
    #: None: its id does not exist.
    reason: str | None


class TaskFailed(SluiceError):
    """The data of a task cannot be applied: the task ends as FAILED, with nothing applied.

    Its text becomes the task's error message.  If single entries are at fault, ``wrong`` has them by their index in the
    chunk, or ``report`` is the stored report of the whole batch.
    """

    def __init__(
        self,
        message: str,
        *,
        wrong: Mapping[int, EntryFailure] | None = None,
        report: bytes = b"",
        planned: bytes = b"",
    ) -> None:
        """``planned``: what the task would change, as JSON, if a guard stopped it."""
        super().__init__(message)
        self.planned = planned
        self.wrong = wrong or {}
        self.report = report


class TaskNotFound(SluiceError):
    """The catalog has no task with this id, or no longer."""


class KeyUsed(SluiceError):
    """The Idempotency-Key was used for another request."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another request.")


class CredentialEnded(SluiceError):
    """The credential was revoked or has expired, so there is nothing to rotate."""


class TaskConflict(SluiceError):
    """The task is in a state that does not allow the change."""


class NotStuck(SluiceError):
    """The partition is not stuck, so there is nothing to decide."""


class Misconfigured(SluiceError):
    """The process cannot start with its configuration; the text says what to change."""


class BadSetting(Misconfigured):
    """A setting is invalid."""
