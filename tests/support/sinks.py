"""Sinks put together by hand: a rig's catalogue, a real destination, and a comparison of the two."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.clock import now_ms
from shared.model import Kind
from shared.sinks.destination import Copies, connect
from shared.sinks.mapping import DEFAULT, ColumnType, Mapping, Variations
from shared.sinks.sink_lease import SinkState, read_dead_letters, read_state
from shared.sinks.sinks import Sink, SinkName, Sinks
from shared.sinks.verify import KindVerified, Verification
from tests.support.batches import items, variations
from tests.support.rig import ACME, Rig
from workers.sinks.sink_turns import SinkTurns

NAME = SinkName(ACME, "products")
#: What readers ask for.
PUBLIC = {Kind.ITEMS: "products", Kind.VARIATIONS: "products_variations"}


class DeliveryRig:
    """One sink of a rig's catalogue, whatever its destination."""

    def __init__(self, rig: Rig, url: str) -> None:
        self.rig = rig
        self.url = url
        self.sinks = Sinks(rig.client, ACME)
        self.turns = self.worker()

    def worker(self, holder: str = "one", **options: Any) -> SinkTurns:
        """A worker of its own, with connections of its own."""
        return SinkTurns(self.rig.client, self.rig.settings, holder, clock=self.rig.clock, **options)

    def add(self, mapping: Mapping = DEFAULT, **options: Any) -> Sink:
        return self.sinks.add(
            NAME.name, self.url, section="Products", mapping=mapping, now_ms=self.rig.clock(), **options
        )

    def turn(self, **options: Any) -> str:
        return self.turns.turn(NAME, **options)

    def settle(self) -> None:
        """Take turns until the destination is as the catalogue."""
        for _ in range(10):
            assert self.turn() == "delivered", self.state()
            if self.state().phase == "live":
                return
        raise AssertionError(self.state())

    def state(self) -> SinkState:
        return read_state(self.rig.client, NAME)

    def catalogue(self, kind: Kind = Kind.ITEMS) -> dict[str, Any]:
        return {entry_id: json.loads(body) for entry_id, body in self.rig.bodies(kind).items()}

    def rows(self, kind: Kind = Kind.ITEMS) -> dict[str, Any]:
        """What readers see: bodies by id."""
        raise NotImplementedError

    def raw(self, kind: Kind = Kind.ITEMS) -> dict[str, dict[str, Any]]:
        """What is stored there, by id: bodies and all columns."""
        raise NotImplementedError

    def write_raw(self, kind: Kind, entry_id: str, row: dict[str, Any] | None) -> None:
        """Store something behind the worker's back, or delete it."""
        raise NotImplementedError

    def columns(self, kind: Kind = Kind.ITEMS) -> dict[str, dict[str, Any]]:
        """The columns of the mapping that readers see, without those that are null; times in seconds."""
        types = {column.name: column.type for column in self.sinks.get(NAME.name).mapping.columns(kind)}
        return {
            entry_id: {
                name: self.plain(types[name], value)
                for name, value in row.items()
                if name in types and value is not None
            }
            for entry_id, row in self.raw(kind).items()
        }

    def plain(self, type_: ColumnType, value: Any) -> Any:
        """The value of a column as it is stored there."""
        return int(datetime.fromisoformat(value).timestamp()) if type_ is ColumnType.TIME else value

    def kinds(self) -> list[Kind]:
        """The kinds that readers find."""
        raise NotImplementedError

    def occupy(self) -> None:
        """Have somebody else make something of the name of the sink."""
        raise NotImplementedError

    def is_occupied(self) -> bool:
        """Whether that is there as it was made."""
        raise NotImplementedError

    def free(self) -> None:
        """Remove it."""
        raise NotImplementedError

    def lose(self, kind: Kind) -> None:
        """Remove what holds a kind of the live copy, behind the worker's back."""
        raise NotImplementedError

    def backup(self) -> Callable[[], None]:
        """Keep everything that is there; returns what brings it back."""
        raise NotImplementedError

    def find(self, word: str) -> list[str]:
        """The ids of the items that readers find by a word of the name."""
        return [entry_id for entry_id, body in self.rows().items() if word in body["name"].split()]

    def stamp(self) -> Any:
        """Something that any write into the destination changes."""
        raise NotImplementedError

    def spelled(self, entry_id: str) -> str:
        """The body of an item as it is there."""
        raise NotImplementedError

    def nested(self) -> dict[str, list[str]]:
        """What readers see of nested variations: their ids, by the ids of items."""
        raise NotImplementedError

    def flat(self) -> dict[str, str | None]:
        """What readers see of the items within variations: their names, by the ids of variations."""
        raise NotImplementedError

    def there(self) -> list[str]:
        """Everything that is there: tables, indices, collections or folders."""
        raise NotImplementedError

    def known(self) -> list[str]:
        """What of it the destination's own record names: the live copy, the old one, and the record itself."""
        raise NotImplementedError

    def age_old(self, hours: float) -> None:
        """Have the old copy been replaced so many hours ago."""
        raise NotImplementedError

    def position(self) -> tuple[int, bool]:
        """The task that the live copy is at, and whether it is just that."""
        raise NotImplementedError

    def check(self) -> None:
        """The destination is the catalogue, entry for entry."""
        none = self.sinks.get(NAME.name).mapping.mode is Variations.NONE
        for kind in [Kind.ITEMS] if none else PUBLIC:
            assert self.rows(kind) == self.catalogue(kind)
        assert self.position()[1]

    def copies(self) -> Copies:
        """What the destination has."""
        destination = connect(self.sinks.get(NAME.name), ACME, timeout_s=5)
        try:
            return destination.look()
        finally:
            destination.close()

    def verify(self, *, repair: bool = False, dead: Sequence[tuple[Kind, str]] | None = None) -> list[KindVerified]:
        """Verify over a connection of its own."""
        added = self.sinks.get(NAME.name)
        if dead is None:
            dead = [(letter.kind, letter.id) for letter in read_dead_letters(self.rig.client, NAME)]
        destination = connect(added, ACME, timeout_s=5)
        try:
            verification = Verification(self.rig.client, ACME, added, destination, dead=dead, settled_s=2)
            return list(verification.run(repair=repair))
        finally:
            destination.close()

    def put_variation_later(self) -> None:
        """Deliver an item, and a variation of it some time after it."""
        self.rig.put(*items("a", "b"))
        self.rig.drain()
        self.add()
        self.settle()
        self.rig.clock.advance(100_000)
        self.rig.put(*variations("a", "v1"), kind=Kind.VARIATIONS)
        self.rig.drain()
        self.settle()

    def close(self) -> None:
        self.turns.close()


