"""A catalogue that is being written to, deleted from and replaced, all the while some of it stands still."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator

from shared.errors import StoreUnavailable
from shared.model import NO_SECTION, Kind, Operation
from tests.support.batches import Entry, items, make_batch, named, variations
from tests.support.rig import Rig

#: Every fourth entry stands still, the others come and go around it.
IDS = [f"{number:04}" for number in range(400)]
STILL = IDS[::4]
RESTLESS = [entry_id for entry_id in IDS if entry_id not in STILL]
#: Entries of one batch.
BATCH = 120


def entries(kind: Kind, ids: list[str]) -> list[Entry]:
    """Make whole entries of a kind; the variations are all of one item."""
    return variations(STILL[0], *ids) if kind is Kind.VARIATIONS else items(*ids)


class Bustle:
    """Writes of all kinds to a rig, and their drain."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self.rig = rig
        self._random = random.Random(seed)
        self._turn, self._wanted = threading.Lock(), False

    def fill(self) -> None:
        """Put everything there once."""
        for kind in Kind:
            self._send(kind, Operation.PUT, entries(kind, IDS))
        self.rig.drain()

    def write(self) -> None:
        """Send a batch or a file that leaves alone what stands still, and apply it, unless the store is away."""
        with contextlib.suppress(StoreUnavailable):
            self._write()

    def apply_what_waits(self) -> None:
        """Apply what a store that went away has left."""
        self.rig.expire_lease()
        self.rig.drain()

    def _write(self) -> None:
        kind, ids = self._random.choice(list(Kind)), self._random.sample(RESTLESS, BATCH)
        match self._random.randrange(6):
            case 0:
                self._send(kind, Operation.SYNC, entries(kind, sorted(ids + STILL)))
            case 1 | 2:
                self._send(kind, Operation.DELETE, named(*ids))
            case 3:
                self._send(kind, Operation.PATCH, entries(kind, STILL[:1]))
            case _:
                self._send(kind, Operation.PUT, entries(kind, ids))
        self.rig.drain()

    def _send(self, kind: Kind, operation: Operation, sent: list[Entry]) -> None:
        section = NO_SECTION if kind is Kind.ITEM_GROUPS else "Products"
        self.rig.submit_batch(make_batch(operation, sent, kind=kind, section=section, force=True, chunk_entries=50))

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """Write nothing for a moment, in the midst of `going_on`."""
        self._wanted = True
        with self._turn:
            yield
            self._wanted = False

    @contextlib.contextmanager
    def going_on(self) -> Iterator[None]:
        """Write without a pause, in a thread of its own; raises what it raised there."""
        stop, failures = threading.Event(), list[BaseException]()

        def go_on() -> None:
            try:
                while not stop.is_set():
                    with self._turn:
                        self.write()
                    # Whoever wants it to stand still gets the lock before the next batch does.
                    while self._wanted and not stop.is_set():
                        stop.wait(0.001)
            except BaseException as failure:
                failures.append(failure)

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        if failures:
            raise failures[0]
