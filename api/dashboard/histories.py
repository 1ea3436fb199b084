"""What happened to an entry: each task that touched it, what came of it there, and what was sent."""

from __future__ import annotations

from dataclasses import dataclass

from api.dashboard.sent_entries import SentEntries, SentEntry
from api.services import services
from shared.history import History, Touch
from shared.model import Batch, Kind
from shared.payloads import PayloadGone
from shared.reports import EntryOutcome
from shared.task_search import TaskQuery
from shared.tasks import Task

#: Tasks on one page of a history: each costs a look into its payload.
PAGE = 20
EVERYTHING = TaskQuery()


@dataclass(frozen=True, slots=True)
class Line:
    """One task's part in the history of an entry."""

    task: Task
    #: None while it waits.
    outcome: EntryOutcome | None
    reason: str | None
    #: As it was sent; None if the payload is no longer kept, or the batch did not name the entry.
    sent: SentEntry | None
    #: The batch did not name it: it was deleted or written together with its item.
    also: bool


@dataclass(frozen=True, slots=True)
class EntryHistory:
    lines: list[Line]
    #: Go on from before this task; None: that was all.
    before: int | None


def entry_history(
    catalog_key: str, entry_id: str, *, kind: Kind | None = None, section: str | None = None, before: int | None = None,
    query: TaskQuery = EVERYTHING,
) -> EntryHistory:  # fmt: skip
    """Read a page of the history of an entry, newest first; of every kind and section, unless one is named."""
    touches = History(services().client, catalog_key).find(entry_id)
    found = services().tasks(catalog_key).get_many([touch.task_id for touch in touches])
    pairs = [
        (touch, task)
        for touch, task in zip(touches, found, strict=True)
        if task is not None
        and (before is None or task.id < before)
        and _is_of(task, touch, kind, section)
        and query.fits(task)
    ]
    lines = [line for touch, task in pairs[:PAGE] if (line := _line(catalog_key, entry_id, touch, task))]
    return EntryHistory(lines, pairs[PAGE - 1][1].id if len(pairs) > PAGE else None)


def _is_of(task: Task, touch: Touch, kind: Kind | None, section: str | None) -> bool:
    if section is not None and kind is not Kind.ITEM_GROUPS and task.batch.section != section:
        return False
    return kind is None or kind in _touched(task.batch, touch)


def _touched(batch: Batch, touch: Touch) -> tuple[Kind, ...]:
    """Name the kinds that an entry may be of which a batch touched."""
    if touch.index is not None:
        return (batch.kind_of_entry(touch.index),)
    # What a batch of items does beside is done to variations; what files leave out is of any of their kinds.
    return (Kind.VARIATIONS,) if batch.kinds == (Kind.ITEMS,) and not batch.operation.builds else batch.kinds


def _line(catalog_key: str, entry_id: str, touch: Touch, task: Task) -> Line | None:
    """Look into a task; None if the entry's digest stood there for another entry."""
    if touch.index is None:
        return Line(task, None, None, None, also=True)
    try:
        sent = SentEntries(services().payloads(catalog_key), task).one(touch.index)
    except PayloadGone:
        sent = None
    if sent is not None and sent.id != entry_id:
        return None
    reported = services().reports(catalog_key).page(task, only=None, offset=touch.index, size=1).entries
    outcome, reason = (reported[0].outcome, reported[0].reason) if reported else (None, None)
    return Line(task, outcome, reason, sent, also=False)
