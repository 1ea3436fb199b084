"""The history of an entry: each task that touched it, the outcome, and what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from api.history.sent_entries import SentEntries, SentEntry
from api.history.states import Changes, Deed, changes_of, is_anchor
from api.services import current_services
from shared.model import Batch, Kind, Status
from shared.tasks.entry_history import MOST, History, Touch
from shared.tasks.payloads import PayloadGone
from shared.tasks.records import Task
from shared.tasks.reports import EntryOutcome
from shared.tasks.search import TaskQuery

#: Tasks on one page of a history; each costs a read of its payload.
PAGE = 20
#: Bytes of what was sent and of changes on one page, which has one task at least.
SHOWN_BYTES = 1024 * 1024
#: Earlier tasks that are read to work out what those on the page changed.
EARLIER = 10
#: Times that a search looks for more, if few of the tasks that touched the entry are what is looked for.
LOOKS = 10
EVERYTHING = TaskQuery()


@dataclass(frozen=True, slots=True)
class HistoryStep:
    """One task's part in the history of an entry."""

    task: Task
    #: None while it waits.
    outcome: EntryOutcome | None
    reason: str | None
    #: As it was sent; None if the payload is no longer kept, or the batch did not name the entry.
    sent: SentEntry | None
    #: The batch did not name it: it was deleted or written together with its item.
    also: bool
    #: What the task changed; None where it cannot be told, or was not asked for.
    changes: Changes | None = None

    @property
    def deed(self) -> Deed:
        """What the task did, as far as it was applied."""
        sent = None if self.sent is None else self.sent.text
        return Deed(self.task.batch, self.outcome, sent, along=self.also and self.task.status is Status.DONE)

    @property
    def size(self) -> int:
        """The bytes that it shows."""
        return (self.changes.size if self.changes else 0) + (len(self.sent.text) if self.sent else 0)


@dataclass(frozen=True, slots=True)
class EntryHistory:
    lines: list[HistoryStep]
    #: Go on from before this task; None: that was all.
    before: int | None
    #: The tasks that touched it by status, whatever statuses were asked for, as far as they were looked at.
    by_status: dict[Status, int]


def entry_history(
    catalog_key: str, entry_id: str, *, kind: Kind | None = None, section: str | None = None, before: int | None = None,
    query: TaskQuery = EVERYTHING, size: int = PAGE,
) -> EntryHistory:  # fmt: skip
    """Read a page of the history of an entry, newest first; of every kind and section, unless one is named.

    It has ``size`` tasks, or fewer if these show more than SHOWN_BYTES.
    What each task changed is told of one kind and section, and of all tasks only.
    """
    history, tasks = History(current_services().client, catalog_key), current_services().tasks(catalog_key)
    pairs: list[tuple[Touch, Task]] = []
    of_any_status, by_status = replace(query, where=replace(query.where, statuses=None)), dict.fromkeys(Status, 0)
    for _ in range(LOOKS):
        touches = history.find(entry_id, before=before)
        found = tasks.get_many([touch.task_id for touch in touches])
        for touch, task in zip(touches, found, strict=True):
            if task is not None and is_of(task, touch, kind, section) and of_any_status.fits(task):
                by_status[task.status] += 1
                if query.fits(task):
                    pairs.append((touch, task))
        before = touches[-1].task_id if len(touches) == MOST else None
        if before is None or len(pairs) > size + EARLIER:
            break
    lines, read = _lines(catalog_key, entry_id, pairs[:size])
    if kind is not None and query is EVERYTHING:
        lines = _with_changes(catalog_key, entry_id, lines, pairs[read:])
    shown = _fitting(lines)
    if shown < len(lines):
        return EntryHistory(lines[:shown], lines[shown - 1].task.id, by_status)
    return EntryHistory(lines, pairs[read - 1][1].id if read < len(pairs) else before, by_status)


def _lines(catalog_key: str, entry_id: str, pairs: Sequence[tuple[Touch, Task]]) -> tuple[list[HistoryStep], int]:
    """Read what tasks did, until that is a page, with the number of tasks that were read."""
    lines: list[HistoryStep] = []
    left = SHOWN_BYTES
    for read, (touch, task) in enumerate(pairs, 1):
        if line := _line(catalog_key, entry_id, touch, task):
            lines.append(line)
            left -= line.size
            if left < 0:
                return lines, read
    return lines, len(pairs)


def _fitting(lines: Sequence[HistoryStep]) -> int:
    """Count the first lines that are a page."""
    sizes = accumulate(line.size for line in lines)
    return max(1, sum(size <= SHOWN_BYTES for size in sizes)) if lines else 0


def _with_changes(
    catalog_key: str, entry_id: str, lines: list[HistoryStep], earlier: Sequence[tuple[Touch, Task]]
) -> list[HistoryStep]:
    """Add what each task changed, with the help of earlier ones where those of the page do not say what was before."""
    deeds = [line.deed for line in lines]
    is_begun = not deeds or deeds[-1].outcome is EntryOutcome.CREATED
    for touch, task in () if is_begun else earlier[:EARLIER]:
        if line := _line(catalog_key, entry_id, touch, task):
            deeds.append(line.deed)
            if is_anchor(line.deed):
                break
    changes = changes_of(reversed(deeds))[::-1]
    return [replace(line, changes=each) for line, each in zip(lines, changes, strict=False)]


def is_of(task: Task, touch: Touch, kind: Kind | None, section: str | None) -> bool:
    if section is not None and kind is not Kind.ITEM_GROUPS and task.batch.section != section:
        return False
    return kind is None or kind in _touched(task.batch, touch)


def _touched(batch: Batch, touch: Touch) -> tuple[Kind, ...]:
    """Name the kinds that an entry may be of which a batch touched."""
    if touch.index is not None:
        return (batch.kind_of_entry(touch.index),)
    # What a batch of items does beside is done to variations; what files leave out is of any of their kinds.
    return (Kind.VARIATIONS,) if batch.kinds == (Kind.ITEMS,) and not batch.operation.builds else batch.kinds


def _line(catalog_key: str, entry_id: str, touch: Touch, task: Task) -> HistoryStep | None:
    """Read a task's part in the history; None if its digest belongs to another entry."""
    if touch.index is None:
        return HistoryStep(task, None, None, None, also=True)
    try:
        sent = SentEntries(current_services().payloads(catalog_key), task).one(touch.index)
    except PayloadGone:
        sent = None
    if sent is not None and sent.id != entry_id:
        return None
    reported = current_services().reports(catalog_key).page(task, only=None, offset=touch.index, size=1).entries
    outcome, reason = (reported[0].outcome, reported[0].reason) if reported else (None, None)
    return HistoryStep(task, outcome, reason, sent, also=False)
