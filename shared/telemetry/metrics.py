"""All metrics of Sluice, each with its help text.

A process counts in memory or, if PROMETHEUS_MULTIPROC_DIR names a folder, in a file there, so that any process of a
service can report the sum over all of them.  Labels have few values, all known here, and every series begins at 0; only
the gauges of partitions name catalogs, at most LABELLED_PARTITIONS of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, start_http_server
from prometheus_client import values as client_values
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from shared.model import TERMINAL, Kind, Operation
from shared.outbox.outbox import DeliveryOutcome
from shared.partition.step_results import DONE_ANSWERS, StepResult
from shared.partition.submissions import TaskChange
from shared.telemetry.counter_files import count_in_files

#: Partitions with a backlog that get gauges of their own, longest-waiting first.
LABELLED_PARTITIONS = 1000

#: Seconds: from one round trip to a store that hangs.
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)

#: Reasons for which a write is refused.
REASONS = (
    "conflict",
    "error",
    "forbidden",
    "invalid",
    "method",
    "not_found",
    "queue_full",
    "store_away",
    "store_full",
    "too_large",
    "unauthorized",
    "unsupported",
)

#: Channels of notifications.
CHANNELS = ("mail", "webhook")

if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    count_in_files(Path(folder))

_counted = CollectorRegistry()
# No `_created` series: they would be useless, and counter files do not support them.
disable_created_metrics()  # type: ignore[no-untyped-call]


def _counter(name: str, sentence: str, **labels: Iterable[str]) -> Counter:
    return _at_zero(Counter(name, sentence, tuple(labels), registry=_counted), labels.values())


def _histogram(name: str, sentence: str) -> Histogram:
    return Histogram(name, sentence, registry=_counted, buckets=BUCKETS_S)


def _at_zero(counter: Counter, values: Iterable[Iterable[str]]) -> Counter:
    """Create every series before its first event: Prometheus sees no increase in a series that appears at 1."""
    for each in product(*values):
        if each:
            counter.labels(*each)
    return counter


@cache
def series(counter: Counter, *labels: str) -> Counter:
    """Return one series of a counter, cached: the library's lookup costs more than the counting."""
    return counter.labels(*labels)


# -- counted by the ingress -------------------------------------------------------------------------------------------

BATCHES_ACCEPTED = _counter("sluice_batches_accepted", "Batches accepted.", kind=Kind, operation=Operation)
ENTRIES_ACCEPTED = _counter("sluice_entries_accepted", "Entries of accepted batches.", kind=Kind, operation=Operation)
BYTES_ACCEPTED = _counter("sluice_bytes_accepted", "Bytes of accepted batches, inflated.")
WRITES_REJECTED = _counter("sluice_writes_rejected", "Writes refused; nothing of them was stored.", reason=REASONS)
SUBMIT_SECONDS = _histogram("sluice_submit_seconds", "Time for the store to accept or refuse a batch.")
TASKS_CHANGED = _counter("sluice_tasks_changed", "Tasks canceled or re-run on request.", change=TaskChange)
WAKEUPS_FAILED = _counter(
    "sluice_wakeups_failed", "Wake-ups that the broker did not accept; the sweep finds the work instead."
)

# -- counted by the workers -------------------------------------------------------------------------------------------

ENTRIES_APPLIED = _counter("sluice_entries_applied", "Entries committed.", kind=Kind, operation=Operation)
ENTRIES_EXPORTED = _counter("sluice_entries_exported", "Entries written by exports.")
TASKS_ENDED = _counter("sluice_tasks_ended", "Tasks ended, by final status.", status=sorted(TERMINAL))
COMMIT_SECONDS = _histogram("sluice_commit_seconds", "Time for the store to commit one round trip of steps.")
COMMITS_REFUSED = _counter(
    "sluice_commits_refused",
    "Commits refused by the store, which changed nothing. FENCED: the lease had expired.",
    answer=sorted(set(StepResult) - DONE_ANSWERS),
)
DRAIN_SECONDS = _histogram("sluice_drain_seconds", "Time for which a worker owned a partition.")
LEASES_LOST = _counter("sluice_leases_lost", "Leases that expired while their partition was drained.")
DRAINS_FAILED = _counter("sluice_drains_failed", "Drains that ended with an unexpected error; they are retried.")
SWEEPS_FOUND = _counter("sluice_sweeps_found", "Partitions with work found by the sweep, without a wake-up.")
DELIVERIES = _counter(
    "sluice_deliveries",
    "Attempts to send an e-mail or call a webhook; `failed` ones are retried.",
    channel=CHANNELS,
    outcome=DeliveryOutcome,
)


# -- read from the store on request -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gauge:
    """A value that is read when `/metrics` is requested."""

    name: str
    sentence: str
    #: Whether each partition has one.
    by_partition: bool = False
    #: Whether each sink has one.
    by_sink: bool = False


