"""``python -m tests.benchmarks.capacity``: fit the capacity model, check it, and show how Sluice grows.

1. Two sizes of batches, at full load on one server: what a batch and an entry cost on each part.
2. Another size, with more catalogs, ingresses and workers: the model must be within TOLERANCE of it.
3. A fixed load for each catalog, with more of them, and a shard and a worker more for each share: what an entry costs,
   with all that goes on anyway.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.bodies import body
from tests.benchmarks.costs import PARTS, Cost, Sample, fit, need
from tests.benchmarks.http_client import Request
from tests.benchmarks.machine import describe
from tests.benchmarks.producers import Sent, for_seconds, paced, send_all
from tests.benchmarks.sluice_cluster import SluiceOnCluster
from tests.benchmarks.sluice_system import Sluice
from tests.benchmarks.systems import System

RESULTS = Path(__file__).parent / "results" / "capacity.json"
#: How far the model may be off.
TOLERANCE = 0.2
#: Each figure is the median of so many rounds, taken in turn, of so many seconds.
ROUNDS, SECONDS = 3, 3.0
#: Entries of the batches that are fitted, and of the one that is predicted.
SMALL, BIG, CHECKED = 10, 1000, 200
#: Items that are stored to see what one takes.
STORED = 100_000
#: What each catalog sends when the system grows: batches a second of so many entries.
PER_S, GROWING = 8.0, 100
#: Shards, and workers, and catalogs for each.
STEPS, CATALOGS_EACH = (1, 2, 3), 4


def main() -> int:
    """Measure, print and write; 1 if the model does not hold."""
    with tempfile.TemporaryDirectory(prefix="capacity-") as temporary:
        folder = Path(temporary)
        costs, item_bytes, about = measure_costs(folder / "fit")
        found = measure_sample(folder / "check")
        growth = [measure_growth(folder / f"grow-{shards}", shards) for shards in STEPS]
    predicted = {part: costs[part].of(CHECKED) for part in PARTS}
    report = {
        "about": about,
        "costs_ms": {part: {"batch": cost.batch_ms, "entry": cost.entry_ms} for part, cost in costs.items()},
        "item_bytes": item_bytes,
        "check": {"entries": CHECKED, "predicted_ms": predicted, "measured_ms": dict(found.ms)},
        "growth": growth,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    off = abs(sum(predicted.values()) / sum(found.ms.values()) - 1)
    print(tables(costs, item_bytes, predicted, found.ms, growth))
    print(f"\nthe model is {off:.0%} off; written to {RESULTS}")
    return 0 if off <= TOLERANCE else 1


# -- 1: what things cost ----------------------------------------------------------------------------------------------


def measure_costs(folder: Path) -> tuple[dict[str, Cost], float, dict[str, Any]]:
    """Fit the costs on each part, and measure what a stored item takes."""
    catalog_keys = [f"fitted-{number}" for number in range(4)]
    with Sluice(folder, catalog_keys, SLUICE_PAYLOAD_BYTES="0") as system:
        rounds = [(full_load(system, catalog_keys, SMALL), full_load(system, catalog_keys, BIG)) for _ in range(ROUNDS)]
        small, big = (_median([each[at] for each in rounds]) for at in (0, 1))
        return fit(small, big), _stored_bytes(system, catalog_keys[0]), describe(system.store)


def full_load(system: System, catalog_keys: Sequence[str], entries: int) -> Sample:
    """Send as fast as it is taken, from empty, and measure what each part used until all was applied."""
    system.fresh()
    bodies = [body("PUT", block, entries=entries) for block in range(24)]

    def send() -> Sent:
        return send_all(
            system, [for_seconds(SECONDS, _maker(system, catalog_key, bodies)) for catalog_key in catalog_keys]
        )

    # With nothing to do they use something too, which is not the batches'.
    return Sample(entries, _used(system, send, PARTS, idle=_idle(system)))


def _stored_bytes(system: System, catalog_key: str) -> float:
    system.fresh()
    before = int(system.store.info("memory")["used_memory"])
    requests = (system.write("PUT", catalog_key, body("PUT", block)) for block in range(STORED // 1000))
    system.wait_all_ended(send_all(system, [requests]).accepted)
    return (int(system.store.info("memory")["used_memory"]) - before) / STORED


# -- 2: what the model was not fitted on ------------------------------------------------------------------------------


def measure_sample(folder: Path) -> Sample:
    """Measure another size of batches, over more catalogs, with two processes of each service."""
    catalog_keys = [f"checked-{number}" for number in range(12)]
    with Sluice(folder, catalog_keys, SLUICE_INGRESS="2", SLUICE_WORKERS="2") as system:
        return _median([full_load(system, catalog_keys, CHECKED) for _ in range(ROUNDS)])


# -- 3: more of everything --------------------------------------------------------------------------------------------


def measure_growth(folder: Path, shards: int) -> dict[str, float]:
    """Send each catalog's load at an even pace, and measure milliseconds of a core per 1,000 entries."""
    catalog_keys = [f"growing-{number}" for number in range(shards * CATALOGS_EACH)]
    with SluiceOnCluster(folder, catalog_keys, shards=shards, workers=shards) as system:
        bodies = [body("PUT", block, entries=GROWING) for block in range(24)]
        seconds = ROUNDS * SECONDS
        batches = int(PER_S * seconds)

        def send() -> Sent:
            senders = []
            for number, catalog_key in enumerate(catalog_keys):
                make = _maker(system, catalog_key, bodies)
                first_s = number / len(catalog_keys) / PER_S
                senders.append(paced(1 / PER_S, map(make, range(batches)), first_s=first_s))
            return send_all(system, senders)

        stores = [part for part in system.groups() if part.startswith("store")]
        used = _used(system, send, ["ingress", "worker", "broker", *stores], idle={})
    by_part = {"ingress": used["ingress"], "worker": used["worker"], "store": sum(used[each] for each in stores)}
    return {
        "shards": shards,
        "catalogs": len(catalog_keys),
        "entries_per_s": len(catalog_keys) * PER_S * GROWING,
        **{part: ms * 1000 / GROWING for part, ms in by_part.items()},
        "busiest_store_share": max(used[each] for each in stores) / by_part["store"],
    }


