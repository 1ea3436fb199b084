"""*Now*: the partitions as they are at this moment, the last hour, and what failed in the last day."""

from __future__ import annotations

from flask import Blueprint, render_template

from api.dashboard.charts import Plot, plot, sparkline
from api.dashboard.visitors import Visitor, visitor
from api.overview import Row, overlook
from api.services import services
from shared.rates import Rates

#: Partitions that are listed, the most urgent first; the numbers above them are of all.
ROWS = 100
#: Partitions that are named below them, though nothing happened there.
IDLE = 200
#: Failed tasks that are listed.
FAILURES = 12


def register(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/now", "get_now", get_now, methods=["GET"])


def get_now() -> str:
    now = overlook(services(), _catalog_keys(visitor()), failures=FAILURES)
    return render_template(
        "now.html",
        page="now",
        now=now,
        rows=[(row, _points(row)) for row in now.rows[:ROWS]],
        most_idle=IDLE,
        plot=_plot(now.rates),
        live="busy" if now.tasks else "idle",
    )


def _catalog_keys(who: Visitor) -> list[str]:
    """List the catalogs to look at; those with a backlog are there even where there are too many."""
    mine = who.catalog_keys()
    waiting = services().backlog.all_waiting(most=len(mine) or 1)
    return list(dict.fromkeys([*filter(who.may_read, waiting), *mine]))


def _points(row: Row) -> str:
    """Draw what was applied of one partition; like the plot, without the minute that is not over yet."""
    return sparkline(row.rates.applied[:-1])


def _plot(rates: Rates) -> Plot:
    # The minute that is not over yet would look like a fall.
    per_s = ([number / 60 for number in numbers[:-1]] for numbers in (rates.accepted, rates.applied))
    accepted, applied = per_s
    return plot([("accepted", "accepted", accepted), ("applied", "applied", applied)])
