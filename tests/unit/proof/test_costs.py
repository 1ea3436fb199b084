"""The capacity model: a line through two sizes of batches, and whole cores, shards and gibibytes from it."""

from __future__ import annotations

import pytest

from tests.benchmarks.costs import BUSY, PARTS, SHARD_BYTES, Cost, Need, Sample, fit, need


def sample(entries: int, **costs: Cost) -> Sample:
    return Sample(entries, {part: cost.of(entries) for part, cost in costs.items()})


COSTS = {"ingress": Cost(1.5, 0.006), "worker": Cost(0.1, 0.003), "store": Cost(0.5, 0.007)}


def test_two_sizes_tell_the_cost_of_a_batch_and_of_an_entry() -> None:
    fitted = fit(sample(10, **COSTS), sample(1000, **COSTS))
    for part in PARTS:
        assert fitted[part].batch_ms == pytest.approx(COSTS[part].batch_ms)
        assert fitted[part].entry_ms == pytest.approx(COSTS[part].entry_ms)


def test_a_batch_never_costs_less_than_nothing() -> None:
    """What a busy machine measures may say so of a part that costs next to nothing."""
    fitted = fit(Sample(10, dict.fromkeys(PARTS, 0.0)), Sample(1000, dict.fromkeys(PARTS, 5.0)))
    assert fitted["worker"].batch_ms == 0.0


def test_a_load_needs_whole_cores_that_are_not_too_busy_and_shards_for_its_rate_and_its_memory() -> None:
    by_rate = need(COSTS, entries_per_s=1_000_000, batch=1000, items=1_000_000, item_bytes=700)
    assert by_rate == Need({"ingress": 11, "worker": 5, "store": 11}, shards=11, memory_gib=1)
    assert by_rate.cores["store"] == -(-int(1000 * COSTS["store"].of(1000)) // int(1000 * BUSY))
    by_memory = need(COSTS, entries_per_s=1000, batch=1000, items=2 * SHARD_BYTES // 700, item_bytes=700)
    assert (by_memory.cores["store"], by_memory.shards) == (1, 2)
