"""The rows: what is measured of whom, how often, and which figures come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.benchmarks import latency, scale, sinks, slow, throughput
from tests.benchmarks.plan import SIZED, Plan
from tests.benchmarks.results import Figure, Results, Values

SLUICE, USUAL, PROCRASTINATE, UNORDERED, FLOOR = "Sluice", "usual Celery", "procrastinate", "unordered", "floor"
#: In the order of the table.
SYSTEMS = (SLUICE, USUAL, PROCRASTINATE, UNORDERED, FLOOR)
_OVER_HTTP = SYSTEMS[:-1]


@dataclass(frozen=True, slots=True)
class Row:
    """A measurement of one or more systems, that yields one or more figures."""

    name: str
    #: What is done, in one sentence.
    measure: str
    systems: tuple[str, ...]
    figures: tuple[Figure, ...]
    #: Measures one system once, from an empty store.
    run: Callable[[Any, Plan, Results], Values]
    rounds: Callable[[Plan], int]
    #: Settings of a Sluice that runs for this row alone; None: it is one with the others.
    alone: Mapping[str, str] | None = None


def _often(plan: Plan) -> int:
    return plan.rounds


def _seldom(plan: Plan) -> int:
    return plan.few_rounds


def _once(_: Plan) -> int:
    return 1


def _rate(name: str, title: str) -> Figure:
    return Figure(name, title, "entries/s")


def _time(name: str, title: str) -> Figure:
    return Figure(name, title, "ms", more_is_better=False)


def _bytes(name: str, title: str) -> Figure:
    return Figure(name, title, "bytes", more_is_better=False)


#: How many sinks a row's worker delivers to at once.
_WITH_SINKS = {"SLUICE_SINKS": "4"}

ROWS = (
    Row(
        "changes",
        "Batches of 1,000 entries to 4 catalogs, one sender each: PUT, then PATCH of two fields, then DELETE; "
        "from the first request to the end of the last task.",
        SYSTEMS,
        (
            _rate("put", "PUT, 1,000 entries a batch"),
            _rate("patch", "PATCH of two fields, 1,000 a batch"),
            _rate("delete", "DELETE, 1,000 a batch"),
        ),
        throughput.changes,
        _often,
    ),
    Row(
        "again",
        "PUT of 1,000 entries a batch, then a sync of the same, to each of 4 catalogs: all of it is as it is stored.",
        (SLUICE,),
        (_rate("put_again", "PUT of what is stored, 1,000 a batch"), _rate("sync_again", "sync of what is stored")),
        throughput.again,
        _seldom,
    ),
    Row(
        "big",
        "PUT of 10,000 entries a batch to 4 catalogs, one sender each.",
        SYSTEMS,
        (_rate("put_10000", "PUT, 10,000 entries a batch"),),
        throughput.big_batches,
        _seldom,
    ),
    Row(
        "single",
        "PUT of one entry a batch, 8 senders, over 1,000 catalogs in turn.",
        _OVER_HTTP,
        (_rate("put_1", "PUT, 1 entry a batch, 1,000 catalogs"),),
        throughput.single_entries,
        _often,
    ),
    Row(
        "single-halves",
        "The same with the workers frozen; then the workers alone with that backlog: what pulling does for them.",
        (SLUICE, USUAL),
        (
            _rate("ingress_1", "ingress alone, 1 entry a batch, accepted"),
            _rate("drain_1", "drain alone, 1 entry a batch, 1,000 catalogs"),
        ),
        throughput.single_halves,
        _seldom,
    ),
    Row(
        "few-clients",
        "PUT of one entry a batch with the workers frozen, by one sender, then by two.",
        (SLUICE, USUAL),
        (
            _rate("ingress_1_of_1", "the same by one client"),
            _rate("ingress_1_of_2", "the same by two clients"),
        ),
        throughput.few_clients,
        _seldom,
    ),
    Row(
        "bare",
        "GET of an empty answer, 8 senders: what there is to be had with the same server and framework at most.",
        (SLUICE, USUAL),
        (Figure("bare", "an empty answer, no store asked", "answers/s"),),
        throughput.bare,
        _often,
    ),
    Row(
        "halves",
        "PUT of 1,000 entries a batch to 4 catalogs with the workers frozen; then the workers alone with that backlog.",
        _OVER_HTTP,
        (_rate("ingress", "ingress alone, accepted"), _rate("drain", "drain alone, a waiting backlog")),
        throughput.halves,
        _seldom,
    ),
    Row(
        "latency",
        "One item at a time, from its PUT to the first GET that shows it; half load: batches of 1,000 at half the rate "
        "of the first row of the same system.",
        (SLUICE, USUAL),
        (
            _time("idle_p50", "submit → visible, idle, p50"),
            _time("idle_p99", "submit → visible, idle, p99"),
            _time("asleep_p50", "submit → visible, after a second of silence, p50"),
            _time("half_p50", "submit → visible, half load, p50"),
            _time("half_p99", "submit → visible, half load, p99"),
        ),
        latency.visible,
        _seldom,
    ),
    Row(
        "fairness",
        "50 catalogs send single entries at an even pace, to an empty system and while one catalog has a long queue.",
        (SLUICE,),
        (
            _time("small_empty_p50", "small catalogs, empty system, p50"),
            _time("small_empty_p99", "small catalogs, empty system, p99"),
            _time("small_beside_p50", "small catalogs beside a long queue, p50"),
            _time("small_beside_p99", "small catalogs beside a long queue, p99"),
        ),
        scale.fairness,
        _once,
    ),
    Row(
        "slow",
        "Health checks, then writes of 1,000 entries, beside 1,000 connections of slow, silent and vanished clients; "
        "the writes against those before and after.",
        (SLUICE,),
        (
            _time("slow_health_p99", "health beside 1,000 slow clients, p99"),
            Figure("slow_writes", "writes of 1,000 entries beside 1,000 slow clients, of those without", "%"),
        ),
        slow.beside_slow_clients,
        _seldom,
    ),
    Row(
        "trickle",
        "Each of up to 10,000 catalogs sends one entry, at an even pace.",
        (SLUICE,),
        (
            _time("trickle_p50", "a trickle over many catalogs, p50"),
            _time("trickle_p99", "a trickle over many catalogs, p99"),
        ),
        scale.trickle,
        _once,
    ),
    Row(
        "sizes",
        "PUT of 1,000 entries a batch over what is there already, in catalogs of growing size.",
        (SLUICE,),
        tuple(_rate(f"size_{size}", f"PUT into a catalog of {size:,} items") for size in SIZED),
        scale.catalog_sizes,
        _once,
    ),
    Row(
        "backlog",
        "A backlog over 80 catalogs with the workers frozen, then drained; no payloads are kept for audit.",
        (SLUICE,),
        (
            _bytes("raw_bytes", "raw JSON of an entry"),
            _bytes("waiting_bytes", "memory of a waiting entry"),
            _bytes("stored_bytes", "memory of a stored entry, index included"),
            _rate("backlog_drain", "drain of the great backlog"),
        ),
        scale.backlog,
        _once,
        # Payloads of ended tasks would count as stored entries.
        alone={"SLUICE_PAYLOAD_BYTES": "0"},
    ),
    Row(
        "sink-postgres",
        "A catalogue is copied to PostgreSQL, then all of it changes and is followed; each beside one process that "
        "loads the same rows. Then batches of 100 at half that rate, from each write to the table's position.",
        (SLUICE,),
        (
            _rate("postgres_copy", "into PostgreSQL, a new copy"),
            _rate("postgres_loader", "the same by a plain loader"),
            _rate("postgres_changes", "into PostgreSQL, changes of all of it"),
            _rate("postgres_loader_again", "the same by a plain loader, again"),
            _time("postgres_lag_p50", "write → PostgreSQL, half load, p50"),
            _time("postgres_lag_p99", "write → PostgreSQL, half load, p99"),
        ),
        sinks.into_postgres,
        _seldom,
        alone=_WITH_SINKS,
    ),
    Row(
        "sink-typesense",
        "The same into Typesense, without the lag.",
        (SLUICE,),
        (
            _rate("typesense_copy", "into Typesense, a new copy"),
            _rate("typesense_loader", "the same documents by a plain loader"),
            _rate("typesense_changes", "into Typesense, changes of all of it"),
            _rate("typesense_loader_again", "the same documents by a plain loader, again"),
        ),
        sinks.into_typesense,
        _once,
        alone=_WITH_SINKS,
    ),
    Row(
        "sink-loss",
        "PUT of 1,000 entries a batch to 4 catalogs, one of which has a live and a dead sink; against the same before "
        "and after, without sinks.",
        (SLUICE,),
        (Figure("put_with_sinks", "PUT beside a live and a dead sink, of that without", "%"),),
        sinks.beside_ingestion,
        _once,
        alone=_WITH_SINKS,
    ),
)
