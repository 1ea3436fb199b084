"""Workers that deliver a catalogue to a sink, and its operator."""

from __future__ import annotations

import contextlib
import itertools
import threading
from typing import Any

from shared.errors import StoreUnavailable
from shared.sinks.mapping import DEFAULT
from shared.sinks.sink_lease import SinkState, read_state
from shared.sinks.sinks import SinkName, Sinks
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
#: How often its operator does something after a look.
OPERATED = 0.04
#: Rounds at the end, at most, and how long after each other: longer than any rest, and all is compared anew.
ROUNDS, ROUND_MS = 12, REST_MS + 60_000


class SinkParty:
    """One sink of one catalog."""

    def __init__(self, world: World, catalog_key: str) -> None:
        self._world = world
        self._name = SinkName(catalog_key, "shelf")
        self.warehouse = Warehouse(world.scheduler, lambda: world.restarts)

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
                if scheduler.chance(OPERATED):
                    self._operate(rig)

    def finish(self, rig: Rig) -> None:
        """Deliver the rest, with nobody else about, until all was compared."""
        Sinks(rig.client, self._name.catalog_key).resume(self._name.name)
        sweep = self._sweep(rig, "last", troubled=False)
        began_ms, state = self._world.scheduler.now_ms, SinkState()
        for _ in range(ROUNDS):
            self._world.scheduler.advance(ROUND_MS)
            rig.clock.now_ms = self._world.scheduler.now_ms
            sweep.once()
            state = read_state(rig.client, self._name)
            if state.phase == "live" and state.exact and state.checked_ms > began_ms:
                break
        if state.phase != "live" or state.wrong or state.dead:
            raise LawBroken(f"sink: at the end it is {state}")

    def _sweep(self, rig: Rig, holder: str, *, troubled: bool) -> SinkSweep:
        def connect(*_: object, **__: object) -> MemoryDestination:
            return MemoryDestination(self.warehouse, troubled=troubled)

        turns = SinkTurns(rig.client, rig.settings, holder, clock=rig.clock, connect=connect)
        return SinkSweep(rig.client, _no_broker, turns.turn, clock=rig.clock, stop=threading.Event())

    def _operate(self, rig: Rig) -> None:
        sinks, name = Sinks(rig.client, self._name.catalog_key), self._name.name
        [sinks.resync, sinks.pause, sinks.resume, sinks.resume, sinks.retry][self._world.scheduler.pick(5)](name)


def _no_broker(_: SinkName) -> Any:
    raise ConnectionError("simulated: there is no broker")
