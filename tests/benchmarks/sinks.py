"""Rows about sinks: how fast a catalogue gets into a database, how long it takes, and what that costs ingestion."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Callable
from functools import partial

from shared.clock import now_ms
from shared.sinks.destination import connect as open_destination
from shared.sinks.mapping import DEFAULT
from shared.sinks.sink_lease import read_state
from shared.sinks.sink_reports import has_all
from shared.sinks.sinks import Sink, SinkName, Sinks
from shared.store.client import Store, connect
from shared.waiting import wait_until
from tests.benchmarks.http_client import Connection, Request
from tests.benchmarks.loaders import PostgresLoader, PostgresPlace, TypesenseLoader, TypesensePlace
from tests.benchmarks.plan import CATALOGS, Plan
from tests.benchmarks.producers import paced
from tests.benchmarks.results import Results, Values, percentile
from tests.benchmarks.scale import fill
from tests.benchmarks.sluice_system import Sluice
from tests.benchmarks.systems import END_TIMEOUT_S
from tests.benchmarks.throughput import Meter, changing, prepared, send_for

KEY = CATALOGS[0]
NAME = "products"
#: Nobody listens there.
DEAD_URL = "postgresql://nobody@127.0.0.1:9/shop"
#: Milliseconds between two looks at the position of a table.
LOOK_MS = 1
#: Entries of one batch while the lag is measured.
LAG_ENTRIES = 100
#: Of the loss, in how many turns both sides are measured.
TURNS = 6


def into_postgres(system: Sluice, plan: Plan, results: Results) -> Values:
    """A new copy, then changes of all of it, each beside a plain loader of the same rows; then lag at half load."""
    with PostgresPlace.open(results) as place:
        if place is None:
            return {}
        rates = _Trial(system, plan, results, place.url).rates("postgres", PostgresLoader(place.url))
        lags = _lags(system, plan, rates["postgres_changes"])
        return rates | {"postgres_lag_p50": percentile(lags, 50), "postgres_lag_p99": percentile(lags, 99)}


def into_typesense(system: Sluice, plan: Plan, results: Results) -> Values:
    """The same into a search engine, without the lag."""
    with TypesensePlace.open(results) as place:
        if place is None:
            return {}
        return _Trial(system, plan, results, place.url).rates("typesense", TypesenseLoader(place.base, place.key))


def beside_ingestion(system: Sluice, plan: Plan, results: Results) -> Values:
    """PUT of 1,000 entries to 4 catalogs, of which one has a live and a dead sink, against the same without sinks."""
    with PostgresPlace.open(results) as place:
        if place is None:
            return {}
        puts = changing("PUT", plan.blocks)

        def put(catalog_key: str, number: int) -> Request:
            return system.write("PUT", catalog_key, puts[number % len(puts)])

        def rate(figure: str) -> float:
            return meter.run(figure, 1000, CATALOGS, partial(send_for, system, plan.seconds, CATALOGS, put))

        meter = Meter(system, results)
        sinks = _connected(system)
        shares = []
        rate("put_before_sinks")
        for _ in range(TURNS):
            before = rate("put_without_sinks")
            for name, url in (("live", place.url), ("dead", DEAD_URL)):
                sinks.add(name, url, section="Products", mapping=DEFAULT, now_ms=now_ms(), take_over=True)
            _wait_live(system, SinkName(KEY, "live"))
            beside = rate("put_beside_sinks")
            for name in ("live", "dead"):
                sinks.remove(name)
            # A turn goes on until it notices, and would slow what is measured next.
            wait_until(place.is_left, "nobody is connected", timeout_s=END_TIMEOUT_S)
            shares.append(200 * beside / (before + rate("put_without_sinks")))
        return {"put_with_sinks": statistics.median(shares)}


class _Trial:
    """One sink of one catalogue, measured from empty."""

    def __init__(self, system: Sluice, plan: Plan, results: Results, url: str) -> None:
        self._system = system
        self._meter = Meter(system, results)
        self._blocks = plan.sink_blocks
        self._url = url

    def rates(self, figure: str, loader: PostgresLoader | TypesenseLoader) -> Values:
        """Measure both ways of getting there, in entries per second."""
        name, sinks = SinkName(KEY, NAME), _connected(self._system)
        entries = self._blocks * 1000
        self._meter.wait(fill(self._system, {KEY: self._blocks}).accepted)
        loaded = entries / _timed(lambda: loader.load(prepared("PUT", self._blocks)))

        def copy() -> None:
            sinks.add(NAME, self._url, section="Products", mapping=DEFAULT, now_ms=now_ms())
            _wait_live(self._system, name)

        copied = entries / _timed(copy)
        sinks.pause(NAME)
        again = prepared("PUT", self._blocks, version=1)
        self._meter.wait(_send_once(self._system, again))
        loaded_again = entries / _timed(lambda: loader.load(again))

        def follow() -> None:
            sinks.resume(NAME)
            _wait_live(self._system, name)

        followed = entries / _timed(follow)
        loader.close()
        return {
            f"{figure}_copy": copied, f"{figure}_loader": loaded,
            f"{figure}_changes": followed, f"{figure}_loader_again": loaded_again,
        }  # fmt: skip


def _lags(system: Sluice, plan: Plan, rate: float) -> list[float]:
    """Send at half the rate that the sink follows; returns the milliseconds from each write to the table's position."""
    sent: list[tuple[int, float]] = []
    seen: dict[int, float] = {}
    over = threading.Event()
    watcher = threading.Thread(target=partial(_watch, system, seen, over))
    watcher.start()
    try:
        count = int(plan.load_seconds * rate / 2 / LAG_ENTRIES)
        puts = prepared("PUT", 64, LAG_ENTRIES, version=2)
        requests = (system.write("PUT", KEY, puts[number % len(puts)]) for number in range(count))
        with Connection(system.address) as connection:
            for request in paced(LAG_ENTRIES / (rate / 2), requests):
                start = time.perf_counter()
                answer = connection.send(request)
                if answer.status != 200:
                    raise RuntimeError(f"status {answer.status}: {answer.body[:300]!r}")
                sent.append((int(json.loads(answer.body)["task_id"]), start))
        last = sent[-1][0]
        wait_until(lambda: max(seen, default=0) >= last, "the table has all", timeout_s=END_TIMEOUT_S)
    finally:
        over.set()
        watcher.join()
    # A position has all tasks up to it.
    positions = sorted(seen)
    lags, at = [], 0
    for task_id, start in sent:
        while positions[at] < task_id:
            at += 1
        lags.append((seen[positions[at]] - start) * 1000)
    return lags


