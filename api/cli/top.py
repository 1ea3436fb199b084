"""``sluice top``: watch the partitions in a terminal."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable

import click
from flask.cli import with_appcontext
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from api.monitor.overview import MOST_CATALOGS, Overview, PartitionRow, all_catalogs, overlook
from api.monitor.units import brief, count, moment, size, span
from api.services import Services, current_services
from shared.errors import TryAgain
from shared.partition.state import PartitionState
from shared.waiting import wait_until

#: Lines besides those of partitions.
HEAD_LINES = 8
#: Columns of output that goes to a script and not to a terminal.
WIDE = 200

_BARS = " ▁▂▃▄▅▆▇█"
_COLOURS = {"stuck": "bold red", "draining": "blue", "waiting": "yellow", "idle": "dim"}


@click.command()
@click.option("--once", is_flag=True, help="Print all partitions once and exit, for scripts.")
@click.option("--every", "every_s", default=2.0, show_default=True, type=click.FloatRange(0.2), help="Seconds.")
@with_appcontext
def top(once: bool, every_s: float) -> None:
    """Watch partitions, rates and workers; stop with Ctrl-C."""
    services = current_services()
    console = Console(highlight=False)
    if once or not console.is_terminal:
        shown = console if console.is_terminal else Console(highlight=False, width=WIDE)
        shown.print(screen(_look(services), width=shown.width, fill=console.is_terminal))
        return
    # Ctrl-C is the normal end.  It sleeps instead of waiting for an event, which breaks when interrupted.
    with contextlib.suppress(KeyboardInterrupt), Live(console=console, screen=True, auto_refresh=False) as live:

        def draw() -> None:
            live.update(_now(services, console), refresh=True)

        wait_until(draw, "Ctrl-C", timeout_s=math.inf, every_s=every_s)


def screen(now: Overview, *, width: int, fill: bool = True, rows: int | None = None) -> RenderableType:
    """Draw the screen, with ``rows`` partitions, ``width`` columns wide; ``fill`` uses the whole width."""
    shown = now.rows[:rows]
    parts = [_head(now), Text(), _hour(now, width), Text(), _table(shown, fill=fill)]
    if len(shown) < len(now.rows):
        parts.append(Text(f"and {count(len(now.rows) - len(shown))} more, less urgent", style="dim"))
    if now.left_out:
        parts.append(Text(f"{count(now.left_out)} more catalogs are in none of these numbers", style="yellow"))
    return Group(*parts)


def _now(services: Services, console: Console) -> RenderableType:
    try:
        return screen(_look(services), width=console.width, rows=max(1, console.height - HEAD_LINES - 1))
    except TryAgain:
        return Text("The store does not answer at the moment. Its data is safe.", style="bold red")


def _look(services: Services) -> Overview:
    left_out = max(0, services.backlog.count_known() - MOST_CATALOGS)
    return overlook(services, all_catalogs(services), failures=0, left_out=left_out)


def _head(now: Overview) -> RenderableType:
    """Draw the three top lines: rates, backlog and failures, workers."""
    wait = "batch waits" if now.tasks == 1 else "batches wait"
    first = (
        ("sluice", "bold"), f"  {moment(now.now_ms)[11:]}   accepted ", (f"{brief(now.accepted_per_s)}/s", "bold"),
        "   applied ", (f"{brief(now.applied_per_s)}/s", "bold"), f"   {brief(now.tasks)} {wait}",
    )  # fmt: skip
    oldest = span(now.oldest_s * 1000) if now.tasks else "none"
    second = (
        f"{brief(now.entries)} entries, {size(now.bytes)}   oldest {oldest}   ",
        (f"failed in a day {brief(now.failures.total)}", "red" if now.failures.total else ""),
    )
    workers = (f"workers {len(now.workers)}", "" if now.workers else "bold red"), f"   {' '.join(now.workers)}"
    return Group(*(Text.assemble(*line, no_wrap=True, overflow="ellipsis") for line in (first, second, workers)))


def _hour(now: Overview, width: int) -> RenderableType:
    """Draw the entries applied in each minute of the last hour as bars, with the peak."""
    minutes = now.rates.applied[-max(1, min(60, width - 20)) :]
    peak = max(minutes)
    bars = "".join(_BARS[-(-each * (len(_BARS) - 1) // peak)] if peak else " " for each in minutes)
    return Text.assemble("applied ", (bars, "blue"), f" ≤ {brief(peak / 60)}/s", no_wrap=True, overflow="crop")


def _table(rows: Iterable[PartitionRow], *, fill: bool) -> Table:
    table = Table(box=None, expand=fill, padding=(0, 1, 0, 0), header_style="reverse")
    table.add_column("CATALOG", ratio=1, no_wrap=True, min_width=8)
    table.add_column("STATE", no_wrap=True, min_width=8)
    for name in ("BATCHES", "ENTRIES", "BYTES", "OLDEST", "RATE"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("OWNER", ratio=1, no_wrap=True, min_width=13)
    for row in rows:
        state = row.state
        table.add_row(
            row.catalog_key, Text(row.mood, _COLOURS[row.mood]), brief(state.tasks), brief(state.entries),
            size(state.bytes), span(row.oldest_s * 1000) if state.tasks else "-", brief(row.per_s),
            _owner(state),
        )  # fmt: skip
    return table


def _owner(state: PartitionState) -> str:
    if state.stuck:
        return f"stuck at #{state.head}"
    return state.holder or (f"{state.stalls} lost" if state.stalls else "-")
