"""Rows about throughput: from the first request to the end of the last batch that was accepted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial

from shared.waiting import wait_until
from tests.benchmarks.bodies import body
from tests.benchmarks.floor import Floor
from tests.benchmarks.http_client import Request, render
from tests.benchmarks.plan import CATALOGS, MANY, Plan
from tests.benchmarks.producers import Sent, for_seconds, send_all
from tests.benchmarks.results import Results, Values
from tests.benchmarks.systems import System
from tests.support.files import MULTIPART, multipart

#: Connections of the row with many catalogs.
CONNECTIONS = 8
#: Seconds in which all that seems to be applied is.
SURE_TIMEOUT_S = 10.0


@cache
def prepared(method: str, blocks: int, entries: int = 1000, version: int = 0) -> list[bytes]:
    """Render bodies before the time starts."""
    return [body(method, block, entries=entries, version=version) for block in range(blocks)]


def changing(method: str, blocks: int, entries: int = 1000) -> list[bytes]:
    """Render the bodies of blocks in two versions, one behind the other: each time around everything changes."""
    return [*prepared(method, blocks, entries), *prepared(method, blocks, entries, version=1)]


@dataclass
class Meter:
    """Times what a system does, from empty."""

    system: System
    results: Results
    #: Batches since the store was emptied.
    accepted: int = 0
    _catalogs: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.system.fresh()

    def run(self, figure: str, entries: int, catalog_keys: Sequence[str], send: Callable[[], Sent]) -> float:
        """Send, wait until all of it is applied, and return the entries a second."""
        self._catalogs.update(catalog_keys)
        before, start = self.system.cpu(), time.perf_counter()
        batches, seconds = send().accepted, 0.0
        self.accepted += batches

        def through() -> bool:
            nonlocal seconds
            self.system.wait_all_ended(self.accepted)
            seconds = time.perf_counter() - start
            note_cpu(self.results, figure, self.system, before, batches)
            # A worker takes a catalog off the backlog before it looks whether something came, and then puts it back.
            return self.system.count_done(sorted(self._catalogs)) == self.accepted

        wait_until(through, f"all of {self.accepted} batches are applied", timeout_s=SURE_TIMEOUT_S)
        return batches * entries / seconds

    def wait(self, batches: int) -> None:
        """Wait until so many more batches are applied."""
        self.accepted += batches
        self.system.wait_all_ended(self.accepted)


def note_cpu(results: Results, figure: str, system: System, before: dict[str, float], requests: int) -> None:
    """Keep what each part of a system used for a request since ``before``."""
    used = {part: seconds - before[part] for part, seconds in system.cpu().items()}
    results.cpu.setdefault(figure, {})[system.name] = {
        part: round(seconds * 1000 / requests, 3) for part, seconds in used.items()
    }


def changes(system: System | Floor, plan: Plan, results: Results) -> Values:
    """PUT, then PATCH what was put, then DELETE it."""
    puts = changing("PUT", plan.blocks)
    patches = [prepared("PATCH", plan.blocks, version=version) for version in (0, 1)]
    deletes = prepared("DELETE", plan.blocks)
    if isinstance(system, Floor):
        return {
            "put": system.put(puts, plan.seconds),
            "patch": system.patch([*patches[0], *patches[1]], plan.seconds),
            "delete": system.delete(deletes),
        }
    meter, stored = Meter(system, results), dict.fromkeys(CATALOGS, 0)

    def put(catalog_key: str, number: int) -> Request:
        stored[catalog_key] = max(stored[catalog_key], min(number + 1, plan.blocks))
        return system.write("PUT", catalog_key, puts[number % len(puts)])

    def patch(catalog_key: str, number: int) -> Request:
        # Another version each time around: a PATCH that changes nothing is cheap.
        around, block = divmod(number, stored[catalog_key])
        return system.write("PATCH", catalog_key, patches[around % 2][block])

    def delete() -> Sent:
        return send_all(
            system, [[system.write("DELETE", key, each) for each in deletes[: stored[key]]] for key in CATALOGS]
        )

    return {
        "put": meter.run("put", 1000, CATALOGS, lambda: send_for(system, plan.seconds, CATALOGS, put)),
        "patch": meter.run("patch", 1000, CATALOGS, lambda: send_for(system, plan.seconds, CATALOGS, patch)),
        "delete": meter.run("delete", 1000, CATALOGS, delete),
    }


def again(system: System, plan: Plan, results: Results) -> Values:
    """PUT and sync of what is stored."""
    puts, meter = prepared("PUT", plan.blocks), Meter(system, results)
    make = _cycling(system, puts)
    meter.run("put_first", 1000, CATALOGS, lambda: _each_once(system, puts))
    put = meter.run("put_again", 1000, CATALOGS, lambda: send_for(system, plan.seconds, CATALOGS, make))
    rows = [entry for each in puts for entry in json.loads(each)["items"]]
    file = multipart({"items": "\n".join(map(json.dumps, rows))})
    syncs = [
        render("PUT", f"/v1/catalog?key={key}&format=jsonl", system.token(key), file, MULTIPART["Content-Type"])
        for key in CATALOGS
    ]
    once = [[sync] for sync in syncs]
    meter.run("sync_first", len(rows), CATALOGS, lambda: send_all(system, once))
    sync = meter.run("sync_again", len(rows), CATALOGS, lambda: send_all(system, once))
    return {"put_again": put, "sync_again": sync}


def _each_once(system: System, puts: Sequence[bytes]) -> Sent:
    return send_all(system, [[system.write("PUT", key, each) for each in puts] for key in CATALOGS])


def big_batches(system: System | Floor, plan: Plan, results: Results) -> Values:
    """PUT of 10,000 entries at a time."""
    puts = changing("PUT", max(2, plan.blocks // 10), 10_000)
    if isinstance(system, Floor):
        return {"put_10000": system.put(puts, plan.seconds)}
    make = _cycling(system, puts)
    send = partial(send_for, system, plan.seconds, CATALOGS, make)
    return {"put_10000": Meter(system, results).run("put_10000", 10_000, CATALOGS, send)}


def single_entries(system: System, plan: Plan, results: Results) -> Values:
    """PUT of one entry at a time, over many catalogs."""
    return {"put_1": Meter(system, results).run("put_1", 1, MANY, partial(_send_single, system, plan))}


def bare(system: System, plan: Plan, results: Results) -> Values:
    """GET of nothing: the most that HTTP server and framework answer, whatever stands behind them."""
    request = render("GET", "/health/live", system.token(MANY[0]))
    before, start = system.cpu(), time.perf_counter()
    sent = send_all(system, [for_seconds(plan.seconds, lambda _: request) for _ in range(CONNECTIONS)])
    seconds = time.perf_counter() - start
    note_cpu(results, "bare", system, before, sent.accepted)
    return {"bare": sent.accepted / seconds}


def halves(system: System, plan: Plan, results: Results) -> Values:
    """The ingress with its workers stopped, then the workers with what the ingress left them."""
    make = _cycling(system, changing("PUT", plan.blocks))
    send = partial(send_for, system, plan.seconds, CATALOGS, make)
    return _apart(Meter(system, results), ("ingress", "drain"), 1000, CATALOGS, send)


def single_halves(system: System, plan: Plan, results: Results) -> Values:
    """The same with one entry at a time, over many catalogs."""
    send = partial(_send_single, system, plan)
    return _apart(Meter(system, results), ("ingress_1", "drain_1"), 1, MANY, send)


def few_clients(system: System, plan: Plan, results: Results) -> Values:
    """One entry at a time by one sender, then by two; what they leave is drained without being measured."""
    meter, values = Meter(system, results), {}
    for connections in (1, 2):
        figure = f"ingress_1_of_{connections}"
        found = _apart(meter, (figure, ""), 1, MANY, partial(_send_single, system, plan, connections))
        values[figure] = found[figure]
    return values


def _apart(
    meter: Meter, figures: tuple[str, str], entries: int, catalog_keys: Sequence[str], send: Callable[[], Sent]
) -> Values:
    """Measure the entries a second that are accepted, then those that are applied."""
    system, (accepting, draining) = meter.system, figures
    system.halt_worker()
    try:
        before, start = system.cpu(), time.perf_counter()
        sent = send()
        accepting_s = time.perf_counter() - start
        note_cpu(meter.results, accepting, system, before, sent.accepted)
    finally:
        system.resume_worker()
    applied = meter.run(draining, entries, catalog_keys, lambda: sent)
    return {accepting: sent.accepted * entries / accepting_s, draining: applied}


def _send_single(system: System, plan: Plan, connections: int = CONNECTIONS) -> Sent:
    make = _cycling(system, changing("PUT", 64, 1))

    def sender(catalog_keys: list[str]) -> Callable[[int], Request]:
        return lambda number: make(catalog_keys[number % len(catalog_keys)], number)

    shares = [MANY[first::connections] for first in range(connections)]
    return send_all(system, [for_seconds(plan.seconds, sender(share)) for share in shares])


def send_for(system: System, seconds: float, catalog_keys: Sequence[str], make: Callable[[str, int], Request]) -> Sent:
    """Let each catalog's sender send until the time is up."""
    return send_all(system, [for_seconds(seconds, partial(make, catalog_key)) for catalog_key in catalog_keys])


def _cycling(system: System, bodies: Sequence[bytes]) -> Callable[[str, int], Request]:
    return lambda catalog_key, number: system.write("PUT", catalog_key, bodies[number % len(bodies)])
