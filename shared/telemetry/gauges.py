"""Read the gauges of the store and of the partitions with a backlog."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import inf

from shared.errors import TryAgain
from shared.partition.backlog import Backlog
from shared.partition.heartbeats import Heartbeats
from shared.partition.state import PartitionState, read_states
from shared.sinks.sink_reports import report_sinks
from shared.store.client import Store, servers
from shared.store.memory import reserved_bytes
from shared.store.scripts import run
from shared.tasks.cursors import CursorState, lag_s, read_reports
from shared.telemetry import metrics
from shared.telemetry.metrics import Gauge, Seen


def look(client: Store, now_ms: int, *, named: bool = True) -> Iterable[Seen]:
    """Read all gauges, in a few round trips; without the store only `sluice_store_up`."""
    try:
        return [
            _one(metrics.STORE_UP, 1),
            *_store(client, now_ms),
            *_partitions(client, now_ms, named=named),
            *_cursors(client, now_ms, named=named),
            *_sinks(client, now_ms, named=named),
        ]
    except TryAgain:
        return [_one(metrics.STORE_UP, 0)]


def _store(client: Store, now_ms: int) -> Iterator[Seen]:
    memory = max((run(server, ("INFO", "memory"))[0] for server in servers(client)), key=_fullness)
    yield _one(metrics.STORE_MEMORY, memory["used_memory"])
    yield _one(metrics.STORE_RESERVED, reserved_bytes(client))
    yield _one(metrics.STORE_MEMORY_MAX, memory["maxmemory"])
    yield _one(metrics.WORKERS, len(Heartbeats(client).alive(now_ms)))
    yield _one(metrics.BACKLOG_PARTITIONS, Backlog(client).size())


def _fullness(memory: Mapping[str, int]) -> float:
    return memory["used_memory"] / (memory["maxmemory"] or inf)


def _partitions(client: Store, now_ms: int, *, named: bool) -> Iterator[Seen]:
    """Yield the gauges of each partition; without names, one of all: the age of the oldest, the sum of all else."""
    catalog_keys = Backlog(client).all_waiting(most=metrics.LABELLED_PARTITIONS)
    states = read_states(client, catalog_keys)
    for gauge, value in _values(now_ms).items():
        values = [float(value(state)) for state in states]
        if named:
            yield gauge, zip(catalog_keys, values, strict=True)
        else:
            yield _one(gauge, max(values, default=0) if gauge is metrics.BACKLOG_OLDEST else sum(values))


def _cursors(client: Store, now_ms: int, *, named: bool) -> Iterator[Seen]:
    """Yield the gauges of each catalog with cursors; without names, one of all: the worst lag, the sum of those."""
    found = list(read_reports(client, most=metrics.LABELLED_PARTITIONS))
    lags = [max((lag_s(report, now_ms) for report in reports), default=0.0) for _, reports in found]
    behind = [sum(report.state is not CursorState.OK for report in reports) for _, reports in found]
    if named:
        catalog_keys = [catalog_key for catalog_key, _ in found]
        yield metrics.CURSOR_LAG, zip(catalog_keys, lags, strict=True)
        yield metrics.CURSORS_BEHIND, zip(catalog_keys, map(float, behind), strict=True)
    else:
        yield _one(metrics.CURSOR_LAG, max(lags, default=0))
        yield _one(metrics.CURSORS_BEHIND, sum(behind))


def _sinks(client: Store, now_ms: int, *, named: bool) -> Iterator[Seen]:
    """Yield the gauges of each sink; without names, one of all: the worst lag, the sum of all else."""
    reports = report_sinks(client, now_ms)
    yield _one(metrics.SINKS_TROUBLED, sum(report.is_troubled for report in reports))
    yield _one(metrics.DEAD_LETTERS, sum(report.state.dead for report in reports))
    reports = reports[: metrics.LABELLED_PARTITIONS] if named else reports
    names = ["/".join(report.name) for report in reports]
    for gauge, unite, values in (
        (metrics.SINK_LAG, max, [report.lag_s for report in reports]),
        (metrics.SINK_LAG_TASKS, max, [report.lag_tasks for report in reports]),
        (metrics.SINK_ENTRIES, sum, [report.state.entries for report in reports]),
        (metrics.SINK_WRONG, sum, [report.state.wrong for report in reports]),
        (metrics.SINK_CHECKED, min, [report.state.checked_ms / 1000 for report in reports]),
    ):
        yield (gauge, zip(names, map(float, values), strict=True)) if named else _one(gauge, unite(values or [0]))


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
