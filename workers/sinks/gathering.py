"""Gather what a sink has to get: the changes since its mark, with the entries as they are now.

Entries are read after the list of changes, so some may be newer than it.  Reading goes on until the list has caught up
with them: what was gathered is then the catalogue just after one task, and the delivery is *exact*.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

from shared.catalog.changed_entries import AsOf, Place, read_changed, read_changed_in_parts
from shared.catalog.pages import StoredEntry
from shared.errors import SluiceError
from shared.model import Kind
from shared.sinks.destination import Mark
from shared.store.client import Store
from shared.store.positions import Position
from shared.tasks.change_feed import ChangeFeed, ChangePage, ChangesGone
from shared.waiting import WaitedInVain, wait_until

#: A delivery ends with the part that reaches so many entries or bytes, also if it is not exact then.
MOST_ENTRIES = 10_000
MOST_BYTES = 8 * 1024 * 1024
#: Entries per read: little memory even if they are as long as allowed.
PART_ENTRIES = 200
#: Seconds for which a delivery is held back to become exact.
EXACT_S = 2.0
#: Seconds between two looks whether more tasks have ended.
LOOK_EVERY_S = 0.005
#: Tasks and entries of one page of changes.
PAGE_TASKS, PAGE_ENTRIES = 100, 1000


class HistoryLost(SluiceError):
    """The changes since a mark cannot be told; the whole catalogue has to be copied anew."""


@dataclass(slots=True)
class Gathered:
    """Entries that have changed; None for those that are gone."""

    #: The mark of the copy once it has them.
    mark: Mark
    entries: dict[Kind, dict[str, StoredEntry | None]] = field(default_factory=dict)
    bytes: int = 0

    def add(self, ids: dict[Place, list[str]], found: AsOf) -> None:
        """Add entries that were read."""
        for place, some in ids.items():
            there, seen = found.entries[place], self.entries.setdefault(place.kind, {})
            for entry_id in some:
                entry = seen[entry_id] = there.get(entry_id)
                self.bytes += len(entry_id) + (0 if entry is None else len(entry.body))
        self.mark = Mark(self.mark.position, max(self.mark.reach, found.reach))

    @property
    def full(self) -> bool:
        return self.bytes >= MOST_BYTES or sum(map(len, self.entries.values())) >= MOST_ENTRIES


class Gatherer:
    """Reads the changes of one section of a catalog.  Every call raises StoreUnavailable."""

    def __init__(
        self, client: Store, catalog_key: str, section: str, kinds: Collection[Kind], *, restarts_lose: bool
    ) -> None:
        """``restarts_lose``: a store that was restarted, or replaced, may have lost what it told of before."""
        self._client = client
        self._catalog_key = catalog_key
        self._section = section
        self._kinds = frozenset(kinds)
        self._restarts_lose = restarts_lose
        self._feed = ChangeFeed(client, catalog_key)

    def now(self) -> Mark:
        """Return the mark of a copy that is empty now, and is to get every entry from now on."""
        found = read_changed(self._client, self._catalog_key, {})
        return Mark(found.position, found.position.task_id)

    def reach(self, mark: str) -> int:
        """Return the last task of whose effects entries read before may have some.

        Raises HistoryLost if the store was restarted since it gave a position this mark.
        """
        found = read_changed(self._client, self._catalog_key, {})
        self._check_run(mark, found.position.mark)
        return found.reach

    def gather(self, mark: Mark, hold: Callable[[], None]) -> Iterator[Gathered]:
        """Yield what has changed since a mark, in deliveries that build on each other, until nothing is left.

        ``hold`` is called between reads, and raises if another owns the sink now.  Raises HistoryLost.
        """
        gathered, until = Gathered(mark), time.monotonic() + EXACT_S
        while True:
            page = self._page(gathered.mark.position)
            for ids, found in self._read(_parts(page), page.next_after, hold):
                gathered.add(ids, found)
                if gathered.full:
                    # Its position stays: the task may go on.
                    yield gathered
                    mark, until = gathered.mark, time.monotonic() + EXACT_S
                    gathered = Gathered(mark)
            gathered.mark = Mark(page.next_after, gathered.mark.reach)
            if gathered.mark.exact or time.monotonic() >= until:
                if gathered.mark == mark:
                    return
                yield gathered
                mark, until = gathered.mark, time.monotonic() + EXACT_S
                gathered = Gathered(mark)
            elif not page.more:
                if not gathered.entries and gathered.mark == mark:
                    return
                hold()
                self._wait(gathered.mark.position, until)

    def again(self, mark: Mark, ids: Collection[tuple[Kind, str]], hold: Callable[[], None]) -> Iterator[Gathered]:
        """Yield entries by id as they are now, in deliveries that build on each other.  Raises HistoryLost."""
        parts = _cut((Place(kind, self._section), entry_id) for kind, entry_id in ids if kind in self._kinds)
        for some, found in self._read(parts, mark.position, hold):
            gathered = Gathered(mark)
            gathered.add(some, found)
            mark = gathered.mark
            yield gathered

    def changed(self, after: Position, until: Position) -> Iterator[tuple[Kind, str]]:
        """Yield what has changed between two positions, and maybe later.  Raises HistoryLost."""
        more = after.is_before(until)
        while more:
            page = self._page(after)
            yield from (
                (place.kind, entry_id) for part in _parts(page) for place, ids in part.items() for entry_id in ids
            )
            after = page.next_after
            # A store that was restarted meanwhile gives its positions another mark.
            until = replace(until, mark=after.mark)
            more = page.more and after.is_before(until)

    def _read(
        self, parts: Iterable[dict[Place, list[str]]], position: Position, hold: Callable[[], None]
    ) -> Iterator[tuple[dict[Place, list[str]], AsOf]]:
        """Read entries as they are now, a few at a time.  Raises HistoryLost."""
        for part in parts:
            hold()
            for ids, found in read_changed_in_parts(self._client, self._catalog_key, part):
                self._check_run(position.mark, found.position.mark)
                yield ids, found
                hold()

    def _page(self, after: Position) -> ChangePage:
        try:
            page = self._feed.page(
                after, section=self._section, size=PAGE_TASKS, kinds=self._kinds, most_entries=PAGE_ENTRIES
            )
        except ChangesGone:
            raise HistoryLost(f"the changes after task {after.task_id} are no longer kept, or were lost") from None
        if page.restarted:
            self._check_run(after.mark, page.next_after.mark)
        return page

    def _check_run(self, before: str, now: str) -> None:
        if before != now and self._restarts_lose:
            raise HistoryLost("the store was restarted or replaced, and may have lost what was delivered")

    def _wait(self, position: Position, until: float) -> None:
        """Wait until a task has ended, but not for long."""
        left_s = until - time.monotonic()
        try:
            wait_until(
                lambda: self._feed.goes_on(position),
                "a task has ended",
                timeout_s=min(left_s, 0.5),
                every_s=LOOK_EVERY_S,
            )
        except WaitedInVain:
            return


def _parts(page: ChangePage) -> Iterator[dict[Place, list[str]]]:
    """Cut the ids of a page, each once, into parts."""
    return _cut(
        dict.fromkeys(
            (Place(change.kind, change.section), entry_id) for change in page.changes for entry_id, _ in change.entries
        )
    )


def _cut(ids: Iterable[tuple[Place, str]]) -> Iterator[dict[Place, list[str]]]:
    part = dict[Place, list[str]]()
    for number, (place, entry_id) in enumerate(ids, 1):
        part.setdefault(place, []).append(entry_id)
        if number % PART_ENTRIES == 0:
            yield part
            part = {}
    if part:
        yield part
