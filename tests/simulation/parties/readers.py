"""Clients that read while all goes on: a copy that follows the change feed, walks, and statuses of tasks."""

from __future__ import annotations

import base64
import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from shared.catalog.pages import StoredEntry
from shared.errors import StoreUnavailable
from shared.model import NO_SECTION, Kind
from shared.store.positions import Position
from shared.tasks.change_feed import ChangeFeed, ChangesGone
from shared.tasks.cursors import BadCursor, Cursors, CursorState
from shared.tasks.records import TaskFilter, Tasks
from tests.simulation.plan import IDS, SECTION, STEADY
from tests.simulation.world import World
from tests.support.follower import Follower
from tests.support.laws import Accepted, LawBroken, Model, StatusWatch, read_json
from tests.support.rig import Rig
from tests.support.store_reader import StoreReader

#: Entries on a page of a walk, and tasks on a page of the feed: few, so that much happens between two.
PAGE = 2
#: How long a reader waits before it reads again.
AGAIN_MS = (5, 700, 6_000)


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
        self._cursors, self._clock = Cursors(rig.client, catalog_key), rig.clock
        self._tasks = Tasks(rig.client, catalog_key)
        self._watch = StatusWatch()
        self._client = rig.client
        self.follower = Follower(self._get, page_size=PAGE, may_have_lost=world.plan.restarts)
        self._has_read = False
        self._was_steady = False
        self._restarts = 0
        self._ratio, self._floor = rig.settings.safeguard_ratio, rig.settings.safeguard_floor
        #: All that was read of items.
        self._seen: list[dict[str, Any]] = []

    def run(self) -> None:
        """Read on and on."""
        scheduler = self._world.scheduler
        for looks in itertools.count():
            # Ever longer: others may sleep for minutes.
            scheduler.rest(AGAIN_MS[scheduler.pick(len(AGAIN_MS))] << min(looks, 30) // 5)
            try:
                self._look()
            except StoreUnavailable:
                continue

    def _look(self) -> None:
        if self._restarts != self._world.restarts:
            self._restarts = self._world.restarts
            self._watch, self._was_steady = StatusWatch(), False
        match self._world.scheduler.pick(4):
            case 0:
                self._see_statuses()
            case 1:
                self._walk()
            case 2:
                self._get(f"/v2/{Kind.ITEMS}", id=list(IDS))
            case _:
                self._follow()

    def finish(self, batches: Sequence[Accepted], canceled: Set[int], reader: StoreReader) -> None:
        """Read the rest of the feed: the copy has to be the catalogue then; and nothing was seen that never was."""
        if not self._world.restarts:
            self._check_seen(batches, canceled)
        self._follow()
        for kind, copy in self.follower.entries.items():
            there = {id_: read_json(body) for id_, body in reader.entries(kind, SECTION)}
            if copy != there:
                wrong = sorted(id_ for id_ in {*copy, *there} if copy.get(id_) != there.get(id_))
                raise LawBroken(f"feed: the copy of {kind} that followed it differs in {wrong}")

    def _check_seen(self, batches: Sequence[Accepted], canceled: Set[int]) -> None:
        """Whatever was read of an item is what some task had left of it, and what is read later is no older."""
        model = Model(self._ratio, self._floor)
        items, states = model.there(Kind.ITEMS, SECTION), defaultdict[str, list[Any]](list)
        for batch in sorted(batches, key=lambda one: one.task_id):
            if batch.task_id not in canceled:
                model.apply(batch)
                items = model.there(Kind.ITEMS, SECTION)
                for id_, item in items.items():
                    if not states[id_] or states[id_][-1] != item:
                        states[id_].append(dict(item))
        at: dict[str, int] = defaultdict(int)
        for seen in self._seen:
            id_ = seen["id"]
            if seen not in states[id_][at[id_] :]:
                raise LawBroken(
                    f"seen: {seen}, which never was, or no more: {states[id_]}, of which {at[id_]} are past"
                )
            at[id_] = states[id_].index(seen, at[id_])

    def _see_statuses(self) -> None:
        page = self._tasks.page(TaskFilter(), offset=0, size=100)
        if self._restarts != self._world.restarts:
            return
        for task in page.tasks:
            self._watch.see(task.id, task.status)

    def _walk(self) -> None:
        ids = [entry["id"] for entry in self.follower.walk(Kind.ITEMS)]
        if ids != sorted(set(ids)):
            raise LawBroken(f"walk: {ids} is out of order, or has an entry twice")
        if self._restarts != self._world.restarts:
            return
        if self._was_steady and not set(STEADY) <= set(ids):
            raise LawBroken(f"walk: {ids} lacks some of {STEADY}, which were there all the time")
        self._was_steady |= set(STEADY) <= set(ids)

    def _follow(self) -> None:
        had_read, walks, restarts = self._has_read, self.follower.walks, self._world.restarts
        try:
            if not self._has_read:
                self.follower.read_all()
            self.follower.follow()
            self._has_read = True
            self._keep_position(restarts)
        except BaseException:
            # Half of the catalogue is no beginning.
            self._has_read = had_read and self.follower.walks == walks
            raise

    def _keep_position(self, restarts: int) -> None:
        """Tell how far it has come since so many restarts, under a name; it can go on from there."""
        position = Position.read(self.follower.position)
        try:
            self._cursors.put("reader", position, now_ms=self._clock())
            report = self._cursors.get("reader")
            right = report is not None and report.state is CursorState.OK and report.cursor.after == position
        except BadCursor as problem:
            report, right = problem, False
        # A store that has just forgotten something may say anything else.
        if not right and restarts == self._world.restarts:
            raise LawBroken(f"cursor: kept at {position}, and then it is {report}")

    # -- as the ingress answers ------------------------------------------------------------------------------------

    def _get(self, path: str, **query: Any) -> tuple[Reply, Any]:
        if path == "/v1/changes":
            return self._changes(Position.read(query["after"]))
        kind = Kind(path.rpartition("/")[2])
        section = NO_SECTION if kind is Kind.ITEM_GROUPS else SECTION
        if "id" in query:
            return Reply(200), {kind: self._entries(kind, self._catalog.get(kind, section, sorted(query["id"])))}
        size, headers = query["num_results_per_page"], {}
        if cursor := query.get("next_page_cursor"):
            page = self._catalog.page_from(kind, section, base64.b64decode(cursor), size=size)
        else:
            page = self._catalog.page(kind, section, offset=0, size=size, with_position=True)
            headers["X-Changes-After"] = str(page.position)
        answer: dict[str, Any] = {kind: self._entries(kind, page.entries)}
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

    def _entries(self, kind: Kind, found: Sequence[StoredEntry]) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = [read_json(entry.body) for entry in found]
        if kind is Kind.ITEMS:
            self._seen += entries
        return entries