class LedgerRig(DeliveryRig):
    """A sink in a destination with a ledger."""

    #: What holds it.
    LEDGERS = "sluice_sinks"

    def ledger(self) -> dict[str, Any]:
        """Read it."""
        raise NotImplementedError

    def write_ledger(self, ledger: dict[str, Any]) -> None:
        """Replace it."""
        raise NotImplementedError

    def backup(self) -> Callable[[], None]:
        ledger, kept = self.ledger(), {kind: self.raw(kind) for kind in self.kinds()}

        def restore() -> None:
            for kind, rows in kept.items():
                there = self.raw(kind)
                for entry_id in {*rows, *there}:
                    if rows.get(entry_id) != there.get(entry_id):
                        self.write_raw(kind, entry_id, rows.get(entry_id))
            self.write_ledger(ledger)

        return restore

    def age_old(self, hours: float) -> None:
        self.write_ledger(self.ledger() | {"old_ms": now_ms() - int(hours * 3_600_000)})

    def stamp(self) -> Any:
        return self.ledger()

    def known(self) -> list[str]:
        ledger = self.ledger()
        copies = [ledger[name] for name in ("live", "old") if ledger[name]]
        return sorted([*(place for copy in copies for place in copy["places"].values()), self.LEDGERS])

    def position(self) -> tuple[int, bool]:
        live = self.ledger()["live"]
        return live["task_id"], live["exact"]


@contextmanager
def running(*works: Any) -> Iterator[None]:
    """Repeat each in a thread of its own; what one raises is raised here."""
    stop, failed = threading.Event(), list[BaseException]()

    def run(work: Any) -> None:
        try:
            while not stop.wait(0.001):
                work()
        except BaseException as problem:
            failed.append(problem)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failed, failed


def fsync(rig: Rig) -> Rig:
    """A rig whose store loses nothing, by its settings."""
    return replace(rig, settings=replace(rig.settings, durability="fsync"))
