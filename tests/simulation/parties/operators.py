"""An operator, who settles partitions that are stuck, by a look now and then."""

from __future__ import annotations

import itertools

from shared.admin.stuck import Decision, settle_stuck
from shared.errors import NotStuck, StoreUnavailable
from tests.simulation.journal import Settled
from tests.simulation.world import World
from tests.support.rig import Rig

#: How long one waits before the next look.
LOOK_MS = (500, 5_000, 40_000)


class Operator:
    """Retries or skips what is stuck; of what is not stuck nothing can be decided."""

    def __init__(self, world: World, rig: Rig) -> None:
        self._world = world
        self._rig = rig
        self._decisions = itertools.count()

    def run(self) -> None:
        """Settle, for ever."""
        scheduler, catalogs = self._world.scheduler, self._world.plan.catalogs
        for looks in itertools.count():
            # Ever longer: others may sleep for minutes.
            scheduler.rest(LOOK_MS[scheduler.pick(len(LOOK_MS))] << min(looks, 60) // 10)
            try:
                self.settle(self._rig, catalogs[scheduler.pick(len(catalogs))])
            except StoreUnavailable:
                continue

    def settle(self, rig: Rig, catalog_key: str) -> None:
        """Decide about one partition, by chance, if it is stuck."""
        decision = Decision.RETRY if self._world.scheduler.chance(0.5) else Decision.SKIP
        name = f"operator-{next(self._decisions)}"
        settled = self._world.journals[catalog_key].settled[name] = Settled(decision)
        try:
            task_id = settle_stuck(rig.client, rig.settings, catalog_key, decision, who=name, now_ms=rig.clock())
        except NotStuck:
            return
        settled.task_id, settled.answered = task_id, self._world.tick()
        self._world.is_stirred = True
