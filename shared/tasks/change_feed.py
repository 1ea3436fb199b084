"""The change feed: the changes of each task, in order.

Nothing is written for it but the ids of what was changed without being an entry: it is put together from the payloads
and the reports, and reaches back as far as payloads are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import NamedTuple

from shared.errors import SluiceError
from shared.keys import CatalogKeys
from shared.model import Kind
from shared.store import scripts
from shared.store.client import Store
from shared.store.positions import Position, is_known, position_in
from shared.tasks.payloads import PayloadGone
from shared.tasks.records import Task, Tasks
from shared.tasks.task_changes import TaskChanges, read_changes

#: Tasks that are looked at for one page: most of them may be of another section.
LOOK_TASKS = 500
#: A page ends behind the chunk with which it has so many entries.
PAGE_ENTRIES = 10_000


class ChangesGone(SluiceError):
    """The feed does not reach back that far, or the store lost a part of it; ``latest`` is its current position."""

    def __init__(self, latest: Position) -> None:
        super().__init__("the change feed does not reach back so far")
        self.latest = latest


@dataclass(frozen=True, slots=True)
class ChangePage:
    changes: list[TaskChanges]
    #: Where the next page begins.
    next_after: Position
    #: Something has ended since.
    more: bool
    #: Whether the store was restarted since the requested position was returned.
    restarted: bool = False


class ChangeFeed:
    """The change feed of one catalog.  Raises StoreUnavailable."""

    def __init__(self, client: Store, catalog_key: str) -> None:
        self._client = client
        self._catalog_key = catalog_key
        self._keys = CatalogKeys(catalog_key)
        self._tasks = Tasks(client, catalog_key)

    def page(
        self,
        after: Position,
        *,
        section: str | None,
        size: int,
        kinds: Set[Kind] = frozenset(Kind),
        most_entries: int = PAGE_ENTRIES,
    ) -> ChangePage:
        """Read the changes of tasks after a position, of up to ``size`` tasks with changes.

        The page ends behind the chunk with which it has ``most_entries``, which may be inside a task.  Only ended tasks
        are included, and no task with a lower id and effects ends later: continuing from ``next_after`` misses nothing.
        Raises ChangesGone.
        """
        latest, run_id, ids = self._ended(after, LOOK_TASKS)
        here = position_in(self._client, self._catalog_key, latest, run_id)
        restarted = not after.is_of(self._catalog_key, run_id)
        if ids is None or (restarted and not is_known(self._client, self._catalog_key, after)):
            raise ChangesGone(here)
        next_after = replace(after, mark=here.mark)
        tasks, entries, changes = 0, 0, list[TaskChanges]()
        try:
            for task_id, task in self._records(ids):
                found, rest = list[TaskChanges](), 0
                if task is not None and (section is None or task.batch.section == section):
                    first = after.pieces if task_id == after.task_id else 0
                    most = most_entries - entries
                    found, rest = read_changes(
                        self._client, self._catalog_key, task, first=first, kinds=kinds, most=most
                    )
                changes += found
                tasks += bool(found)
                entries += sum(len(change.entries) for change in found)
                next_after = Position(task_id, here.mark, rest)
                if tasks == size or entries >= most_entries:
                    break
        except PayloadGone:
            raise ChangesGone(here) from None
        # The data read may just be being deleted.
        if self._ended(after, 0)[2] is None:
            raise ChangesGone(here)
        return ChangePage(changes, next_after, next_after.is_inside or next_after.task_id < latest, restarted)

    def goes_on(self, after: Position) -> bool:
        """Return whether a task has ended after a position, or the feed cannot tell."""
        latest, _, ids = self._ended(after, 0)
        return ids is None or after.is_inside or latest > after.task_id

    def ends_at(self, position: Position) -> bool:
        """Return whether nothing has changed since a position, neither a task nor the run of the server."""
        latest, run_id, ids = self._ended(position, 0)
        return (
            ids is not None
            and not position.is_inside
            and latest == position.task_id
            and position.is_of(self._catalog_key, run_id)
        )

    def _ended(self, after: Position, limit: int) -> tuple[int, bytes, list[int] | None]:
        """List tasks that have ended; none, not even an empty list, if the feed does not reach back so far."""
        [[reaches, latest, run_id, *ids]] = scripts.run(self._client, _list_ended(self._keys, after, limit))
        return latest, run_id, ids if reaches else None

    def _records(self, ids: list[int]) -> Iterator[tuple[int, Task | None]]:
        """Read records, a few at a time: most pages end early.

        One that is gone was canceled, and changed nothing; or the feed has just ceased to reach back to it.
        """
        for first in range(0, len(ids), 50):
            some = ids[first : first + 50]
            yield from zip(some, self._tasks.get_many(some), strict=True)


class FeedLag(NamedTuple):
    """How far a follower of the feed of a catalog is behind."""

    #: Tasks that have ended since its position.
    tasks: int
    #: When the first of them did, ms; 0 if there is none, or the feed does not reach back so far.
    since_ms: int


def read_lags(client: Store, positions: Sequence[tuple[str, Position]]) -> list[FeedLag]:
    """Tell of positions in the feeds of catalogs how far they are behind, in two round trips for each server."""
    of_all = [CatalogKeys(catalog_key) for catalog_key, _ in positions]
    listed = scripts.run_apart(
        client, *(_list_ended(of, after, 1) for of, (_, after) in zip(of_all, positions, strict=True))
    )
    tasks = [max(0, found[1] - after.task_id) for found, (_, after) in zip(listed, positions, strict=True)]
    # The feed may not reach back, and a task may be gone.
    first = [found[3] if found[0] and some and len(found) > 3 else 0 for found, some in zip(listed, tasks, strict=True)]
    looks = [("HGET", of.task(task_id), "updated_ms") for of, task_id in zip(of_all, first, strict=True)]
    since = scripts.run_apart(client, *looks) if any(first) else [None] * len(looks)
    return [FeedLag(some, int(at_ms or 0)) for some, at_ms in zip(tasks, since, strict=True)]


def _list_ended(of: CatalogKeys, after: Position, limit: int) -> scripts.Command:
    return scripts.LIST_ENDED.command(of.partition, after=after.task_id, inside=int(after.is_inside), limit=limit)
