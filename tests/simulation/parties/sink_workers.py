"""Workers that deliver a catalogue to a sink, and its operator."""

from __future__ import annotations

import contextlib
import itertools
import threading
from typing import Any

from shared.errors import StoreUnavailable
from shared.sinks.destination import Which
from shared.sinks.mapping import DEFAULT
from shared.sinks.sink_lease import SinkState, read_dead_letters, read_state
from shared.sinks.sinks import BadSink, SinkName, Sinks
from tests.simulation.parties.warehouse import MemoryDestination, Warehouse
from tests.simulation.plan import SECTION
from tests.simulation.world import World
from tests.support.laws import LawBroken
from tests.support.rig import Rig
from workers.sinks.checking import REST_MS
from workers.sinks.sink_sweep import SinkSweep
from workers.sinks.sink_turns import SinkTurns

#: How long one waits before it looks again.
LOOK_MS = (100, 1_500, 20_000)
#: Rounds at the end, at most, and how long after each other: longer than any rest, and all is compared anew.
ROUNDS, ROUND_MS = 12, REST_MS + 60_000


class SinkParty:
    """One sink of one catalog."""

    def __init__(self, world: World, catalog_key: str) -> None:
        self._world = world
        self._name = SinkName(catalog_key, "shelf")
        self.warehouse = Warehouse(world.scheduler, lambda: world.restarts, narrow=world.plan.narrow)

    def prepare(self, rig: Rig) -> None:
        """Add the sink, before anything is sent."""
        sinks = Sinks(rig.client, self._name.catalog_key)
        sinks.add(self._name.name, "memory://", section=SECTION, mapping=DEFAULT, now_ms=rig.clock(), required=True)

    def work(self, rig: Rig, holder: str) -> None:
        """Look and deliver, for ever, as a worker that begins anew when it has died."""
        scheduler, sweep = self._world.scheduler, self._sweep(rig, holder, troubled=self._world.plan.rate > 0)
        for looks in itertools.count():
            # Ever longer: others may sleep for minutes.
            scheduler.rest(LOOK_MS[scheduler.pick(len(LOOK_MS))] << min(looks, 60) // 10)
            with contextlib.suppress(StoreUnavailable):
                sweep.once()
                if scheduler.chance(self._world.plan.operated):
                    self._operate(rig)

    def finish(self, rig: Rig) -> None:
        """Deliver the rest, with nobody else about: what was refused is known, and taken once there is room."""
        sinks, name = Sinks(rig.client, self._name.catalog_key), self._name.name
        sweep = self._sweep(rig, "last", troubled=False)
        sinks.resume(name)
        self._deliver_all(rig, sweep)
        refused = self.warehouse.held[Which.LIVE].refused
        letters = {(letter.kind, letter.id) for letter in read_dead_letters(rig.client, self._name)}
        if letters != refused:
            raise LawBroken(f"sink: its dead letters are {sorted(letters)}, and refused were {sorted(refused)}")
        if refused:
            self.warehouse.narrow = False
            sinks.retry(name)
            self._deliver_all(rig, sweep)
        if (state := read_state(rig.client, self._name)).dead:
            raise LawBroken(f"sink: at the end it is {state}")

    def _deliver_all(self, rig: Rig, sweep: SinkSweep) -> None:
        """Deliver until all was compared."""
        began_ms, state = self._world.scheduler.now_ms, SinkState()
        for _ in range(ROUNDS):
            self._world.scheduler.advance(ROUND_MS)
            rig.clock.now_ms = self._world.scheduler.now_ms
            sweep.once()
            state = read_state(rig.client, self._name)
            if state.phase == "live" and state.exact and state.checked_ms > began_ms:
                break
        if state.phase != "live" or state.wrong:
            raise LawBroken(f"sink: at the end it is {state}")

    def _sweep(self, rig: Rig, holder: str, *, troubled: bool) -> SinkSweep:
        def connect(*_: object, **__: object) -> MemoryDestination:
            return MemoryDestination(self.warehouse, troubled=troubled)

        turns = SinkTurns(rig.client, rig.settings, holder, clock=rig.clock, connect=connect)
        return SinkSweep(rig.client, _no_broker, turns.turn, clock=rig.clock, stop=threading.Event())

    def _operate(self, rig: Rig) -> None:
        """Do what an operator does with a sink."""
        sinks, name = Sinks(rig.client, self._name.catalog_key), self._name.name
        match self._world.scheduler.pick(6):
            case 0:
                sinks.resync(name)
            case 1:
                sinks.pause(name)
            case 2:
                sinks.retry(name)
            case 3:
                self._undo(sinks)
            case _:
                sinks.resume(name)

    def _undo(self, sinks: Sinks) -> None:
        """Go back to the copy before, as `sluice sinks undo`."""
        live, _, old, _ = MemoryDestination(self.warehouse, troubled=False).look()
        before = live if live and live.version != sinks.get(self._name.name).version else old
        # So many copies before, nobody knows any more what they were made from.
        if before is not None:
            with contextlib.suppress(BadSink):
                sinks.undo(self._name.name, before.version)


def _no_broker(_: SinkName) -> Any:
    raise ConnectionError("simulated: there is no broker")
