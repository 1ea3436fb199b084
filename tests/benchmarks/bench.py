"""Run rows: start the systems they need, measure them in turn, stop everything."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks import machine, postgres
from tests.benchmarks.floor import Floor
from tests.benchmarks.other_systems import Other, Procrastinate, Unordered, UsualCelery
from tests.benchmarks.plan import ALL_CATALOGS, Plan
from tests.benchmarks.results import Results
from tests.benchmarks.rows import FLOOR, PROCRASTINATE, SLUICE, SYSTEMS, UNORDERED, USUAL, Row
from tests.benchmarks.sluice_system import Sluice
from tests.benchmarks.store import Store
from tests.benchmarks.systems import System

Say = Callable[[str], None]


def run(rows: Sequence[Row], plan: Plan, say: Say) -> tuple[Results, dict[str, Any]]:
    """Measure rows; returns the results, and what they were measured on."""
    results = Results()
    for row in rows:
        results.figures.update({figure.name: figure for figure in row.figures})
    wanted = {system for row in rows for system in row.systems}
    begun = time.monotonic()
    with _folder() as folder, ExitStack() as running:
        systems = _start(wanted, folder, running, results, say)
        about = {"plan": plan.name, **machine.describe(systems[SLUICE].store)}
        say(f"{time.monotonic() - begun:5.0f} s  started: {', '.join(systems)}")
        for row in rows:
            if row.alone is None:
                _measure(row, systems, plan, results, say)
                say(f"{time.monotonic() - begun:5.0f} s  {row.name} done")
    for row in rows:
        if row.alone is not None:
            with _folder() as folder, Sluice(folder / "sluice", ALL_CATALOGS, **row.alone) as sluice:
                _measure(row, {SLUICE: sluice}, plan, results, say)
            say(f"{time.monotonic() - begun:5.0f} s  {row.name} done")
    about["seconds"] = round(time.monotonic() - begun)
    return results, about


def _measure(row: Row, systems: dict[str, Any], plan: Plan, results: Results, say: Say) -> None:
    """Measure the systems of a row, interleaved, another one first each time."""
    names = [name for name in row.systems if name in systems and (row.name, name) not in plan.without]
    for number in range(row.rounds(plan)):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            values = row.run(systems[name], plan, results)
            results.add(name, values)
            shown = "  ".join(f"{figure} {value:,.1f}" for figure, value in values.items())
            say(f"         {row.name} {number + 1}: {name}  {shown}")


def _start(wanted: set[str], folder: Path, running: ExitStack, results: Results, say: Say) -> dict[str, Any]:
    systems: dict[str, Any] = {SLUICE: running.enter_context(Sluice(folder / "sluice", ALL_CATALOGS))}
    if wanted == {SLUICE}:
        return systems
    store = Store(folder)
    running.callback(store.stop)
    makers: dict[str, Callable[[], System | None]] = {
        USUAL: lambda: UsualCelery(folder, store),
        PROCRASTINATE: lambda: _procrastinate(folder, store, running),
        UNORDERED: lambda: Unordered(folder, store),
    }
    for name in SYSTEMS:
        if name in wanted and name in makers:
            made = makers[name]()
            if made is None:
                note = f"{name} is left out: no PostgreSQL on this machine (Debian: apt-get install postgresql)"
                results.notes.append(note)
                say(note)
            else:
                systems[name] = running.enter_context(made)
    if FLOOR in wanted:
        floor = Floor(store.url)
        running.callback(floor.close)
        systems[FLOOR] = floor
    return systems


def _procrastinate(folder: Path, store: Store, running: ExitStack) -> Other | None:
    programs = postgres.find_programs()
    if programs is None:
        return None
    server = postgres.Postgres(programs, folder)
    running.callback(server.stop)
    return Procrastinate(folder, store, server)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
