"""What can go wrong, by what the caller should do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class SluiceError(Exception):
    """The base of all errors of Sluice."""


class TryAgain(SluiceError):
    """Nothing is wrong with the request; the same call may succeed later."""

    #: Seconds a caller should wait at least.
    retry_after_s: int = 1


class StoreUnavailable(TryAgain):
    """Redis cannot be reached, is loading, or did not answer in time."""


class OtherRun(StoreUnavailable):
    """The store's server was started again since this catalog's last task id; nothing was changed."""

    def __init__(self, run: str) -> None:
        super().__init__("the store was started again just now")
        self.run = run


class StoreFull(TryAgain):
    """Redis has no memory left for new batches; what it holds is safe."""

    retry_after_s = 10


class RecordTooNew(TryAgain):
    """A newer Sluice wrote a task's record, which this one would misread: left to those that can read it."""

    def __init__(self) -> None:
        super().__init__("this task was written by a newer version of Sluice, and this process is not upgraded yet")


class UploadLost(TryAgain):
    """An upload is not whole any more; nothing of it was stored."""


class Wrong(NamedTuple):
    """An entry that makes its task fail."""

    id: str
    #: None: its id is not there.
    reason: str | None


class TaskFailed(SluiceError):
    """The data of a task makes it impossible to apply: the task ends as FAILED, nothing of it applied.

    Its text becomes the task's error message.  Where single entries are to blame, ``wrong`` has them by their index in
    the chunk, or ``report`` says it for the whole batch, as it is stored.
    """

    def __init__(self, message: str, *, wrong: Mapping[int, Wrong] | None = None, report: bytes = b"") -> None:
        super().__init__(message)
        self.wrong = wrong or {}
        self.report = report


class TaskNotFound(SluiceError):
    """There is no task of that id in this catalog, or no longer."""


class TaskConflict(SluiceError):
    """The task is in a state that does not allow the change."""


class NotStuck(SluiceError):
    """Nothing is to be decided: the partition's workers get on, or wait for nothing but each other."""


class Misconfigured(SluiceError):
    """The process cannot start as it is set up; the text says what to change."""


class BadSetting(Misconfigured):
    """A setting does not parse."""
