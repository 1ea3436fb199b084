"""What the processes of one history share."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any, cast

from shared.doorbell import Doorbell
from shared.errors import StoreUnavailable
from shared.keys import CatalogKeys
from tests.simulation.checks.guard_book import GuardBook
from tests.simulation.journal import Journal
from tests.simulation.plan import Plan
from tests.simulation.scheduler import Scheduler
from tests.simulation.timed_store import TimedStore
from tests.support.by_hand import SilentBell
from tests.support.rig import Rig
from workers.drain.puller import Puller
from workers.jobs import JOB_S

#: How long a worker without work waits before it looks again.
IDLE_MS = (20, 500, 2_000)
#: When the store is started anew, at the latest, and how much of what it wrote is lost, and how long it is away.
RESTART_WITHIN_MS, LOST_MS = 3_000, 1_000
#: How often it knows the scripts then, as one has that was asked before.
KNOWN = 0.7
#: How often a worker that could rest looks for work instead; most looks that find nothing are left out.
LOOKS, LOOKS_IN_VAIN = 0.25, 0.02
#: The share of wake-ups that are lost, and of those that come twice, where they are not all to arrive.
LOST, DOUBLED = 0.2, 0.1


class LossyBell(SilentBell):
    """A bell whose wake-ups may be lost or come twice."""

    def __init__(self, scheduler: Scheduler, *, reliable: bool) -> None:
        super().__init__()
        self._scheduler = scheduler
        self._reliable = reliable

    def ring(self, catalog_key: str) -> None:
        if self._reliable or self._scheduler.is_calm:
            super().ring(catalog_key)
        elif not self._scheduler.chance(LOST):
            super().ring(catalog_key)
            if self._scheduler.chance(DOUBLED):
                super().ring(catalog_key)


class World:
    """One history's bell, journals and clock of the senders."""

    def __init__(self, plan: Plan, scheduler: Scheduler, ask: Callable[..., list[Any]]) -> None:
        """``ask``: sends commands that are no round trip of a process."""
        self.plan = plan
        self._ask = ask
        self._lengths = [("XLEN", CatalogKeys(key).stream) for key in plan.catalogs]
        self.scheduler = scheduler
        self.bell = LossyBell(scheduler, reliable=not plan.sweeps)
        self.journals: dict[str, Journal] = defaultdict(Journal)
        self.guards: dict[str, GuardBook] = defaultdict(GuardBook)
        #: Whether there may be something for a worker that looks by itself.
        self.is_stirred = True
        #: How often the store was started anew, and since when it had forgotten what was answered, in ticks.
        self.restarts = 0
        self.lost_since = math.inf
        self._ticks = 0

    def waiting(self) -> list[str]:
        """List the catalogs with tasks that have not ended."""
        return [key for key, length in zip(self.plan.catalogs, self._ask(*self._lengths), strict=True) if length]

    def restart(self, store: TimedStore) -> None:
        """Start the store anew, at some moment: what was written up to a second before is lost."""
        scheduler = self.scheduler
        scheduler.rest(scheduler.pick(RESTART_WITHIN_MS))
        snapshot, lost_since = store.snapshot(), self.tick()
        scheduler.rest(scheduler.pick(LOST_MS))
        store.restart(snapshot, knows_scripts=scheduler.chance(KNOWN))
        self.restarts, self.lost_since = 1, lost_since
        scheduler.cut_off_all(scheduler.pick(LOST_MS))

    def tick(self) -> float:
        """A moment between two others."""
        self._ticks += 1
        return float(self._ticks)


class Worker:
    """A process that drains: its program begins anew when it has died."""

    def __init__(self, world: World, rig: Rig, name: str) -> None:
        self._world = world
        self._rig = rig
        self._name = name
        self._lives = 0
        #: Whether it does nothing now, and has no wake-up to follow.
        self.is_idle = False
        #: How often it has found nothing to do, one after the other: it waits ever longer.
        self._in_vain = 0

    def run(self) -> None:
        """Follow wake-ups, and look for work by itself now and then, for ever."""
        self._lives += 1
        world, scheduler, rung = self._world, self._world.scheduler, self._world.bell.rung
        drainer = self._rig.drainer(holder=f"{self._name}-{self._lives}")
        puller = Puller(drainer, self._rig.backlog, cast(Doorbell, world.bell), clock=self._rig.clock, linger_s=0.0)
        sweep = self._rig.sweep(self._rig.drainer(holder=f"{self._name}-{self._lives}-sweep"))
        while True:
            self.is_idle = False
            try:
                if rung:
                    self._in_vain = 0
                    self._follow(puller, rung.pop(scheduler.pick(len(rung))))
                elif world.plan.sweeps and scheduler.chance(LOOKS if world.is_stirred else LOOKS_IN_VAIN):
                    sweep.once()
                    world.is_stirred = bool(world.waiting())
                else:
                    self.is_idle = True
                    self._in_vain += 1
                    scheduler.rest(IDLE_MS[scheduler.pick(3)] << min(self._in_vain, 20) // 4)
            except StoreUnavailable:
                continue

    def _follow(self, puller: Puller, catalog_key: str) -> None:
        """Do as the job in workers/jobs.py does."""
        until = self._world.scheduler.seconds() + JOB_S
        try:
            puller.drain(catalog_key)
        finally:
            puller.pull(until=until)


def last_sweep(rig: Rig) -> None:
    """Drain all that is left, as a worker does that comes when everybody else is gone."""
    sweep = rig.sweep(rig.drainer(holder="last"))
    sweep.once()
