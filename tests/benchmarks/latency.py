"""Rows about latency: from the first byte of a write to the first read that shows it, both over HTTP."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

from tests.benchmarks.bodies import SEED, item_id
from tests.benchmarks.http_client import Connection, Request
from tests.benchmarks.plan import CATALOGS, PROBE, Plan
from tests.benchmarks.producers import Senders, paced
from tests.benchmarks.results import Results, Values, percentile
from tests.benchmarks.systems import System
from tests.benchmarks.throughput import Meter, changes, prepared

#: Between two reads of the item that is waited for.
LOOK_EVERY_S = 0.0005
#: Milliseconds between two writes, at least and at most: nothing is under way any more, though a worker may be up.
REST_MS = (60, 120)
#: The same where everything has gone to sleep.
SLEEP_MS = (1_200, 1_300)


def visible(system: System, plan: Plan, results: Results) -> Values:
    """One item at a time: on an idle system, and beside others that send at half the rate it can take."""
    peak = results.median("put", system.name) or changes(system, plan, results)["put"]
    meter = Meter(system, results)
    with Connection(system.address) as connection:
        probe = Probe(system, connection)
        for _ in range(5):
            probe.once()
        idle = [probe.once() for _ in range(plan.idle_samples)]
        asleep = [probe.once(SLEEP_MS) for _ in range(plan.asleep_samples)]
        interval_s = len(CATALOGS) * 1000 / (peak / 2)
        with Senders(system, [_background(system, plan, interval_s, nth) for nth in range(len(CATALOGS))]) as load:
            beside = list(probe.for_seconds(plan.load_seconds))
            load.stop()
    meter.wait(load.sent.accepted + probe.sent)
    return {
        "idle_p50": percentile(idle, 50), "idle_p99": percentile(idle, 99), "asleep_p50": percentile(asleep, 50),
        "half_p50": percentile(beside, 50), "half_p99": percentile(beside, 99),
    }  # fmt: skip


def _background(system: System, plan: Plan, interval_s: float, nth: int) -> Iterator[Request]:
    """Send to the n-th catalog without end, the catalogs in turn."""
    puts = prepared("PUT", plan.blocks)
    requests = (system.write("PUT", CATALOGS[nth], puts[number % len(puts)]) for number in range(10**9))
    return paced(interval_s, requests, first_s=interval_s * nth / len(CATALOGS))


class Probe:
    """Writes one item and looks until it can be seen, again and again."""

    def __init__(self, system: System, connection: Connection) -> None:
        self.sent = 0
        self._system = system
        self._connection = connection
        self._chance = random.Random(SEED)
        self._pause = threading.Event()

    def once(self, rest_ms: tuple[float, float] = REST_MS) -> float:
        """Rest, write, look; returns the milliseconds from the write to the sight of it."""
        self._pause.wait(self._chance.uniform(*rest_ms) / 1000)
        self.sent += 1
        score, id_ = b'"suggested_score":%d,' % self.sent, item_id(0, 0)
        item = b'{"items":[{"id":"%s",%s"name":"Probe","data":{"price":1.5}}]}' % (id_.encode(), score)
        write, read = self._system.write("PUT", PROBE, item), self._system.read(PROBE, id_)
        start = time.perf_counter()
        answer = self._connection.send(write)
        if answer.status != 200:
            raise RuntimeError(f"status {answer.status}: {answer.body[:300]!r}")
        while score not in self._connection.send(read).body:
            self._pause.wait(LOOK_EVERY_S)
        return (time.perf_counter() - start) * 1000

    def for_seconds(self, seconds: float) -> Iterator[float]:
        """Go on until the time is up."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            yield self.once()