STORE_UP = Gauge("sluice_store_up", "1 if the store answers.")
STORE_MEMORY = Gauge("sluice_store_memory_bytes", "Memory used by the store; in a cluster, by the fullest server.")
STORE_RESERVED = Gauge(
    "sluice_store_memory_reserved_bytes", "Memory that waiting batches will take once they are applied."
)
STORE_MEMORY_MAX = Gauge("sluice_store_memory_max_bytes", "Memory limit of the store, or of that server; 0: none.")
WORKERS = Gauge("sluice_workers", "Workers that are alive.")
SINKS_TROUBLED = Gauge(
    "sluice_sinks_troubled", "Sinks that fail, or that nobody delivered to for five minutes; paused ones aside."
)
DEAD_LETTERS = Gauge("sluice_sinks_dead_letters", "Entries that the destinations of sinks cannot hold.")
SINK_LAG = Gauge("sluice_sink_lag_seconds", "Age of the oldest task that a sink does not have yet.", by_sink=True)
SINK_LAG_TASKS = Gauge(
    "sluice_sink_lag_tasks", "Tasks that have ended and that a sink does not have yet.", by_sink=True
)
SINK_ENTRIES = Gauge(
    "sluice_sink_entries", "Entries delivered to a sink since it was added; `deriv` of it is the rate.", by_sink=True
)
SINK_WRONG = Gauge(
    "sluice_sink_differences", "Entries that differed when the sink worker last compared all of them.", by_sink=True
)
SINK_CHECKED = Gauge(
    "sluice_sink_checked_timestamp_seconds", "When it last had compared all of them; 0: not yet.", by_sink=True
)
BACKLOG_PARTITIONS = Gauge("sluice_backlog_partitions", "Partitions with a backlog, including those without gauges.")
BACKLOG_BATCHES = Gauge("sluice_backlog_batches", "Batches queued or in progress.", by_partition=True)
BACKLOG_ENTRIES = Gauge(
    "sluice_backlog_entries", "Entries of these batches that are not applied yet.", by_partition=True
)
BACKLOG_BYTES = Gauge("sluice_backlog_bytes", "Compressed payload bytes of these batches.", by_partition=True)
BACKLOG_OLDEST = Gauge("sluice_backlog_oldest_seconds", "Age of the oldest of these batches.", by_partition=True)
PARTITION_STUCK = Gauge(
    "sluice_partition_stuck", "1 if the partition is stuck and needs an operator.", by_partition=True
)
CURSOR_LAG = Gauge(
    "sluice_cursor_lag_seconds",
    "Age of the oldest change that a cursor of the change feed has not passed, of the last of them.",
    by_partition=True,
)
CURSORS_BEHIND = Gauge(
    "sluice_cursors_behind",
    "Cursors that the change feed no longer reaches back to, or whose history the store has lost.",
    by_partition=True,
)

#: A gauge with its values, each with its catalog key, or that and the name of a sink (``acme/products``); '' for one
#: of all.
Seen = tuple[Gauge, Iterable[tuple[str, float]]]
#: Reads gauges.
Look = Callable[[], Iterable[Seen]]


class _Counted(Collector):
    """The counters of this process alone."""

    def collect(self) -> Iterable[Metric]:
        return _counted.collect()


def exposition(*looks: Look) -> tuple[bytes, str]:
    """Write the counters of all processes and the current gauges; returns the text and its media type."""
    gauges = "".join(_text(*seen) for look in looks for seen in look())
    return generate_latest(_all_processes()) + gauges.encode(), CONTENT_TYPE_LATEST


def _text(gauge: Gauge, values: Iterable[tuple[str, float]]) -> str:
    """Write a gauge in Prometheus' text format.

    By hand, since a catalog key needs no escaping: for thousands of keys the library takes ten times as long.
    """
    lines = [f"# HELP {gauge.name} {gauge.sentence}", f"# TYPE {gauge.name} gauge"]
    of = "sink" if gauge.by_sink else "catalog_key" if gauge.by_partition else ""
    for key, value in values:
        label = f'{{{of}="{key}"}}' if of and key else ""
        lines.append(f"{gauge.name}{label} {float(value)}")
    return "\n".join([*lines, ""])


def serve(host: str, port: int) -> None:
    """Serve the counters at ``/metrics``, on a thread of its own."""
    start_http_server(port, host, _all_processes())


def names() -> Sequence[str]:
    """List the names of all metrics as Prometheus shows them, histograms without their suffixes."""
    counted = [metric.name + ("_total" if metric.type == "counter" else "") for metric in _counted.collect()]
    return [*counted, *(value.name for value in globals().values() if isinstance(value, Gauge))]


def _all_processes() -> CollectorRegistry:
    registry = CollectorRegistry()
    if getattr(client_values.ValueClass, "_multiprocess", False):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(_Counted())
    return registry