def _watch(system: Sluice, seen: dict[int, float], over: threading.Event) -> None:
    """Note when the table was first seen at each position."""
    sink: Sink = _connected(system).get(NAME)
    destination = open_destination(sink, KEY, timeout_s=10)
    try:
        while not over.wait(LOOK_MS / 1000):
            live = destination.look().live
            if live is not None:
                at = live.mark.position
                seen.setdefault(at.task_id - at.is_inside, time.perf_counter())
    finally:
        destination.close()


def _send_once(system: Sluice, bodies: list[bytes]) -> int:
    with Connection(system.address) as connection:
        for each in bodies:
            answer = connection.send(system.write("PUT", KEY, each))
            if answer.status != 200:
                raise RuntimeError(f"status {answer.status}: {answer.body[:300]!r}")
    return len(bodies)


def _client(system: Sluice) -> Store:
    return connect(system.store_url)


def _connected(system: Sluice) -> Sinks:
    return Sinks(_client(system), KEY)


def _wait_live(system: Sluice, name: SinkName) -> None:
    """Wait until a sink has all."""
    client = _client(system)
    version = Sinks(client, name.catalog_key).get(name.name).version

    def is_live() -> bool:
        state = read_state(client, name)
        return state.version == version and has_all(client, name, state)

    wait_until(is_live, f"{name.name} has all", timeout_s=END_TIMEOUT_S, every_s=0.01)


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
