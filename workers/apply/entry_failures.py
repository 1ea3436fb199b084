"""Collect the entries that make a task fail, chunk by chunk, in little memory.  Pure."""

from __future__ import annotations

from collections.abc import Mapping

from shared.codec import encode_report
from shared.errors import EntryFailure, TaskFailed
from shared.model import Batch, Chunk, Outcome

#: Most ids named in an error message.
NAMED_IDS = 10
#: Most reasons in a report; it has an outcome for every entry anyway.
REASONS = 1000
#: Most characters of a reason: a sender may choose names as long as a body.
REASON_LENGTH = 500


class EntryFailures:
    """The failed entries of one task."""

    def __init__(self, batch: Batch) -> None:
        #: Kind of the first failed entries.
        self._kind = batch.kind
        #: In the report of a failed task, all other entries are ignored.
        self._marks = bytearray(Outcome.IGNORED.encode()) * batch.entries
        self._reasons: dict[int, str] = {}
        self._missing = 0
        self._missing_named: list[str] = []
        self._first_reason: str | None = None

    def add(self, batch: Batch, first: int, chunk: Chunk, wrong: Mapping[int, EntryFailure]) -> None:
        """Add the failures of a chunk of a batch of one kind; ``first`` is the index of its first entry."""
        for skipped in chunk.skipped:
            self._blame(first + skipped.at, Outcome.FAILED, skipped.message)
        if wrong and not self:
            self._kind = batch.kind
        for index, (entry_id, reason) in wrong.items():
            if reason is None:
                self._blame(first + index, Outcome.MISSING, None)
                self._missing += 1
                if len(self._missing_named) < NAMED_IDS:
                    self._missing_named.append(repr(entry_id))
            else:
                self._blame(first + index, Outcome.FAILED, reason)
                if self._first_reason is None:
                    self._first_reason = f"{batch.kind.one} {entry_id!r}: {reason[:REASON_LENGTH]}"

    def _blame(self, index: int, outcome: Outcome, reason: str | None) -> None:
        self._marks[index : index + 1] = outcome.encode()
        if reason is not None and len(self._reasons) < REASONS:
            self._reasons[index] = reason[:REASON_LENGTH]

    def __bool__(self) -> bool:
        """Return whether the task fails; skipped entries do not make it fail."""
        return bool(self._missing or self._first_reason)

    def error(self) -> TaskFailed:
        """Build the error: one sentence about the task, and the failed entries."""
        return TaskFailed(self._text(), report=encode_report(bytes(self._marks), self._reasons))

    def _text(self) -> str:
        if self._first_reason:
            return self._first_reason
        more = self._missing - len(self._missing_named)
        return f"{self._kind.many} not found: {', '.join(self._missing_named)}" + (f" and {more} more" if more else "")


def failure(batch: Batch, chunk: Chunk, wrong: Mapping[int, EntryFailure]) -> TaskFailed:
    """Build the error of a batch with one chunk, or of one chunk of a batch."""
    found = EntryFailures(batch)
    found.add(batch, 0, chunk, wrong)
    error = found.error()
    return TaskFailed(str(error), wrong=wrong, report=error.report)
