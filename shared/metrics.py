"""What is counted and measured: every metric of Sluice, once, with the sentence that Prometheus shows.

A process counts in memory, or, where PROMETHEUS_MULTIPROC_DIR names a folder, in a file there, so that all processes of
a service are summed by whichever is asked.  Labels have few values, all known here, and every series begins at 0; only
the gauges of partitions name catalogs, LABELLED_PARTITIONS at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, start_http_server
from prometheus_client import values as client_values
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from shared.leases import DONE_ANSWERS, Answer
from shared.model import TERMINAL, Kind, Operation
from shared.outbox import Told
from shared.submissions import Change

#: Partitions with a backlog that get gauges of their own, longest-waiting first.
LABELLED_PARTITIONS = 1000

#: Seconds: from a round trip to a store that stands still.
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)

#: Why a write was refused.
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

#: How what ended is told outside.
CHANNELS = ("mail", "webhook")

_counted = CollectorRegistry()
# The moment each series was made: nobody asks for it, and files do not have it.
disable_created_metrics()  # type: ignore[no-untyped-call]


def _counter(name: str, sentence: str, **labels: Iterable[str]) -> Counter:
    return _at_zero(Counter(name, sentence, tuple(labels), registry=_counted), labels.values())


def _histogram(name: str, sentence: str) -> Histogram:
    return Histogram(name, sentence, registry=_counted, buckets=BUCKETS_S)


def _at_zero(counter: Counter, values: Iterable[Iterable[str]]) -> Counter:
    """Make every series be there before its first event: Prometheus cannot tell an increase from an appearance."""
    for each in product(*values):
        if each:
            counter.labels(*each)
    return counter


@cache
def series(counter: Counter, *labels: str) -> Counter:
    """Find one series of a counter; the library's own look-up costs more than counting does."""
    return counter.labels(*labels)


# -- counted by the ingress -------------------------------------------------------------------------------------------

BATCHES_ACCEPTED = _counter("sluice_batches_accepted", "Batches that became a task.", kind=Kind, operation=Operation)
ENTRIES_ACCEPTED = _counter("sluice_entries_accepted", "Entries of those batches.", kind=Kind, operation=Operation)
BYTES_ACCEPTED = _counter("sluice_bytes_accepted", "Bytes of those batches, as sent, inflated.")
WRITES_REJECTED = _counter("sluice_writes_rejected", "Writes that were refused and left nothing.", reason=REASONS)
SUBMIT_SECONDS = _histogram("sluice_submit_seconds", "Time the store took to accept a batch, or to refuse it.")
TASKS_CHANGED = _counter("sluice_tasks_changed", "Tasks canceled and re-run on somebody's wish.", change=Change)
RINGS_FAILED = _counter("sluice_rings_failed", "Wake-ups that the broker did not take; the sweep finds the work.")

# -- counted by the workers -------------------------------------------------------------------------------------------

ENTRIES_APPLIED = _counter("sluice_entries_applied", "Entries that were committed.", kind=Kind, operation=Operation)
ENTRIES_EXPORTED = _counter("sluice_entries_exported", "Entries that were written out by exports.")
TASKS_ENDED = _counter("sluice_tasks_ended", "Tasks that ended.", status=sorted(TERMINAL))
COMMIT_SECONDS = _histogram("sluice_commit_seconds", "Time the store took to commit what shares a round trip.")
COMMITS_REFUSED = _counter(
    "sluice_commits_refused",
    "Commits that changed nothing, by what the store said; FENCED: the lease had run out.",
    answer=sorted(set(Answer) - DONE_ANSWERS),
)
DRAIN_SECONDS = _histogram("sluice_drain_seconds", "Time a worker owned a partition in one go.")
LEASES_LOST = _counter("sluice_leases_lost", "Partitions that became somebody else's while they were drained.")
DRAINS_FAILED = _counter("sluice_drains_failed", "Drains that an unforeseen error ended; they are tried again.")
SWEEPS_FOUND = _counter("sluice_sweeps_found", "Partitions with work that the sweep found by itself.")
DELIVERIES = _counter(
    "sluice_deliveries",
    "Attempts to send a mail or to call a webhook; failed: it is tried again.",
    channel=CHANNELS,
    outcome=Told,
)


# -- read from the store when asked -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gauge:
    """Something that is looked up when somebody asks."""

    name: str
    sentence: str
    #: Whether there is one for each partition.
    by_partition: bool = False


STORE_UP = Gauge("sluice_store_up", "1 if the store answers.")
STORE_MEMORY = Gauge("sluice_store_memory_bytes", "Memory the store uses; of a cluster, its fullest server.")
STORE_MEMORY_MAX = Gauge("sluice_store_memory_max_bytes", "Memory the store, or that server, may use; 0: no limit.")
WORKERS = Gauge("sluice_workers", "Workers heard of lately.")
BACKLOG_PARTITIONS = Gauge("sluice_backlog_partitions", "Partitions with a backlog, those without a gauge included.")
BACKLOG_BATCHES = Gauge("sluice_backlog_batches", "Batches that wait or are being applied.", by_partition=True)
BACKLOG_ENTRIES = Gauge("sluice_backlog_entries", "Their entries that are not applied yet.", by_partition=True)
BACKLOG_BYTES = Gauge("sluice_backlog_bytes", "Bytes of their payloads, compressed.", by_partition=True)
BACKLOG_OLDEST = Gauge("sluice_backlog_oldest_seconds", "Age of the oldest of them.", by_partition=True)
PARTITION_STUCK = Gauge("sluice_partition_stuck", "1 if nobody takes it up before an operator has.", by_partition=True)

#: A gauge with its values; beside each the catalog key, empty for one that is not by partition.
Seen = tuple[Gauge, Iterable[tuple[str, float]]]
#: Yields the gauges that somebody asked for.
Look = Callable[[], Iterable[Seen]]


class _Counted(Collector):
    """What this process alone counted."""

    def collect(self) -> Iterable[Metric]:
        return _counted.collect()


def exposition(*looks: Look) -> tuple[bytes, str]:
    """Write all that was counted, by every process that shares the folder, and what is seen now; and its media type."""
    gauges = "".join(_text(*seen) for look in looks for seen in look())
    return generate_latest(_all_processes()) + gauges.encode(), CONTENT_TYPE_LATEST


def _text(gauge: Gauge, values: Iterable[tuple[str, float]]) -> str:
    """Write a gauge as Prometheus reads it.

    By hand, as a catalog key has nothing to be escaped: of thousands, the library's way takes ten times as long.
    """
    lines = [f"# HELP {gauge.name} {gauge.sentence}", f"# TYPE {gauge.name} gauge"]
    for catalog_key, value in values:
        label = f'{{catalog_key="{catalog_key}"}}' if gauge.by_partition else ""
        lines.append(f"{gauge.name}{label} {float(value)}")
    return "\n".join([*lines, ""])


def serve(host: str, port: int) -> None:
    """Answer ``/metrics`` with what was counted, on a thread of its own."""
    start_http_server(port, host, _all_processes())


def names() -> Sequence[str]:
    """Name every metric as Prometheus knows it, histograms without their endings."""
    counted = [metric.name + ("_total" if metric.type == "counter" else "") for metric in _counted.collect()]
    return [*counted, *(value.name for value in globals().values() if isinstance(value, Gauge))]


def _all_processes() -> CollectorRegistry:
    registry = CollectorRegistry()
    if getattr(client_values.ValueClass, "_multiprocess", False):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(_Counted())
    return registry
