"""Reports: the outcome of every entry of a task."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from shared.codec import decode_report
from shared.errors import TaskNotFound
from shared.keys import CatalogKeys
from shared.model import TERMINAL, Chunk, Operation, Outcome, Skipped, Status
from shared.store import scripts
from shared.store.client import Store
from shared.tasks.payloads import EntryFinder, PayloadGone, Payloads
from shared.tasks.records import Task, Tasks


class EntryOutcome(StrEnum):
    """The outcome of an entry, as shown to users."""

    CREATED = "created"
    UPDATED = "updated"
    #: Sent as it is stored, or a PATCH that changes nothing.
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    #: Left out; the reason says why.
    IGNORED = "ignored"
    #: Broke the rules, or made the whole task fail.
    FAILED = "failed"


_SHOWN = {
    Outcome.CREATED: EntryOutcome.CREATED,
    Outcome.UPDATED: EntryOutcome.UPDATED,
    Outcome.UNCHANGED: EntryOutcome.UNCHANGED,
    Outcome.DELETED: EntryOutcome.DELETED,
    Outcome.IGNORED: EntryOutcome.IGNORED,
    Outcome.FAILED: EntryOutcome.FAILED,
    Outcome.MISSING: EntryOutcome.FAILED,
}


def shown_outcome(outcome: Outcome) -> EntryOutcome:
    """Convert a stored outcome to the one shown to users."""
    return _SHOWN[outcome]


NOT_FOUND = "its id does not exist"
FOUND = "its id exists already"
REPLACED = "a later entry of the batch has the same id"
OTHERS_FAILED = "other entries made the task fail; nothing of it was applied"
CANCELED = "the task was canceled"


@dataclass(frozen=True, slots=True)
class ReportedEntry:
    """One line of a report."""

    #: Place in the batch, from 0.
    index: int
    #: None once the payload is no longer kept.
    id: str | None
    outcome: EntryOutcome
    #: For entries that were left out or failed, if known.
    reason: str | None


@dataclass(frozen=True, slots=True)
class ReportPage:
    entries: list[ReportedEntry]
    #: Of all pages.
    total: int
    #: Counts whatever the filter is; has all outcomes.
    by_outcome: dict[EntryOutcome, int]


class Reports:
    """The reports of one catalog.  Every call raises StoreUnavailable."""

    def __init__(self, client: Store, catalog_key: str) -> None:
        self._client = client
        self._keys = CatalogKeys(catalog_key)
        self._tasks = Tasks(client, catalog_key)
        self._payloads = Payloads(client, catalog_key)

    def page(self, task: Task, *, only: EntryOutcome | None, offset: int, size: int) -> ReportPage:
        """Read a page of the entries that have an outcome, in the order of the batch.

        A task that waits has none yet, one that runs has those of its first entries, one that has ended has all.
        Raises TaskNotFound if the task was deleted since it was read.
        """
        [stored] = scripts.run(self._client, ("GET", self._keys.report(task.id)))
        if not stored and task.status is Status.DONE and task.batch.entries and self._tasks.get(task.id) is None:
            raise TaskNotFound(f"task {task.id} not found")
        marks, reasons = decode_report(stored or _unwritten(task), task.batch.entries)
        if len(marks) == task.batch.entries and task.status not in TERMINAL:
            task = self._tasks.get(task.id) or task  # it has ended meanwhile
        by_outcome = dict.fromkeys(EntryOutcome, 0)
        for outcome, shown in _SHOWN.items():
            by_outcome[shown] += marks.count(outcome.encode())
        finder = EntryFinder(self._payloads, task)
        indexes = _indexes(marks, only, offset, size)
        # Without a report, a task that failed as a whole has one reason for all.
        lines = [
            _line(task, index, Outcome(chr(marks[index])), reasons.get(index) if stored else task.error, finder)
            for index in indexes
        ]
        return ReportPage(lines, len(marks) if only is None else by_outcome[only], by_outcome)

    def marks(self, task: Task) -> bytes:
        """Read the outcomes of all entries, one byte each; of a task that runs, those of its first entries."""
        [stored] = scripts.run(self._client, ("GET", self._keys.report(task.id)))
        return decode_report(stored or _unwritten(task), task.batch.entries)[0]


def _unwritten(task: Task) -> bytes:
    """Build the report of a task that ended without one: all entries have the same outcome."""
    alike = {Status.FAILED: Outcome.FAILED, Status.CANCELED: Outcome.IGNORED}.get(task.status)
    return alike.encode() * task.batch.entries if alike else b""


def _indexes(marks: bytes, only: EntryOutcome | None, offset: int, size: int) -> Iterable[int]:
    if only is None:
        return range(len(marks))[offset : offset + size]
    wanted = "".join(outcome for outcome, shown in _SHOWN.items() if shown is only)
    found = re.finditer(b"[%s]" % wanted.encode(), marks)
    return (match.start() for match in islice(found, offset, offset + size))


def _line(task: Task, index: int, outcome: Outcome, reason: str | None, finder: EntryFinder) -> ReportedEntry:
    try:
        chunk, at = finder.find(index)
    except PayloadGone:
        return ReportedEntry(index, None, _SHOWN[outcome], reason or _reason_by_status(task, outcome))
    skipped = _skipped(chunk, at)
    if reason is None:
        reason = skipped.message if skipped else _reason_by_status(task, outcome)
    if reason is None and outcome is Outcome.IGNORED:
        left_out = FOUND if task.batch.operation is Operation.ADD else NOT_FOUND
        reason = REPLACED if at in chunk.superseded else left_out
    return ReportedEntry(index, skipped.id if skipped else chunk.ids[at], _SHOWN[outcome], reason)


def _skipped(chunk: Chunk, at: int) -> Skipped | None:
    place = bisect_left(chunk.skipped, at, key=lambda skipped: skipped.at)
    found = chunk.skipped[place : place + 1]
    return found[0] if found and found[0].at == at else None


def _reason_by_status(task: Task, outcome: Outcome) -> str | None:
    """Return the reason for which an entry was left out or failed, as far as the task's status tells."""
    match outcome, task.status:
        case Outcome.MISSING, _:
            return NOT_FOUND
        case Outcome.IGNORED, Status.FAILED:
            return OTHERS_FAILED
        case Outcome.IGNORED, Status.CANCELED:
            return CANCELED
    return None
