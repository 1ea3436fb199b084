"""The overview of all partitions, for the *Now* page and ``sluice top``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from api.services import Services
from shared.partition.state import NOTHING, PartitionState, read_states
from shared.tasks.rates import Rates, add_up, per_second, read_rates
from shared.tasks.recent_failures import RecentFailures, read_failures

_DAY_MS = 24 * 3600 * 1000

#: Catalogs that are looked at: as many as are read within a tenth of a second or two.
MOST_CATALOGS = 10_000


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """A partition that has work, or had some within the last hour."""

    catalog_key: str
    state: PartitionState
    rates: Rates
    #: Entries applied per second, recently.
    per_s: float
    #: Age of its oldest batch; 0 if none waits.
    oldest_s: float

    @property
    def mood(self) -> str:
        """Its state in one word."""
        if self.state.stuck:
            return "stuck"
        if self.state.holder:
            return "draining"
        return "waiting" if self.state.tasks else "idle"


@dataclass(frozen=True, slots=True)
class Overview:
    """Several partitions, each and together."""

    now_ms: int
    #: The most urgent first.
    rows: list[PartitionRow]
    #: The others, by catalog key.
    idle: list[str]
    tasks: int
    entries: int
    bytes: int
    #: Age of the oldest batch of all; 0 if none waits.
    oldest_s: float
    rates: Rates
    accepted_per_s: float
    applied_per_s: float
    workers: list[str]
    #: Of the last day.
    failures: RecentFailures
    #: Catalogs that there are beyond those looked at; they are in none of the numbers.
    left_out: int


def all_catalogs(services: Services) -> list[str]:
    """List the catalogs, MOST_CATALOGS at most, those with a backlog first."""
    backlog = services.backlog
    known = [*backlog.all_waiting(most=MOST_CATALOGS), *backlog.all_known(most=MOST_CATALOGS)]
    return list(dict.fromkeys(known))[:MOST_CATALOGS]


def overlook(services: Services, catalog_keys: Sequence[str], *, failures: int, left_out: int = 0) -> Overview:
    """Read the state of partitions in a few round trips, with recent failures; raises StoreUnavailable."""
    now_ms = services.clock()
    states = _states(services, catalog_keys)
    rates = read_rates(services.client, catalog_keys, now_ms=now_ms)
    rows, total = _rows(zip(catalog_keys, states, rates, strict=True), now_ms), add_up(rates)
    listed = {row.catalog_key for row in rows}
    return Overview(
        now_ms=now_ms,
        rows=rows,
        idle=[catalog_key for catalog_key in catalog_keys if catalog_key not in listed],
        tasks=sum(state.tasks for state in states),
        entries=sum(state.entries for state in states),
        bytes=sum(state.bytes for state in states),
        oldest_s=max((state.age_s(now_ms) for state in states), default=0.0),
        rates=total,
        accepted_per_s=per_second(total.accepted, now_ms),
        applied_per_s=per_second(total.applied, now_ms),
        workers=services.heartbeats.alive(now_ms),
        failures=read_failures(services.client, catalog_keys, since_ms=now_ms - _DAY_MS, most=failures),
        left_out=left_out,
    )


def _states(services: Services, catalog_keys: Sequence[str]) -> list[PartitionState]:
    """Read the states; of most catalogs nothing waits, and they need not be asked."""
    waiting = set(services.backlog.all_waiting(most=MOST_CATALOGS))
    asked = [catalog_key for catalog_key in catalog_keys if catalog_key in waiting]
    found = dict(zip(asked, read_states(services.client, asked), strict=True))
    return [found.get(catalog_key, NOTHING) for catalog_key in catalog_keys]


def _rows(partitions: Iterable[tuple[str, PartitionState, Rates]], now_ms: int) -> list[PartitionRow]:
    rows = [
        PartitionRow(catalog_key, state, rates, per_second(rates.applied, now_ms), state.age_s(now_ms))
        for catalog_key, state, rates in partitions
        if state.tasks or any(rates.accepted) or any(rates.applied)
    ]
    return sorted(rows, key=lambda row: (not row.state.stuck, row.state.oldest_ms or 10**15, -row.per_s))
