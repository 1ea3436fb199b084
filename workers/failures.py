"""Which entries make a task fail, gathered chunk by chunk in little memory.  Pure."""

from __future__ import annotations

from collections.abc import Mapping

from shared.codec import encode_report
from shared.errors import TaskFailed, Wrong
from shared.model import Batch, Chunk, Outcome

#: Ids that an error message names at most.
NAMED_IDS = 10
#: Reasons that a report spells out at most; it has an outcome for every entry anyway.
REASONS = 1000
#: Characters of a reason: it may name what a sender chose as long as a body.
REASON_LENGTH = 500


class Failures:
    """What is wrong with the entries of one task."""

    def __init__(self, batch: Batch) -> None:
        #: Of the first ones that are to blame.
        self._kind = batch.kind
        #: In the report of a failed task, whatever is not to blame was left out.
        self._marks = bytearray(Outcome.IGNORED.encode()) * batch.entries
        self._reasons: dict[int, str] = {}
        self._missing = 0
        self._missing_named: list[str] = []
        self._first_reason: str | None = None

    def add(self, batch: Batch, first: int, chunk: Chunk, wrong: Mapping[int, Wrong]) -> None:
        """Take in what is wrong with a chunk of a batch of one kind; ``first`` is the index of its first entry."""
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
        """Tell whether the task fails; entries that are skipped are no reason to."""
        return bool(self._missing or self._first_reason)

    def error(self) -> TaskFailed:
        """Say in one sentence why the task fails, and of every entry whether it is to blame."""
        return TaskFailed(self._text(), report=encode_report(bytes(self._marks), self._reasons))

    def _text(self) -> str:
        if self._first_reason:
            return self._first_reason
        more = self._missing - len(self._missing_named)
        return f"{self._kind.many} not found: {', '.join(self._missing_named)}" + (f" and {more} more" if more else "")


def failure(batch: Batch, chunk: Chunk, wrong: Mapping[int, Wrong]) -> TaskFailed:
    """Say why a batch of one chunk, or one chunk of a batch, cannot be applied."""
    found = Failures(batch)
    found.add(batch, 0, chunk, wrong)
    error = found.error()
    return TaskFailed(str(error), wrong=wrong, report=error.report)
