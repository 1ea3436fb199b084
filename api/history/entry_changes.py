"""What a task changed in its entries, for a page of them: looked up in the payloads of earlier tasks, within bounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from api.history.entry_histories import EARLIER, is_of
from api.history.sent_entries import SentEntry, entry_of
from api.history.states import CHANGING, Changes, Deed, changes_of, is_anchor
from api.services import Services, current_services
from shared.model import Outcome, Status
from shared.tasks.entry_history import History, Touch
from shared.tasks.payloads import READ_BYTES, EntryFinder, PayloadGone
from shared.tasks.records import Task
from shared.tasks.reports import EntryOutcome, shown_outcome

#: Entries that are looked up at once, at most.
MOST_ENTRIES = 100
#: Bytes of changes that are told at once, at most; and those of one entry more.
TOLD_BYTES = 8 * 1024 * 1024


def changes_in(catalog_key: str, task: Task, entries: Iterable[SentEntry]) -> dict[int, Changes]:
    """Return by index what a task changed in entries that it updated, MOST_ENTRIES at most.

    What was before is known as far as earlier tasks tell, of which those nearest are read.  Without that, a task that
    sends only what changes tells what it changed, and others are left out; so are those behind TOLD_BYTES of changes.
    """
    wanted = list(entries)
    services = current_services()
    touches = History(services.client, catalog_key).find_many(
        {each.id for each in wanted}, before=task.id, most=EARLIER
    )
    earlier = _EarlierTasks(services, catalog_key, touches)
    found, left = dict[int, Changes](), TOLD_BYTES
    for each in wanted:
        if left < 0:
            break
        deeds = [Deed(task.batch, EntryOutcome.UPDATED, each.text), *earlier.deeds(task, each)]
        changes = changes_of(reversed(deeds))[-1]
        if changes is not None and (changes.complete or task.batch.operation in CHANGING):
            found[each.index] = changes
            left -= changes.size
    return found


class _EarlierTasks:
    """Reads what earlier tasks did to entries, each chunk and report once, and no chunk after READ_BYTES."""

    def __init__(self, services: Services, catalog_key: str, touches: Mapping[str, list[Touch]]) -> None:
        self._payloads = services.payloads(catalog_key)
        self._reports = services.reports(catalog_key)
        self._touches = touches
        ids = sorted({touch.task_id for each in touches.values() for touch in each})
        self._tasks = dict(zip(ids, services.tasks(catalog_key).get_many(ids), strict=True))
        self._finders: dict[int, EntryFinder] = {}
        self._marks: dict[int, bytes] = {}
        self._left = READ_BYTES

    def deeds(self, task: Task, entry: SentEntry) -> list[Deed]:
        """List what was done to an entry before a task, newest first, back to where its state is known."""
        kind = task.batch.kind_of_entry(entry.index)
        section, found = task.batch.section_of(kind), list[Deed]()
        for touch in self._touches.get(entry.id, ()):
            before = self._tasks[touch.task_id]
            if before is None:
                break
            if not is_of(before, touch, kind, section):
                continue
            deed = self._deed(before, touch, entry.id)
            if deed is None:
                continue
            found.append(deed)
            if is_anchor(deed):
                break
        return found

    def _deed(self, task: Task, touch: Touch, entry_id: str) -> Deed | None:
        """Return what a task did to an entry; None if its digest belongs to another entry."""
        if touch.index is None:
            return Deed(task.batch, None, None, along=task.status is Status.DONE)
        sent = self._entry(task, touch.index)
        if sent is not None and sent.id != entry_id:
            return None
        marks = self._marks_of(task)
        outcome = shown_outcome(Outcome(chr(marks[touch.index]))) if touch.index < len(marks) else None
        return Deed(task.batch, outcome, None if sent is None else sent.text)

    def _entry(self, task: Task, index: int) -> SentEntry | None:
        if self._left <= 0:
            return None
        finder = self._finders.setdefault(task.id, EntryFinder(self._payloads, task))
        before = finder.bytes_read
        try:
            return entry_of(*finder.find(index))
        except PayloadGone:
            return None
        finally:
            self._left -= finder.bytes_read - before

    def _marks_of(self, task: Task) -> bytes:
        if task.id not in self._marks:
            self._marks[task.id] = self._reports.marks(task)
        return self._marks[task.id]
