"""All partitions at a glance, for the *Now* page and ``sluice top``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from api.services import Services
from shared.failures import Failures, read_failures
from shared.rates import Rates, add_up, per_second, read_rates
from shared.states import PartitionState, read_states

_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Row:
    """One partition that has something to do, or had within the hour."""

    catalog_key: str
    state: PartitionState
    rates: Rates
    #: Entries applied a second, lately.
    per_s: float
    #: For how long its oldest batch has waited; 0 if none does.
    oldest_s: float

    @property
    def mood(self) -> str:
        """Say in one word how it is."""
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
    rows: list[Row]
    #: The others, by catalog key.
    idle: list[str]
    tasks: int
    entries: int
    bytes: int
    #: Of the batch that has waited longest; 0 if none does.
    oldest_s: float
    rates: Rates
    accepted_per_s: float
    applied_per_s: float
    workers: list[str]
    #: Of the last day.
    failures: Failures


def overlook(tools: Services, catalog_keys: Sequence[str], *, failures: int) -> Overview:
    """Look at partitions, any number in a few round trips, and read so many failures; raises StoreUnavailable."""
    now_ms = tools.clock()
    states = read_states(tools.client, catalog_keys)
    rates = read_rates(tools.client, catalog_keys, now_ms=now_ms)
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
        workers=tools.heartbeats.alive(now_ms),
        failures=read_failures(tools.client, catalog_keys, since_ms=now_ms - _DAY_MS, most=failures),
    )


def _rows(partitions: Iterable[tuple[str, PartitionState, Rates]], now_ms: int) -> list[Row]:
    rows = [
        Row(catalog_key, state, rates, per_second(rates.applied, now_ms), state.age_s(now_ms))
        for catalog_key, state, rates in partitions
        if state.tasks or any(rates.accepted) or any(rates.applied)
    ]
    return sorted(rows, key=lambda row: (not row.state.stuck, row.state.oldest_ms or 10**15, -row.per_s))
