"""The *Now* page: current partitions, the last hour, failures of the last day."""

from __future__ import annotations

from flask import Blueprint, render_template

from api.dashboard.charts import Plot, plot, sparkline
from api.dashboard.visitors import visitor
from api.monitor.overview import PartitionRow, overlook
from api.services import current_services
from shared.tasks.rates import Rates

#: Most partitions listed, most urgent first; the totals above include all.
ROWS = 100
#: Most idle partitions named below the list.
IDLE = 200
#: Most failed tasks listed.
FAILURES = 12


def register(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/now", "get_now", get_now, methods=["GET"])


def get_now() -> str:
    who = visitor()
    now = overlook(current_services(), who.catalog_keys(), failures=FAILURES, left_out=who.left_out())
    return render_template(
        "now.html",
        page="now",
        now=now,
        rows=[(row, _points(row)) for row in now.rows[:ROWS]],
        most_idle=IDLE,
        plot=_plot(now.rates),
        live="busy" if now.tasks else "idle",
    )


def _points(row: PartitionRow) -> str:
    """Draw what was applied of one partition; like the plot, without the minute that is not over yet."""
    return sparkline(row.rates.applied[:-1])


def _plot(rates: Rates) -> Plot:
    # The minute that is not over yet would look like a fall.
    per_s = ([number / 60 for number in numbers[:-1]] for numbers in (rates.accepted, rates.applied))
    accepted, applied = per_s
    return plot([("accepted", "accepted", accepted), ("applied", "applied", applied)])
