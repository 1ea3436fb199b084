"""The promised speeds, and whether they hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.settings import Settings
from tests.benchmarks.results import Results
from tests.benchmarks.rows import FLOOR, SLUICE, USUAL


@dataclass(frozen=True, slots=True)
class Bar:
    """A promise about figures."""

    title: str
    #: None if what it needs was not measured.
    measured: Callable[[Results], float | None]
    at_least: float | None = None
    at_most: float | None = None
    #: What is measured is a number of these.
    unit: str = ""

    def met(self, results: Results) -> bool | None:
        """Tell whether it holds; None if that was not measured."""
        value = self.measured(results)
        if value is None:
            return None
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    @property
    def wanted(self) -> str:
        """Say what was promised."""
        return f"≥ {self.at_least:g} {self.unit}" if self.at_least is not None else f"≤ {self.at_most:g} {self.unit}"


def _times(figure: str, other: str) -> Callable[[Results], float | None]:
    return lambda results: results.ratio(figure, SLUICE, other)


def _value(figure: str) -> Callable[[Results], float | None]:
    return lambda results: results.median(figure, SLUICE)


def _cpu(figure: str, part: str) -> Callable[[Results], float | None]:
    """Milliseconds that a part of Sluice uses for a request."""
    return lambda results: results.cpu.get(figure, {}).get(SLUICE, {}).get(part)


def _per(figure: str, other: str) -> Callable[[Results], float | None]:
    def ratio(results: Results) -> float | None:
        one, two = results.median(figure, SLUICE), results.median(other, SLUICE)
        return one / two if one is not None and two else None

    return ratio


def _beyond(figure: str, other: str) -> Callable[[Results], float | None]:
    def difference(results: Results) -> float | None:
        one, two = results.median(figure, SLUICE), results.median(other, SLUICE)
        return one - two if one is not None and two is not None else None

    return difference


def _spread(results: Results) -> float | None:
    """By how many percent the slowest catalog size is behind the fastest."""
    medians = [results.median(name, SLUICE) for name in results.values if name.startswith("size_")]
    rates = [rate for rate in medians if rate]
    return 100 * (1 - min(rates) / max(rates)) if len(rates) > 1 else None


BARS = (
    Bar("PUT against the usual Celery", _times("put", USUAL), at_least=8, unit="×"),
    Bar("PUT against the floor", _times("put", FLOOR), at_least=0.45, unit="×"),
    Bar("PATCH against the usual Celery", _times("patch", USUAL), at_least=6, unit="×"),
    Bar("ingress alone against the usual Celery", _times("ingress", USUAL), at_least=8, unit="×"),
    Bar("single entries over 1,000 catalogs against the usual Celery", _times("put_1", USUAL), at_least=2.5, unit="×"),
    Bar("the same, accepted alone", _times("ingress_1", USUAL), at_least=3, unit="×"),
    Bar("the same, drained alone", _times("drain_1", USUAL), at_least=5, unit="×"),
    Bar("an empty answer, processor time of the ingress", _cpu("bare", "ingress"), at_most=0.25, unit="ms"),
    Bar("health beside 1,000 slow clients, p99", _value("slow_health_p99"), at_most=100, unit="ms"),
    Bar("writes beside 1,000 slow clients, of those without", _value("slow_writes"), at_least=80, unit="%"),
    Bar("submit → visible, idle, p50", _value("idle_p50"), at_most=10, unit="ms"),
    Bar("the usual Celery's against it", _times("idle_p50", USUAL), at_least=1, unit="×"),
    Bar("p99 at half load against p50 idle", _per("half_p99", "idle_p50"), at_most=10, unit="×"),
    Bar(
        "small catalogs' p99 beside a long queue, beyond that on an empty system",
        _beyond("small_beside_p99", "small_empty_p99"),
        at_most=3 * Settings().slice_s * 1000,
        unit="ms",
    ),
    Bar("a new copy in PostgreSQL against a plain loader", _per("postgres_copy", "postgres_loader"), 0.7, unit="×"),
    Bar(
        "changes into PostgreSQL against a plain loader",
        _per("postgres_changes", "postgres_loader_again"),
        at_least=0.7,
        unit="×",
    ),
    Bar("a new copy in Typesense against a plain loader", _per("typesense_copy", "typesense_loader"), 0.7, unit="×"),
    Bar(
        "changes into Typesense against a plain loader",
        _per("typesense_changes", "typesense_loader_again"),
        at_least=0.7,
        unit="×",
    ),
    Bar("PUT beside a live and a dead sink, of that without", _value("put_with_sinks"), at_least=95, unit="%"),
    Bar("loss of throughput over catalog sizes", _spread, at_most=15, unit="%"),
    Bar("memory of a waiting entry against its raw JSON", _per("waiting_bytes", "raw_bytes"), at_most=0.4, unit="×"),
    Bar("memory of a stored entry beyond its raw JSON", _beyond("stored_bytes", "raw_bytes"), at_most=250, unit="B"),
)
