"""Schedule the faults: drawn from a seed, kind after kind until all have had their turn."""

from __future__ import annotations

import heapq
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from shared.errors import StoreUnavailable
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.links import Heal
from tests.chaos.sinks.faults_of_sinks import sink_faults
from tests.chaos.stage import CannotBe, Stage

#: Seconds between two faults, at least and at most.
GAP_S = (0.3, 3.0)


@dataclass(order=True)
class _Due:
    at: float
    number: int
    heal: Heal = field(compare=False)
    seizes: str = field(compare=False)


@dataclass
class Schedule:
    """Inflicts faults on a stage; the same seed draws the same kinds, gaps and lengths."""

    stage: Stage
    random: random.Random
    #: How often each kind was inflicted.
    inflicted: Counter[str] = field(default_factory=Counter)
    #: (monotonic s, name), in order.
    history: list[tuple[float, str]] = field(default_factory=list)
    _due: list[_Due] = field(default_factory=list)
    _deck: list[Fault] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        """Inflict faults for so long, then heal what still lasts."""
        end, next_at = time.monotonic() + seconds, time.monotonic()
        pause = threading.Event()
        while (now := time.monotonic()) < end:
            if next_at <= now:
                self._inflict()
                next_at = now + self.random.uniform(*GAP_S)
            self._heal_until(now)
            soonest = min([next_at, end, *(due.at for due in self._due[:1])])
            pause.wait(max(0.0, soonest - time.monotonic()))
        self._heal_until(float("inf"))

    def _inflict(self) -> None:
        fault = self._draw()
        lasts_s = self.random.uniform(*fault.lasts_s)
        now = time.monotonic()
        try:
            heal = fault.inflict(self.stage)
        except (RedisError, StoreUnavailable, OSError, CannotBe):
            # It needed a store that an earlier fault has taken away, or what this machine does not have.
            return
        self.inflicted[fault.name] += 1
        self.history.append((now, fault.name))
        if heal:
            heapq.heappush(self._due, _Due(now + lasts_s, len(self.history), heal, fault.seizes))

    def _draw(self) -> Fault:
        seized = {due.seizes for due in self._due}
        for _ in range(2):
            for fault in self._deck:
                if not fault.seizes or fault.seizes not in seized:
                    self._deck.remove(fault)
                    return fault
            more = [*FAULTS, *sink_faults(self.stage)]
            self.random.shuffle(more)
            self._deck += more
        raise AssertionError("some fault seizes nothing")

    def _heal_until(self, now: float) -> None:
        while self._due and self._due[0].at <= now:
            heapq.heappop(self._due).heal()
