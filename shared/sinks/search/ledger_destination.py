"""Deliver to a search engine, which has no transactions.

Each change is written into the ledger first, then made, then written into the ledger as made.  Whoever takes over while
one is unfinished closes the gate behind its writer, who may be late, not dead; and makes the change again, since the
position has not moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from shared.clock import Clock, now_ms
from shared.model import Kind
from shared.nonces import new_nonce
from shared.sinks.destination import (
    Copies,
    Copy,
    CopyChange,
    DeadLetter,
    DestinationRefuses,
    Differences,
    Mark,
    Superseded,
)
from shared.sinks.mapping import Document
from shared.sinks.search.combining import combined
from shared.sinks.search.engine import Engine
from shared.sinks.search.ledger import CopyRecord, Ledger, public_name, public_names, read_ledger
from shared.sinks.sinks import Sink


class LedgerDestination:
    """A sink's documents in a search engine; a `shared.sinks.destination.Destination`."""

    def __init__(
        self, engine: Engine, sink: Sink, catalog_key: str, *, timeout_s: float, clock: Clock = now_ms
    ) -> None:
        self._engine = engine
        self._sink = sink
        self._catalog_key = catalog_key
        self._timeout_s = timeout_s
        self._clock = clock
        #: This connection: one turn at a time uses it.
        self._me = new_nonce()
        self._ledger: Ledger | None = None
        self._tag: Any = None

    def take_over(self, owner: str) -> Copies:
        with self._engine.limit(self._timeout_s):
            ledger = self._load()
            if ledger is None or ledger.owner != self._me or ledger.writing:
                ledger = self._own(ledger)
            if ledger.leftovers:
                ledger = self._drop_leftovers(ledger)
            self._ledger = ledger
            return ledger.copies._replace(old_age_s=(self._clock() - ledger.old_ms) / 1000)

    def look(self) -> Copies:
        with self._engine.limit(self._timeout_s):
            found = self._engine.load()
            return read_ledger(found[0]).copies if found else Copies(None, None)

    def start_next(self, copy: Copy) -> None:
        with self._engine.limit(self._timeout_s):
            ledger = self._mine()
            number = self._number(ledger)
            places = {kind.value: f"{public_name(self._sink.name, kind)}-{number}" for kind in self._sink.mapping.kinds}
            # Known to the ledger before they are there, so that none is forgotten.
            record = CopyRecord.of(copy, places)
            ledger = self._save(replace(ledger, number=number, next=record, leftovers=_left(ledger, ledger.next)))
            for kind, place in places.items():
                self._engine.create(place, Kind(kind), ledger.gate)
            self._drop_leftovers(ledger)

    def drop_next(self) -> None:
        with self._engine.limit(self._timeout_s):
            ledger = self._mine()
            self._drop_leftovers(self._save(replace(ledger, next=None, leftovers=_left(ledger, ledger.next))))

    def deliver(self, change: CopyChange) -> list[DeadLetter]:
        if self._ledger is None:
            # A repair.
            self.take_over("")
        dead = list[DeadLetter]()
        with self._engine.limit(self._timeout_s):
            ledger = self._mine()
            record: CopyRecord | None = getattr(ledger, change.which)
            if record is None or record.copy != change.before:
                raise Superseded("the copy is at another position")
            written = combined(self._engine, self._sink.mapping, record.places, change)
            kinds = [kind for kind in Kind if written.get(kind) or change.gone.get(kind)]
            if kinds:
                ledger = self._save(replace(ledger, number=self._number(ledger), writing=True))
            for kind in kinds:
                documents, gone = written.get(kind, ()), change.gone.get(kind, ())
                place = record.places[kind.value]
                dead += self._engine.write(place, ledger.gate, ledger.number, kind, documents, gone)
            after = CopyRecord.of(change.after, record.places)
            if kinds or after != record:
                self._save(replace(ledger, writing=False, **{change.which.value: after}))
        return dead

    def switch(self, copy: Copy) -> None:
        with self._engine.limit(self._timeout_s):
            ledger = self._mine()
            made = ledger.next
            if made is None or made.copy != copy:
                raise Superseded("another delivers to this sink now")
            # Somebody may have made something of that name while all was copied.
            led = self._free_names(ledger)
            ledger = self._save(replace(ledger, number=self._number(ledger), writing=True))
            self._drop_leftovers(self._save(self._lead(ledger, made, led)))

    def undo(self, copy: Copy) -> None:
        with self._engine.limit(self._timeout_s):
            ledger = self._mine()
            old = ledger.old
            if old is None or old.copy != copy:
                raise Superseded("the old copy is gone")
            led = self._free_names(ledger)
            ledger = self._save(replace(ledger, number=self._number(ledger), writing=True))
            # Its places have the gate of when they were live.
            ledger = self._save(replace(ledger, gate=self._fence(ledger, ledger.number)))
            # As the next copy: if this worker is lost now, whoever succeeds it ends the switch.
            ledger = self._save(replace(ledger, next=old, old=None, leftovers=_left(ledger, ledger.next)))
            self._drop_leftovers(self._save(self._lead(ledger, old, led)))

    def drop_old(self) -> None:
        with self._engine.limit(self._timeout_s):
            ledger = self._mine()
            self._drop_leftovers(self._save(replace(ledger, old=None, leftovers=_left(ledger, ledger.old))))

    def compare(self, mark: Mark, kind: Kind, documents: Sequence[Document], after: str, until: str) -> Differences:
        with self._engine.limit(self._timeout_s):
            before = self._live_at(mark)
            wanted = {one.id: self._engine.wanted(kind, one) for one in documents}
            found = self._engine.read(before[0].places[kind.value], list(wanted), after, until)
            # What was read is no snapshot.
            if self._live_at(mark) != before:
                raise Superseded("something was delivered meanwhile")
        return Differences(
            missing=sorted(wanted.keys() - found.keys()),
            extra=sorted(found.keys() - wanted.keys()),
            stale=sorted(one for one in wanted.keys() & found.keys() if wanted[one] != found[one]),
        )

    def close(self) -> None:
        self._engine.close()

    def _own(self, ledger: Ledger | None) -> Ledger:
        """Become the owner; nothing that an earlier one still sends has any effect."""
        name, sink = self._sink.name, self._sink
        if ledger is not None and ledger.sink_id != sink.id and not sink.take_over:
            raise DestinationRefuses(
                f"{name} is that of another sink (catalog {ledger.catalog_key}, section {ledger.section}): choose"
                " another name, or add this one with --take-over"
            )
        ledger = ledger or Ledger(sink.id, self._catalog_key, sink.section)
        compares = self._engine.compares
        if not compares:
            ledger = replace(ledger, gate=self._fence(ledger, self._number(ledger)))
            # The earlier owner may have written it until now.
            if found := self._load():
                ledger = replace(found, gate=ledger.gate)
        led = self._free_names(ledger)
        was_writing, ledger = ledger.writing, self._whole(ledger, led)
        ledger = replace(
            ledger, sink_id=sink.id, catalog_key=self._catalog_key, section=sink.section,
            owner=self._me, number=self._number(ledger),
        )  # fmt: skip
        if compares and (was_writing or not ledger.gate):
            # Of two who take over, the one who loses must not close the other's gate.
            ledger = self._save(replace(ledger, writing=True))
            ledger = replace(ledger, gate=self._fence(ledger, ledger.number))
            # An earlier owner may have switched until now.
            led = self._free_names(ledger)
        made = ledger.next
        if was_writing and made and _is_led_to(made, led):
            # Readers have it already, and its writer was lost before it could note that.
            ledger = self._lead(replace(ledger, number=self._number(ledger)), made, led)
        return self._save(replace(ledger, writing=False))

    def _fence(self, ledger: Ledger, number: int) -> str:
        places = [one for one in ledger.places if self._engine.has(one)]
        return self._engine.fence(ledger.gate, number, places, self._confirm)

    def _confirm(self) -> None:
        """Raise Superseded if the ledger is not as this connection left it."""
        found = self._engine.load()
        if found is None or found[1] != self._tag:
            raise Superseded("another has taken over")

    def _lead(self, ledger: Ledger, made: CopyRecord, led: dict[str, list[str]]) -> Ledger:
        """Have readers see a copy; returns what is to be noted then."""
        names = {public_name(self._sink.name, kind): made.places.get(kind.value) for kind in _KINDS}
        gate = self._engine.point(names, led, ledger.gate, ledger.number)
        left = ledger.live
        if left is not None and left.version != made.version:
            # It takes the place of the old one.
            ledger, left = replace(ledger, old=left, old_ms=self._clock()), ledger.old
        return replace(
            ledger, gate=gate, writing=False, live=made, next=None,
            leftovers=[*_left(ledger, left), *ledger.broken], broken=[],
        )  # fmt: skip

    def _free_names(self, ledger: Ledger) -> dict[str, list[str]]:
        """Return what the names of readers lead to: only what this sink may take away.  Raises DestinationRefuses."""
        led = {name: self._engine.led_to(name) for name in public_names(self._sink.name)}
        own = {*ledger.places, *ledger.leftovers, *ledger.broken}
        for name, found in led.items():
            if not own.issuperset(found) and not self._sink.take_over:
                raise DestinationRefuses(
                    f"there is {name} already, which no sink made: choose another name, or add the sink with"
                    " --take-over, which replaces it"
                )
        return led

    def _whole(self, ledger: Ledger, led: dict[str, list[str]]) -> Ledger:
        """Forget copies of which a place is gone, but not their other places."""
        live, made, old = ledger.live, ledger.next, ledger.old
        if old and not self._is_there(old):
            ledger = replace(ledger, old=None, leftovers=_left(ledger, old))
        if made and not self._is_there(made):
            ledger = replace(ledger, next=None)
            if _is_led_to(made, led):
                ledger = replace(ledger, broken=[*ledger.broken, *made.places.values()])
            else:
                ledger = replace(ledger, leftovers=_left(ledger, made))
        if live and not self._is_there(live):
            ledger = replace(ledger, live=None, broken=[*ledger.broken, *live.places.values()])
        return ledger

    def _is_there(self, record: CopyRecord) -> bool:
        return all(map(self._engine.has, record.places.values()))

    def _number(self, ledger: Ledger) -> int:
        """Number a change: higher than all before, also than those that a backup does not know."""
        return max(ledger.number + 1, self._clock())

    def _mine(self) -> Ledger:
        if self._ledger is None:
            raise Superseded("nobody has taken over")
        return self._ledger

    def _load(self) -> Ledger | None:
        found = self._engine.load()
        self._tag = found[1] if found else None
        return read_ledger(found[0]) if found else None

    def _save(self, ledger: Ledger) -> Ledger:
        self._tag = self._engine.save(ledger.encode(), self._tag)
        self._ledger = ledger
        return ledger

    def _drop_leftovers(self, ledger: Ledger) -> Ledger:
        if not ledger.leftovers:
            return ledger
        for place in ledger.leftovers:
            self._engine.drop(place)
        return self._save(replace(ledger, leftovers=[]))

    def _live_at(self, mark: Mark) -> tuple[CopyRecord, int]:
        """Return the live copy and the number of the last change.  Raises Superseded."""
        found = self._engine.load()
        ledger = read_ledger(found[0]) if found else None
        if ledger is None or ledger.live is None or ledger.writing or ledger.live.copy.mark != mark:
            raise Superseded("the live copy has moved on")
        return ledger.live, ledger.number


def comparable(found: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is put into it, and when an item changed: a variation that is written moves that."""
    left = {"variations", "item"} if "item_id" in found else {"variations", "item", "updated_at"}
    return {name: value for name, value in found.items() if name not in left}


_KINDS = (Kind.ITEMS, Kind.VARIATIONS)


def _is_led_to(record: CopyRecord, led: dict[str, list[str]]) -> bool:
    return any(place in found for found in led.values() for place in record.places.values())


def _left(ledger: Ledger, record: CopyRecord | None) -> list[str]:
    return [*ledger.leftovers, *(record.places.values() if record else ())]
