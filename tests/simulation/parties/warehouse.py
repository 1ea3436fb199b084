"""A destination of a sink, in memory: each call takes effect at once, or not at all, and its answer may be lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from shared.model import Kind
from shared.sinks.destination import (
    Copies,
    Copy,
    CopyChange,
    DeadLetter,
    DestinationAway,
    Differences,
    Superseded,
    TooMuchAtOnce,
    Which,
)
from shared.sinks.mapping import Document
from tests.simulation.scheduler import Scheduler
from tests.support.interposed import Killed

T = TypeVar("T")

#: How long a call takes, and how long one may be under way that others overtake: longer than the lease of a sink.
CALL_MS, LATE_MS = (0, 1, 20, 900), (3_000, 50_000)
#: The share of calls that do not arrive, whose answers are lost, that are late, and whose caller dies of them; and of
#: changes with several entries that are too much at once.
LOST, LATE, DEADLY, TOO_MUCH = 0.05, 0.03, 0.02, 0.1
#: The name of entries for which a narrow destination has no room.
TOO_LONG = "z"

Rows = dict[tuple[Kind, str], bytes]


@dataclass(frozen=True)
class Sight:
    """What readers of the live copy see, from one moment on."""

    copy: Copy
    rows: Rows
    #: How often the store had been started anew when the copy was begun.
    begun: int
    #: The entries that were refused, so that there is no row.
    refused: frozenset[tuple[Kind, str]] = frozenset()
    #: Whether they were led back to an earlier copy.
    undone: bool = False


@dataclass
class Held:
    """One copy."""

    copy: Copy
    begun: int
    rows: Rows = field(default_factory=dict)
    refused: set[tuple[Kind, str]] = field(default_factory=set)

    def put(self, kind: Kind, document: Document, *, narrow: bool) -> bool:
        """Take a document; False if there is no room for it."""
        name = kind, document.id
        self.drop(*name)
        if narrow and json.loads(document.body).get("name") == TOO_LONG:
            self.refused.add(name)
            return False
        self.rows[name] = document.body
        return True

    def drop(self, kind: Kind, entry_id: str) -> None:
        """Have no such entry any more."""
        self.rows.pop((kind, entry_id), None)
        self.refused.discard((kind, entry_id))


class Warehouse:
    """The server: what it holds outlives whoever delivers to it."""

    def __init__(self, scheduler: Scheduler, restarts: Callable[[], int], *, narrow: bool) -> None:
        """``narrow``: it refuses some entries."""
        self.scheduler = scheduler
        self.restarts = restarts
        self.narrow = narrow
        self.owner = ""
        self.held: dict[Which, Held] = {}
        self.sights: list[Sight] = []

    def see(self, *, undone: bool = False) -> None:
        """Note what readers see now."""
        live = self.held[Which.LIVE]
        self.sights.append(Sight(live.copy, dict(live.rows), live.begun, frozenset(live.refused), undone))


class MemoryDestination:
    """A connection to it."""

    def __init__(self, warehouse: Warehouse, *, troubled: bool) -> None:
        self._warehouse = warehouse
        self._held = warehouse.held
        self._troubled = troubled
        self._owner = ""

    def take_over(self, owner: str) -> Copies:
        def take() -> Copies:
            self._warehouse.owner = self._owner = owner
            return self._copies()

        return self._call(take)

    def look(self) -> Copies:
        return self._call(self._copies)

    def start_next(self, copy: Copy) -> None:
        self._call(lambda: self._held.update({Which.NEXT: Held(copy, self._warehouse.restarts())}), changes=True)

    def drop_next(self) -> None:
        self._call(lambda: self._held.pop(Which.NEXT, None), changes=True)

    def deliver(self, change: CopyChange) -> list[DeadLetter]:
        def deliver() -> list[DeadLetter]:
            held = self._expect(change.which, change.before)
            if change.entries > 1 and self._meets(TOO_MUCH):
                raise TooMuchAtOnce
            held.copy = change.after
            for kind, gone in change.gone.items():
                for entry_id in gone:
                    held.drop(kind, entry_id)
            dead = [
                DeadLetter(kind, document.id, "simulated: too long")
                for kind, documents in change.documents.items()
                for document in documents
                if not held.put(kind, document, narrow=self._warehouse.narrow)
            ]
            if change.which is Which.LIVE:
                self._warehouse.see()
            return dead

        return self._call(deliver, changes=True)

    def switch(self, copy: Copy) -> None:
        def switch() -> None:
            self._expect(Which.NEXT, copy)
            live = self._held.pop(Which.LIVE, None)
            if live is not None and live.copy.version != copy.version:
                self._held[Which.OLD] = live
            self._held[Which.LIVE] = self._held.pop(Which.NEXT)
            self._warehouse.see()

        self._call(switch, changes=True)

    def undo(self, copy: Copy) -> None:
        def undo() -> None:
            self._expect(Which.OLD, copy)
            self._held[Which.LIVE], self._held[Which.OLD] = self._held[Which.OLD], self._held[Which.LIVE]
            self._warehouse.see(undone=True)

        self._call(undo, changes=True)

    def drop_old(self) -> None:
        self._call(lambda: self._held.pop(Which.OLD, None), changes=True)

    def compare(self, mark: object, kind: Kind, documents: Sequence[Document], after: str, until: str) -> Differences:
        def compare() -> Differences:
            live = self._held.get(Which.LIVE)
            if live is None or live.copy.mark != mark:
                raise Superseded("the copy is at another mark")
            first, last = after.encode(), until.encode()
            here = {
                id_: body
                for (of, id_), body in live.rows.items()
                if of is kind and first < id_.encode() and (not last or id_.encode() <= last)
            }
            wanted = {document.id: document.body for document in documents}
            return Differences(
                sorted(wanted.keys() - here.keys()),
                sorted(here.keys() - wanted.keys()),
                sorted(id_ for id_ in wanted.keys() & here.keys() if wanted[id_] != here[id_]),
            )

        return self._call(compare)

    def close(self) -> None:
        """There is nothing to give up."""

    def _expect(self, which: Which, copy: Copy) -> Held:
        held = self._held.get(which)
        if held is None or held.copy != copy:
            raise Superseded(f"{which} is {held and held.copy}, not {copy}")
        return held

    def _copies(self) -> Copies:
        live, following, old = (self._held.get(which) for which in (Which.LIVE, Which.NEXT, Which.OLD))
        return Copies(live and live.copy, following and following.copy, old and old.copy)

    def _call(self, do: Callable[[], T], *, changes: bool = False) -> T:
        """Call the server, with what may happen to a call."""
        scheduler = self._warehouse.scheduler
        process = scheduler.current
        if process is None:
            return self._done(do, changes=changes)
        scheduler.rest(CALL_MS[scheduler.pick(len(CALL_MS))])
        if self._meets(LOST):
            raise DestinationAway("simulated: it did not arrive")
        if self._meets(LATE):
            scheduler.rest(LATE_MS[scheduler.pick(len(LATE_MS))])
        scheduler.trace.append((process.name, f"the destination: {do.__qualname__.split('.')[1]}"))
        done = self._done(do, changes=changes)
        if self._meets(DEADLY):
            process.is_dying = True
            raise Killed
        if self._meets(LOST):
            raise DestinationAway("simulated: its answer is lost")
        return done

    def _meets(self, share: float) -> bool:
        """Whether an accident happens now, of which there is such a share."""
        scheduler = self._warehouse.scheduler
        return self._troubled and scheduler.current is not None and not scheduler.is_calm and scheduler.chance(share)

    def _done(self, do: Callable[[], T], *, changes: bool) -> T:
        if changes and self._owner != self._warehouse.owner:
            raise Superseded("somebody else delivers")
        return do()
