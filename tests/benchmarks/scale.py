"""Rows about size: many catalogs, a long queue beside short ones, a great backlog, big catalogs.  Sluice alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial

from shared.keys import CatalogKeys
from tests.benchmarks.bodies import SEED, body, size_of
from tests.benchmarks.http_client import Request
from tests.benchmarks.plan import BIG, LADEN, SIZED, SMALL, TRICKLING, Plan
from tests.benchmarks.producers import Sent, send_all
from tests.benchmarks.results import Results, Values, percentile
from tests.benchmarks.store import rewrite_log, wait_freed
from tests.benchmarks.systems import System
from tests.benchmarks.throughput import Meter, note_cpu, send_for
from tests.benchmarks.trickle import Trickle

#: Connections that fill a system.
FILLERS = 4


def fairness(system: System, plan: Plan, results: Results) -> Values:
    """Small catalogs send single entries: to an empty system, and while one catalog has a long queue."""
    meter = Meter(system, results)
    batches = int(plan.small_per_s * plan.load_seconds)
    empty = Trickle(system, SMALL, per_s=plan.small_per_s, batches=batches).run()
    meter.wait(batches)
    system.halt_worker()
    try:
        fill(system, {BIG: plan.big_entries // 1000})
    finally:
        system.resume_worker()
    # More than there is time for: what ends after the long queue has ended says nothing.
    beside = Trickle(system, SMALL, per_s=plan.small_per_s, batches=100 * batches).run(
        until=lambda: not system.store.xlen(CatalogKeys(BIG).stream)
    )
    return {
        "small_empty_p50": percentile(empty, 50), "small_empty_p99": percentile(empty, 99),
        "small_beside_p50": percentile(beside, 50), "small_beside_p99": percentile(beside, 99),
    }  # fmt: skip


def trickle(system: System, plan: Plan, results: Results) -> Values:
    """Each of many catalogs sends one entry."""
    meter = Meter(system, results)
    before = system.cpu()
    taken = Trickle(system, TRICKLING[: plan.trickling], per_s=plan.trickle_per_s, batches=plan.trickling).run()
    note_cpu(results, "trickle_p50", system, before, plan.trickling)
    meter.wait(plan.trickling)
    return {"trickle_p50": percentile(taken, 50), "trickle_p99": percentile(taken, 99)}


def backlog(system: System, plan: Plan, results: Results) -> Values:
    """A great backlog over many catalogs: what an entry costs in memory while it waits, and once it is stored."""
    meter = Meter(system, results)
    before = _used_memory(system)
    each = plan.backlog_entries // 1000 // len(LADEN)
    system.halt_worker()
    try:
        sent = fill(system, dict.fromkeys(LADEN, each))
        waiting = _used_memory(system)
    finally:
        system.resume_worker()
    rate = meter.run("backlog_drain", 1000, LADEN, lambda: sent)
    stored, entries = _used_memory(system), sent.accepted * 1000
    return {
        "backlog_drain": rate,
        "waiting_bytes": (waiting - before) / entries,
        "stored_bytes": (stored - before) / entries,
        "raw_bytes": size_of().entry_bytes,
    }


def catalog_sizes(system: System, plan: Plan, results: Results) -> Values:
    """PUT over what is there already, in catalogs of growing size, another one first each time."""
    meter = Meter(system, results)
    fills = {SIZED[size]: size // 1000 for size in plan.sizes}
    meter.wait(fill(system, fills).accepted)

    def measure(size: int) -> float:
        rewrite_log(system.store)
        send = partial(send_for, system, plan.seconds, [SIZED[size]] * FILLERS, _anywhere(system, size // 1000))
        return meter.run(f"size_{size}", 1000, list(fills), send)

    # What comes first after so much was filled in pays for that.
    measure(plan.sizes[0])
    for number in range(plan.size_rounds):
        first = number % len(plan.sizes)
        for size in plan.sizes[first:] + plan.sizes[:first]:
            results.add(system.name, {f"size_{size}": measure(size)})
    return {}


def fill(system: System, blocks: dict[str, int]) -> Sent:
    """Send so many blocks to each catalog."""
    wanted = [(catalog_key, block) for catalog_key, count in blocks.items() for block in range(count)]
    shares = [wanted[first::FILLERS] for first in range(FILLERS)]

    def requests(share: list[tuple[str, int]]) -> Iterator[Request]:
        return (system.write("PUT", catalog_key, body("PUT", block)) for catalog_key, block in share)

    return send_all(system, [requests(share) for share in shares])


def _anywhere(system: System, blocks: int) -> Callable[[str, int], Request]:
    chance = random.Random(SEED)
    return lambda catalog_key, _: system.write("PUT", catalog_key, body("PUT", chance.randrange(blocks), version=1))


def _used_memory(system: System) -> int:
    """What the store holds in memory, once what it let go of is freed."""
    wait_freed(system.store)
    return int(system.store.info("memory")["used_memory"])
