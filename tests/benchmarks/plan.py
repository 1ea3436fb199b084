"""The amounts to measure: a full run, or a quick one."""

from __future__ import annotations

from dataclasses import dataclass

#: Catalogs of the rows about throughput; each has one sender.
CATALOGS = [f"catalog-{number}" for number in range(4)]
#: The catalog of the one item whose way is timed.
PROBE = "probe"
#: The catalog whose backlog the small ones stand beside, and those.
BIG = "big"
SMALL = [f"small-{number}" for number in range(50)]
#: Catalogs that get single entries.
MANY = [f"many-{number}" for number in range(1_000)]
TRICKLING = [f"trickling-{number}" for number in range(10_000)]
#: Items stored → the catalog that has so many.
SIZED = {10**power: f"sized-{power}" for power in (3, 4, 5, 6)}
#: Catalogs that share the great backlog.
LADEN = [f"laden-{number}" for number in range(80)]

ALL_CATALOGS = [*CATALOGS, PROBE, BIG, *SMALL, *MANY, *TRICKLING, *SIZED.values(), *LADEN]


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes of a run."""

    name: str
    #: How often each row is measured; the median counts.
    rounds: int
    #: How often those are that take long.
    few_rounds: int
    #: How often each size of a catalog is: differences between them are small.
    size_rounds: int
    #: For how long senders send.
    seconds: float
    #: Blocks of 1,000 items that are sent to a catalog before they come again.
    blocks: int
    #: Single items that are timed on an idle system.
    idle_samples: int
    #: The same after more than a second of silence.
    asleep_samples: int
    #: For how long single items are timed beside other load.
    load_seconds: float
    #: Entries that wait while small catalogs send.
    big_entries: int
    #: Batches a second that all small catalogs together send.
    small_per_s: float
    #: Catalogs of the trickle, and batches a second of all together.
    trickling: int
    trickle_per_s: float
    #: Entries of the great backlog.
    backlog_entries: int
    #: Catalog sizes, in items.
    sizes: tuple[int, ...]
    #: Blocks of 1,000 items that are delivered to a sink.
    sink_blocks: int
    #: Rows and systems that are left out, as they take longest.
    without: frozenset[tuple[str, str]] = frozenset()


FULL = Plan(
    name="full", rounds=5, few_rounds=3, size_rounds=12, seconds=2.0, blocks=48,
    idle_samples=100, asleep_samples=10, load_seconds=15.0,
    big_entries=1_000_000, small_per_s=100, trickling=10_000, trickle_per_s=400, backlog_entries=5_000_000,
    sizes=(10**3, 10**4, 10**5, 10**6), sink_blocks=100,
)  # fmt: skip

QUICK = Plan(
    name="quick", rounds=2, few_rounds=1, size_rounds=3, seconds=1.0, blocks=24,
    idle_samples=60, asleep_samples=5, load_seconds=3.0,
    big_entries=200_000, small_per_s=100, trickling=1_000, trickle_per_s=400, backlog_entries=200_000,
    sizes=(10**3, 10**4, 10**5), sink_blocks=20,
    without=frozenset({("big", "procrastinate"), ("big", "unordered")}),
)  # fmt: skip
