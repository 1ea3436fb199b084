"""Clients that read while all goes on: a copy that follows the change feed, walks, and statuses of tasks."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.catalog.pages import StoredEntry
from shared.errors import StoreUnavailable
from shared.model import NO_SECTION, Kind
from shared.store.positions import Position
from shared.tasks.change_feed import ChangeFeed, ChangesGone
from shared.tasks.records import TaskFilter, Tasks
from tests.simulation.plan import SECTION, STEADY
from tests.simulation.world import World
from tests.support.follower import Follower
from tests.support.laws import LawBroken, StatusWatch, read_json
from tests.support.rig import Rig
from tests.support.store_reader import StoreReader

#: Entries on a page of a walk, and tasks on a page of the feed: few, so that much happens between two.
PAGE = 2
#: How long a reader waits before it reads again.
AGAIN_MS = (5, 400, 4_000)


@dataclass(frozen=True)
class Reply:
    """What a follower looks at."""

    status_code: int
    headers: Mapping[str, str] = field(default_factory=dict)


class Reader:
    """One client of one catalog; it never dies, but its calls fail as everybody's."""

    def __init__(self, world: World, rig: Rig, catalog_key: str) -> None:
        self._world = world
        self._catalog_key = catalog_key
        self._catalog = rig.catalog(catalog_key)
        self._feed = ChangeFeed(rig.client, catalog_key)
        self._tasks = Tasks(rig.client, catalog_key)
        self._watch = StatusWatch()
        self._client = rig.client
        self.follower = Follower(self._get, page_size=PAGE)
        self._has_read = False
        self._was_steady = False

    def run(self) -> None:
        """Read on and on."""
        scheduler = self._world.scheduler
        for looks in itertools.count():
            # Ever longer: others may sleep for minutes.
            scheduler.rest(AGAIN_MS[scheduler.pick(len(AGAIN_MS))] << min(looks, 60) // 10)
            try:
                self._look()
            except StoreUnavailable:
                continue

    def _look(self) -> None:
        match self._world.scheduler.pick(3):
            case 0:
                self._see_statuses()
            case 1:
                self._walk()
            case _:
                self._follow()

    def finish(self) -> None:
        """Read the rest of the feed: the copy has to be the catalogue then."""
        self._see_statuses()
        self._follow()
        reader = StoreReader(self._client, self._catalog_key)
        for kind, copy in self.follower.entries.items():
            there = {id_: read_json(body) for id_, body in reader.entries(kind, SECTION)}
            if copy != there:
                wrong = sorted(id_ for id_ in {*copy, *there} if copy.get(id_) != there.get(id_))
                raise LawBroken(f"feed: the copy of {kind} that followed it differs in {wrong}")

    def _see_statuses(self) -> None:
        page = self._tasks.page(TaskFilter(), offset=0, size=100)
        for task in page.tasks:
            self._watch.see(task.id, task.status)

    def _walk(self) -> None:
        ids = [entry["id"] for entry in self.follower.walk(Kind.ITEMS)]
        if ids != sorted(set(ids)):
            raise LawBroken(f"walk: {ids} is out of order, or has an entry twice")
        if self._was_steady and not set(STEADY) <= set(ids):
            raise LawBroken(f"walk: {ids} lacks some of {STEADY}, which were there all the time")
        self._was_steady |= set(STEADY) <= set(ids)

    def _follow(self) -> None:
        if not self._has_read:
            self.follower.read_all()
            self._has_read = True
        self.follower.follow()

    # -- as the ingress answers ------------------------------------------------------------------------------------

    def _get(self, path: str, **query: Any) -> tuple[Reply, Any]:
        if path == "/v1/changes":
            return self._changes(Position.read(query["after"]))
        kind = Kind(path.rpartition("/")[2])
        section = NO_SECTION if kind is Kind.ITEM_GROUPS else SECTION
        if "id" in query:
            return Reply(200), {kind: _entries(self._catalog.get(kind, section, sorted(query["id"])))}
        size, headers = query["num_results_per_page"], {}
        if cursor := query.get("next_page_cursor"):
            page = self._catalog.page_from(kind, section, base64.b64decode(cursor), size=size)
        else:
            page = self._catalog.page(kind, section, offset=0, size=size, with_position=True)
            headers["X-Changes-After"] = str(page.position)
        answer: dict[str, Any] = {kind: _entries(page.entries)}
        if page.next_place is not None:
            answer["next_page_cursor"] = base64.b64encode(page.next_place).decode()
        return Reply(200, headers), answer

    def _changes(self, after: Position) -> tuple[Reply, Any]:
        try:
            page = self._feed.page(after, section=None, size=PAGE)
        except ChangesGone as gone:
            return Reply(410), {"next_after": str(gone.latest)}
        changes = [
            {
                "kind": change.kind,
                "section": change.section or None,
                "entries": [{"id": entry_id} for entry_id, _ in change.entries],
            }
            for change in page.changes
        ]
        return Reply(200), {
            "changes": changes, "next_after": str(page.next_after), "more": page.more, "restarted": page.restarted,
        }  # fmt: skip


def _entries(found: Sequence[StoredEntry]) -> list[dict[str, Any]]:
    return [{**read_json(entry.body), "id": entry.id} for entry in found]
