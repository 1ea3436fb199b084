"""Sinks put together by hand: a rig's catalogue, a real destination, and a comparison of the two."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from shared.clock import now_ms
from shared.model import Kind
from shared.sinks.destination import Copies, connect
from shared.sinks.mapping import DEFAULT, Mapping
from shared.sinks.sink_lease import SinkState, read_dead_letters, read_state
from shared.sinks.sinks import Sink, SinkName, Sinks
from shared.sinks.verify import KindVerified, Verification
from tests.support.batches import items, variations
from tests.support.rig import ACME, Rig
from workers.sinks.sink_turns import SinkTurns

NAME = SinkName(ACME, "products")


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
        for kind in (Kind.ITEMS, Kind.VARIATIONS):
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


class SinkRig(DeliveryRig):
    """A sink in PostgreSQL."""

    def __init__(self, rig: Rig, url: str) -> None:
        super().__init__(rig, url)
        self.database = psycopg.connect(url, autocommit=True)

    def position(self) -> tuple[int, bool]:
        row = self.query("SELECT task_id, exact FROM sluice_sinks WHERE name = 'products' AND copy = 'live'")
        return row[0] if row else (0, True)

    def age_old(self, hours: float) -> None:
        ago = timedelta(hours=hours)
        self.database.execute("UPDATE sluice_sinks SET delivered_at = now() - %s WHERE copy = 'old'", (ago,))

    def there(self) -> list[str]:
        found = self.query("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        return sorted(name for (name,) in found)

    def find(self, word: str) -> list[str]:
        return [entry_id for (entry_id,) in self.query("SELECT id FROM products WHERE name LIKE %s", f"%{word}%")]

    def stamp(self) -> Any:
        return self.query("SELECT xmin::text, id FROM products ORDER BY id")

    def spelled(self, entry_id: str) -> str:
        return str(self.query("SELECT body::text FROM products WHERE id = %s", entry_id)[0][0])

    def known(self) -> list[str]:
        return sorted(["sluice_sinks", *(name for (name,) in self.query("SELECT unnest(tables) FROM sluice_sinks"))])

    def query(self, statement: str, *values: Any) -> list[Any]:
        return self.database.execute(statement, values or None).fetchall()  # type: ignore[arg-type]

    def nested(self) -> dict[str, list[str]]:
        return dict(self.query("SELECT id, jsonb_path_query_array(variations, '$[*].id') FROM products"))

    def flat(self) -> dict[str, str | None]:
        return dict(self.query("SELECT id, item->>'name' FROM products_variations"))

    def rows(self, kind: Kind = Kind.ITEMS) -> dict[str, Any]:
        table = "products" if kind is Kind.ITEMS else "products_variations"
        return dict(self.query(f"SELECT id, body FROM {table} ORDER BY id"))

    def close(self) -> None:
        super().close()
        self.database.close()


class FilesRig(LedgerRig):
    """A sink in a folder."""

    LEDGERS = "products.json"

    def __init__(self, rig: Rig, folder: Path) -> None:
        super().__init__(rig, f"files+file://{folder}")
        self.folder = folder

    def ledger(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "products.json").read_bytes())
        return found

    def write_ledger(self, ledger: dict[str, Any]) -> None:
        (self.folder / "products.json").write_text(json.dumps(ledger))

    def place(self, kind: Kind = Kind.ITEMS) -> Path:
        return self.folder / self.ledger()["live"]["places"][kind]

    def rows(self, kind: Kind = Kind.ITEMS) -> dict[str, Any]:
        """As the guide tells readers to do it."""
        found = dict[str, Any]()
        for file in sorted(self.place(kind).glob("*.ndjson"), key=lambda file: int(file.stem)):
            for line in file.read_bytes().splitlines():
                entry = json.loads(line)
                if entry.get("deleted"):
                    found.pop(entry["id"], None)
                else:
                    found[entry["id"]] = entry["body"]
        return found

    def stamp(self) -> Any:
        return sorted(self.place().iterdir()), self.ledger()

    def spelled(self, entry_id: str) -> str:
        lines = [line for file in self.place().iterdir() for line in file.read_text().splitlines()]
        return [line for line in lines if json.loads(line)["id"] == entry_id][-1]

    def there(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


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
