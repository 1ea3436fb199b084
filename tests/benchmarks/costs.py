"""The capacity model: what a batch and an entry cost on each part, and what a wanted load needs of everything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

#: The parts whose processor time is measured.
PARTS = ("ingress", "worker", "store")
#: How busy a core should be at most: the rest is for peaks, and for what a dead host leaves to the others.
BUSY = 0.7
#: Bytes that one shard should hold at most: half of a machine of 64 GiB, see deploy/store.conf.
SHARD_BYTES = 32 * 2**30


@dataclass(frozen=True, slots=True)
class Sample:
    """Processor milliseconds a batch, by part, at one size of batches."""

    entries: int
    ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of a core for each batch, and for each entry in it."""

    batch_ms: float
    entry_ms: float

    def of(self, entries: int) -> float:
        """What a batch of so many entries costs."""
        return self.batch_ms + self.entry_ms * entries


def fit(small: Sample, big: Sample) -> dict[str, Cost]:
    """Draw the line through two sizes of batches, for each part."""
    costs = {}
    for part in PARTS:
        entry_ms = (big.ms[part] - small.ms[part]) / (big.entries - small.entries)
        costs[part] = Cost(max(0.0, small.ms[part] - entry_ms * small.entries), entry_ms)
    return costs


@dataclass(frozen=True, slots=True)
class Need:
    """What a load needs."""

    #: By part.
    cores: Mapping[str, int]
    shards: int
    memory_gib: int


def need(costs: Mapping[str, Cost], *, entries_per_s: float, batch: int, items: int, item_bytes: float) -> Need:
    """Work out what so many entries a second, in batches of a size, and so many stored items need.

    A shard is one core, since a server runs scripts one after the other.
    """
    batches_per_s = entries_per_s / batch
    cores = {part: math.ceil(batches_per_s * costs[part].of(batch) / 1000 / BUSY) for part in PARTS}
    memory = items * item_bytes
    shards = max(cores["store"], math.ceil(memory / SHARD_BYTES))
    return Need(cores, shards, math.ceil(memory / 2**30))
