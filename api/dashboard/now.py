"""*Now*: the partitions as they are at this moment, the last hour, and what failed in the last day."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template

from api.dashboard.charts import Plot, plot, sparkline
from api.dashboard.visitors import Visitor, visitor
from api.services import services
from shared.failures import read_failures
from shared.rates import Rates, add_up, read_rates
from shared.states import PartitionState, read_states

#: Partitions that are listed, the most urgent first; the numbers above them are of all.
ROWS = 100
#: Failed tasks that are listed.
FAILURES = 12
_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Row:
    """One partition in the list."""

    catalog_key: str
    state: PartitionState
    #: Entries applied in the last minute that is over, a second.
    per_s: float
    #: The last hour of that, as the points of a small line.
    points: str

    @property
    def mood(self) -> str:
        """Say in one word how it is."""
        if self.state.stuck:
            return "stuck"
        if self.state.holder:
            return "draining"
        return "waiting" if self.state.tasks else "idle"


@dataclass(frozen=True, slots=True)
class Totals:
    """All partitions together."""

    tasks: int
    entries: int
    bytes: int
    oldest_s: float
    stuck: int


def register(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/now", "get_now", get_now, methods=["GET"])


def get_now() -> str:
    tools = services()
    now_ms = tools.clock()
    catalog_keys = _catalog_keys(visitor())
    states = read_states(tools.client, catalog_keys)
    rates = read_rates(tools.client, catalog_keys, now_ms=now_ms)
    rows = _rows(catalog_keys, states, rates)
    total_rates = add_up(rates)
    return render_template(
        "now.html",
        page="now",
        rows=rows[:ROWS],
        more_rows=max(0, len(rows) - ROWS),
        idle=len(catalog_keys) - len(rows),
        totals=_totals(states, now_ms),
        plot=_plot(total_rates),
        rates=total_rates,
        failures=read_failures(tools.client, catalog_keys, since_ms=now_ms - _DAY_MS, most=FAILURES),
        workers=tools.heartbeats.alive(now_ms),
        now_ms=now_ms,
        live="busy" if any(state.tasks for state in states) else "idle",
    )


def _catalog_keys(who: Visitor) -> list[str]:
    """List the catalogs to look at; those with a backlog are there even where there are too many."""
    mine = who.catalog_keys()
    waiting = services().backlog.all_waiting(most=len(mine) or 1)
    return list(dict.fromkeys([*filter(who.may_read, waiting), *mine]))


def _rows(catalog_keys: list[str], states: list[PartitionState], rates: list[Rates]) -> list[Row]:
    """Make a row of each that has something to do, or had within the hour; the most urgent first."""
    rows = [
        Row(catalog_key, state, rate.applied[-2] / 60, sparkline(rate.applied[:-1]))
        for catalog_key, state, rate in zip(catalog_keys, states, rates, strict=True)
        if state.tasks or any(rate.accepted) or any(rate.applied)
    ]
    return sorted(rows, key=lambda row: (not row.state.stuck, row.state.oldest_ms or 10**15, -row.per_s))


def _totals(states: list[PartitionState], now_ms: int) -> Totals:
    return Totals(
        tasks=sum(state.tasks for state in states),
        entries=sum(state.entries for state in states),
        bytes=sum(state.bytes for state in states),
        oldest_s=max((state.age_s(now_ms) for state in states), default=0.0),
        stuck=sum(state.stuck for state in states),
    )


def _plot(rates: Rates) -> Plot:
    # The minute that is not over yet would look like a fall.
    per_s = ([number / 60 for number in numbers[:-1]] for numbers in (rates.accepted, rates.applied))
    accepted, applied = per_s
    return plot([("accepted", "accepted", accepted), ("applied", "applied", applied)])
