"""The gauges: what the store says of itself and of the partitions with a backlog, read when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import inf

from shared import metrics
from shared.backlog import Backlog
from shared.errors import TryAgain
from shared.heartbeats import Heartbeats
from shared.metrics import Gauge, Seen
from shared.scripts import run
from shared.states import PartitionState, read_states
from shared.store import Store, servers


def look(client: Store, now_ms: int) -> Iterable[Seen]:
    """Read every gauge, in a few round trips; without the store there is one, which says so."""
    try:
        return [_one(metrics.STORE_UP, 1), *_store(client, now_ms), *_partitions(client, now_ms)]
    except TryAgain:
        return [_one(metrics.STORE_UP, 0)]


def _store(client: Store, now_ms: int) -> Iterator[Seen]:
    memory = max((run(server, ("INFO", "memory"))[0] for server in servers(client)), key=_fullness)
    yield _one(metrics.STORE_MEMORY, memory["used_memory"])
    yield _one(metrics.STORE_MEMORY_MAX, memory["maxmemory"])
    yield _one(metrics.WORKERS, len(Heartbeats(client).alive(now_ms)))
    yield _one(metrics.BACKLOG_PARTITIONS, Backlog(client).size())


def _fullness(memory: Mapping[str, int]) -> float:
    return memory["used_memory"] / (memory["maxmemory"] or inf)


def _partitions(client: Store, now_ms: int) -> Iterator[Seen]:
    catalog_keys = Backlog(client).all_waiting(most=metrics.LABELLED_PARTITIONS)
    states = read_states(client, catalog_keys)
    for gauge, value in _values(now_ms).items():
        yield gauge, zip(catalog_keys, map(value, states), strict=True)


def _values(now_ms: int) -> dict[Gauge, Callable[[PartitionState], float]]:
    return {
        metrics.BACKLOG_BATCHES: lambda state: state.tasks,
        metrics.BACKLOG_ENTRIES: lambda state: state.entries,
        metrics.BACKLOG_BYTES: lambda state: state.bytes,
        metrics.BACKLOG_OLDEST: lambda state: state.age_s(now_ms),
        metrics.PARTITION_STUCK: lambda state: state.stuck,
    }


def _one(gauge: Gauge, value: float) -> Seen:
    return gauge, [("", value)]
