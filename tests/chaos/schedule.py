"""Schedule the faults: drawn from a seed, kind after kind until all have had their turn."""

from __future__ import annotations

import heapq
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psycopg
from redis.exceptions import RedisError

from shared.errors import StoreUnavailable
from shared.waiting import wait_until
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.links import Heal
from tests.chaos.sinks.faults_of_sinks import sink_faults
from tests.chaos.stage import CannotBe, Stage

#: Seconds between two faults, at least and at most.
GAP_S = (0.3, 3.0)
#: Seconds in which a fault is healed, on a busy machine.
HEALED_S = 120.0
#: Seconds for which faults go on at most until there were enough.
ENOUGH_S = 180.0


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
    #: Faults of what only some runs have.
    more: Sequence[Fault] = ()
    #: How often each kind was inflicted.
    inflicted: Counter[str] = field(default_factory=Counter)
    #: (monotonic s, name), in order.
    history: list[tuple[float, str]] = field(default_factory=list)
    _due: list[_Due] = field(default_factory=list)
    _deck: list[Fault] = field(default_factory=list)

    def run(self, seconds: float, enough: Callable[[], bool] = lambda: True) -> None:
        """Inflict faults for so long, and until there were enough, then heal what still lasts."""
        next_at = time.monotonic()
        end = next_at + seconds
        last = end + ENOUGH_S
        pause = threading.Event()
        while (now := time.monotonic()) < end or (now < last and not enough()):
            if next_at <= now:
                self._inflict()
                next_at = now + self.random.uniform(*GAP_S)
            self._heal_until(now)
            soonest = min([next_at, *([end] if now < end else []), *(due.at for due in self._due[:1])])
            pause.wait(max(0.0, soonest - time.monotonic()))
        self._heal_until(float("inf"))

    def _inflict(self) -> None:
        fault = self._draw()
        lasts_s = self.random.uniform(*fault.lasts_s)
        now = time.monotonic()
        try:
            heal = fault.inflict(self.stage)
        except (RedisError, StoreUnavailable, psycopg.Error, OSError, CannotBe):
            # It needed a server that an earlier fault has taken away, or what this machine does not have.
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
            more = [*FAULTS, *sink_faults(self.stage), *self.more]
            self.random.shuffle(more)
            self._deck += more
        raise AssertionError("some fault seizes nothing")

    def _heal_until(self, now: float) -> None:
        while self._due and self._due[0].at <= now:
            _heal(heapq.heappop(self._due).heal)


def _heal(heal: Heal) -> None:
    """End a fault; a server that is not up again yet is waited for."""

    def healed() -> bool:
        try:
            heal()
        except (psycopg.Error, OSError):
            return False
        return True

    wait_until(healed, "a fault is healed", timeout_s=HEALED_S, every_s=0.5)
