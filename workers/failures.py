"""Which entries make a task fail, gathered chunk by chunk in little memory.  Pure."""

from __future__ import annotations

from collections.abc import Mapping

from shared.codec import encode_report
from shared.errors import TaskFailed, Wrong
from shared.model import Batch, Outcome

#: Ids that an error message names at most.
NAMED_IDS = 10
#: Reasons that a report spells out at most; it has an outcome for every entry anyway.
REASONS = 1000
#: Characters of a reason: it may name what a sender chose as long as a body.
REASON_LENGTH = 500


class Failures:
    """What is wrong with the entries of one task."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        #: In the report of a failed task, whatever is not to blame was left out.
        self._marks = bytearray(Outcome.IGNORED.encode()) * batch.entries
        self._reasons: dict[int, str] = {}
        self._missing = 0
        self._missing_named: list[str] = []
        self._first_reason: str | None = None

    def add(self, first: int, wrong: Mapping[int, Wrong]) -> None:
        """Take in what is wrong with the entries of a chunk; ``first`` is the index of its first entry."""
        for index, (entry_id, reason) in wrong.items():
            if reason is None:
                self._marks[first + index : first + index + 1] = Outcome.MISSING.encode()
                self._missing += 1
                if len(self._missing_named) < NAMED_IDS:
                    self._missing_named.append(repr(entry_id))
                continue
            self._marks[first + index : first + index + 1] = Outcome.FAILED.encode()
            reason = reason[:REASON_LENGTH]
            self._first_reason = self._first_reason or f"{self._batch.kind.one} {entry_id!r}: {reason}"
            if len(self._reasons) < REASONS:
                self._reasons[first + index] = reason

    def __bool__(self) -> bool:
        return bool(self._missing or self._first_reason)

    def error(self) -> TaskFailed:
        """Say in one sentence why the task fails, and of every entry whether it is to blame."""
        return TaskFailed(self._text(), report=encode_report(bytes(self._marks), self._reasons))

    def _text(self) -> str:
        if self._first_reason:
            return self._first_reason
        more = self._missing - len(self._missing_named)
        return f"{self._batch.kind.many} not found: {', '.join(self._missing_named)}" + (
            f" and {more} more" if more else ""
        )


def failure(batch: Batch, wrong: Mapping[int, Wrong]) -> TaskFailed:
    """Say why a batch of one chunk, or one chunk of a batch, cannot be applied."""
    found = Failures(batch)
    found.add(0, wrong)
    error = found.error()
    return TaskFailed(str(error), wrong=wrong, report=error.report)
