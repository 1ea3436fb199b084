"""The row about slow clients: what everybody else notices of a thousand of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from tests.benchmarks.http_client import Connection, Request, render
from tests.benchmarks.plan import CATALOGS, Plan
from tests.benchmarks.producers import Sent
from tests.benchmarks.results import Results, Values, percentile
from tests.benchmarks.systems import System
from tests.benchmarks.throughput import Meter, prepared, send_for
from tests.support.slow_clients import Crowd, crowd, kinds

#: Connections, of all kinds alike.
SLOW = 1_000
#: Between two health checks: they are to meet all that goes on, and not to load the service themselves.
CHECK_EVERY_S = 0.005


def beside_slow_clients(system: System, plan: Plan, results: Results) -> Values:
    """Health checks, and writes of 1,000 entries, beside slow clients; the writes are measured without them too."""
    meter, puts = Meter(system, results), prepared("PUT", plan.blocks)

    def put(catalog_key: str, number: int) -> Request:
        return system.write("PUT", catalog_key, puts[number % len(puts)])

    def accepted_per_s() -> float:
        start = time.perf_counter()
        sent: Sent = send_for(system, plan.seconds, CATALOGS, put)
        seconds = time.perf_counter() - start
        meter.wait(sent.accepted)
        return sent.accepted * 1000 / seconds

    before = accepted_per_s()
    with _crowds(system):
        checks = list(_health_ms(system, plan.seconds))
        beside = accepted_per_s()
    after = accepted_per_s()
    return {"slow_health_p99": percentile(checks, 99), "slow_writes": 200 * beside / (before + after)}


def _health_ms(system: System, seconds: float) -> Iterator[float]:
    """Ask whether the service lives, again and again; yields the milliseconds of each answer."""
    request, pause = render("GET", "/health/live", system.token(CATALOGS[0])), threading.Event()
    end = time.perf_counter() + seconds
    with Connection(system.address) as connection:
        while (start := time.perf_counter()) < end:
            connection.send(request)
            yield (time.perf_counter() - start) * 1000
            pause.wait(CHECK_EVERY_S)


@contextmanager
def _crowds(system: System) -> Iterator[None]:
    """Keep slow clients of all kinds; they send their byte a second on a thread of their own."""
    catalog_key, (host, port) = CATALOGS[0], system.address
    page = f"/v2/items?key={catalog_key}&num_results_per_page=1000"
    found = kinds(catalog_key, f"Bearer {system.token(catalog_key)}", page).values()
    share, over = -(-SLOW // len(found)), threading.Event()
    with ExitStack() as stack:
        crowds = [stack.enter_context(crowd(f"http://{host}:{port}", kind, share)) for kind in found]
        tending = threading.Thread(target=partial(_tend, crowds, over))
        tending.start()
        try:
            yield
        finally:
            over.set()
            tending.join()


def _tend(crowds: list[Crowd], over: threading.Event) -> None:
    while not over.is_set():
        for each in crowds:
            each.tend()