# -- the same for all -------------------------------------------------------------------------------------------------


def _maker(system: System, catalog_key: str, bodies: Sequence[bytes]) -> Callable[[int], Request]:
    return lambda number: system.write("PUT", catalog_key, bodies[number % len(bodies)])


def _used(
    system: System, send: Callable[[], Sent], parts: Sequence[str], *, idle: Mapping[str, float]
) -> dict[str, float]:
    """Milliseconds of a core that a batch cost each part, beside what they use with nothing to do."""
    before, start = system.cpu(), time.perf_counter()
    accepted = send().accepted
    system.wait_all_ended(accepted)
    seconds, after = time.perf_counter() - start, system.cpu()
    return {part: (after[part] - before[part] - idle.get(part, 0.0) * seconds) * 1000 / accepted for part in parts}


def _idle(system: System) -> dict[str, float]:
    """Seconds of a core each second that each part uses with nothing to do."""
    # They settle first.
    threading.Event().wait(1.0)
    before, start = system.cpu(), time.perf_counter()
    threading.Event().wait(1.0)
    after, seconds = system.cpu(), time.perf_counter() - start
    return {part: (after[part] - before[part]) / seconds for part in before}


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(samples[0].entries, {part: statistics.median(one.ms[part] for one in samples) for part in PARTS})


def tables(
    costs: Mapping[str, Cost], item_bytes: float, predicted: Mapping[str, float], found: Mapping[str, float],
    growth: Sequence[Mapping[str, float]],
) -> str:  # fmt: skip
    """Write everything as docs/how-to/plan-capacity.md shows it."""
    lines = [
        f"| ms of a core | for a batch | for 1,000 entries | {CHECKED} entries: predicted | measured |",
        "|---|---|---|---|---|",
    ]
    for part, cost in costs.items():
        lines.append(
            f"| {part} | {cost.batch_ms:.2f} | {cost.entry_ms * 1000:.2f} | {predicted[part]:.2f} | {found[part]:.2f} |"
        )
    both = sum(predicted.values()), sum(found.values())
    lines += [
        f"| together | | | {both[0]:.2f} | {both[1]:.2f} |",
        "",
        f"A stored item takes {item_bytes:.0f} bytes.",
        "",
    ]
    lines += ["| wanted | cores of ingress | cores of workers | shards of one core | memory |", "|---|---|---|---|---|"]
    for rate, items in ((10_000, 1_000_000), (100_000, 10_000_000), (1_000_000, 100_000_000)):
        wanted = need(costs, entries_per_s=rate, batch=1000, items=items, item_bytes=item_bytes)
        cores = " | ".join(str(wanted.cores[part]) for part in ("ingress", "worker"))
        lines.append(f"| {rate:,} entries/s, {items:,} items | {cores} | {wanted.shards} | {wanted.memory_gib} GiB |")
    lines += ["", "| shards, workers | catalogs | entries/s | ingress | worker | stores | the busiest one's share |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for step in growth:
        lines.append(
            f"| {step['shards']:.0f} | {step['catalogs']:.0f} | {step['entries_per_s']:,.0f} | {step['ingress']:.2f} |"
            f" {step['worker']:.2f} | {step['store']:.2f} | {step['busiest_store_share']:.0%} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
