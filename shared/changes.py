"""The change feed: what each task changed, in order.

Nothing is written for it but the ids of what was changed without being an entry: it is put together from the payloads
and the reports, and reaches back as far as payloads are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared import scripts
from shared.codec import decode_changed
from shared.errors import SluiceError
from shared.keys import CatalogKeys
from shared.model import Kind, Outcome
from shared.payloads import PayloadGone, Payloads
from shared.store import Store
from shared.tasks import Task, Tasks

#: Tasks that are looked at for one page: most of them may be of another section.
LOOK_TASKS = 500
#: A page ends behind the task with which it has so many entries.
PAGE_ENTRIES = 10_000

#: What a reader of the feed has to do something about.
CHANGES = frozenset({Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED})


class ChangesGone(SluiceError):
    """The feed does not reach back so far; ``latest`` is the last task that has ended by now."""

    def __init__(self, latest: int) -> None:
        super().__init__("the change feed does not reach back so far")
        self.latest = latest


@dataclass(frozen=True, slots=True)
class Change:
    """What one task changed of one kind."""

    task_id: int
    kind: Kind
    #: NO_SECTION for item groups.
    section: str
    #: Ids in the order of the batch, each with what became of it.
    entries: list[tuple[str, Outcome]]


@dataclass(frozen=True, slots=True)
class ChangePage:
    changes: list[Change]
    #: The task after which the next page begins.
    next_after: int
    #: Something has ended since.
    more: bool


class ChangeFeed:
    """The change feed of one catalog.  Raises StoreUnavailable."""

    def __init__(self, client: Store, catalog_key: str) -> None:
        self._client = client
        self._keys = CatalogKeys(catalog_key)
        self._tasks = Tasks(client, catalog_key)
        self._payloads = Payloads(client, catalog_key)

    def page(self, after: int, *, section: str | None, size: int) -> ChangePage:
        """Tell what the tasks after a given one changed, up to so many tasks with changes.

        Only what has ended is told of, and nothing ends later with a lower id and effects: whoever goes on from
        ``next_after`` misses nothing.  Raises ChangesGone.
        """
        latest, ids = self._ended(after, LOOK_TASKS)
        next_after, told, entries, changes = after, 0, 0, list[Change]()
        try:
            for task in self._records(ids):
                if section is None or task.batch.section == section:
                    found = list(self._changes(task))
                    changes += found
                    told += bool(found)
                    entries += sum(len(change.entries) for change in found)
                next_after = task.id
                if told == size or entries >= PAGE_ENTRIES:
                    break
        except PayloadGone:
            raise ChangesGone(latest) from None
        # What was read may have been on its way out.
        self._ended(after, 0)
        return ChangePage(changes, next_after, next_after < latest)

    def _ended(self, after: int, limit: int) -> tuple[int, list[int]]:
        command = scripts.LIST_ENDED.command(self._keys.partition, (after, limit))
        [[reaches, latest, *ids]] = scripts.run(self._client, command)
        if not reaches:
            raise ChangesGone(latest)
        return latest, ids

    def _records(self, ids: list[int]) -> Iterator[Task]:
        """Read records, a few at a time: most pages end early."""
        for first in range(0, len(ids), 50):
            for task in self._tasks.get_many(ids[first : first + 50]):
                if task is None:
                    raise PayloadGone
                yield task

    def _changes(self, task: Task) -> Iterator[Change]:
        batch = task.batch
        entries: dict[Kind, list[tuple[str, Outcome]]] = {}
        report, frames = scripts.run(
            self._client,
            ("GETRANGE", self._keys.report(task.id), 0, batch.entries - 1),
            ("LRANGE", self._keys.also_changed(task.id), 0, -1),
        )
        marks = report.decode()
        if CHANGES.intersection(marks):
            for kind, found in self._named(task, marks):
                entries.setdefault(kind, []).extend(found)
        for frame in frames:
            for kind, changed in decode_changed(frame).items():
                for outcome, ids in changed.items():
                    entries.setdefault(kind, []).extend((entry_id, outcome) for entry_id in ids)
        for kind in sorted(entries, key=lambda kind: kind not in batch.kinds):
            if entries[kind]:
                yield Change(task.id, kind, batch.section_of(kind), entries[kind])

    def _named(self, task: Task, marks: str) -> Iterator[tuple[Kind, list[tuple[str, Outcome]]]]:
        """List the entries that changed something; of a task that was given up halfway, those it came to."""
        for number in range(task.batch.chunks):
            chunk = self._payloads.chunk(task, number)
            here = zip(chunk.ids, marks[chunk.first : chunk.first + len(chunk)], strict=False)
            yield task.batch.kind_of(number), [(entry_id, Outcome(mark)) for entry_id, mark in here if mark in CHANGES]
            if chunk.first + len(chunk) >= len(marks):
                return
