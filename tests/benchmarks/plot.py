"""The plot: how many times as fast as the usual way, how long until a write is seen, and how flat it stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

from tests.benchmarks.plan import SIZED
from tests.benchmarks.results import Results
from tests.benchmarks.rows import SLUICE, SYSTEMS, USUAL

mpl.use("Agg")

from matplotlib import pyplot as plt  # after the choice of a backend without a screen

_COLOURS = dict(zip(SYSTEMS, ("#1f6f8b", "#c9a227", "#8d99ae", "#b5838d", "#444444"), strict=True))
_RATES = {
    "put": "PUT\n1,000", "patch": "PATCH\n1,000", "delete": "DELETE\n1,000", "put_10000": "PUT\n10,000",
    "ingress": "ingress\nalone", "drain": "drain\nalone", "put_1": "PUT\n1", "drain_1": "drain of\n1 alone",
}  # fmt: skip
_TIMES = {"idle_p50": "idle\np50", "idle_p99": "idle\np99", "half_p50": "half load\np50", "half_p99": "half load\np99"}


def draw(results: Results, file: Path) -> None:
    """Draw whatever of it was measured."""
    figure, (rates, times, sizes) = plt.subplots(1, 3, figsize=(15, 4.6), width_ratios=(5, 3, 2))
    _bars(rates, results, _RATES, relative_to=USUAL)
    rates.set_title(f"entries a second, {USUAL} = 1")
    _bars(times, results, _TIMES)
    times.set_yscale("log")
    for of_ticks in (times.yaxis.set_major_formatter, times.yaxis.set_minor_formatter):
        of_ticks("{x:g}")
    times.set_title("ms from PUT to the first GET that shows it")
    points = [(size, results.median(f"size_{size}", SLUICE)) for size in SIZED]
    points = [(size, rate) for size, rate in points if rate]
    if points:
        sizes.plot(*zip(*points, strict=True), marker="o", color=_COLOURS[SLUICE])
        sizes.set_xscale("log")
        sizes.set_ylim(0, 1.1 * max(rate for _, rate in points))
    sizes.set_title("entries a second over catalog size")
    if rates.containers:
        rates.legend(frameon=False, fontsize=8)
    for axes in (rates, times, sizes):
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize(10)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _bars(axes: Any, results: Results, figures: dict[str, str], *, relative_to: str | None = None) -> None:
    shown = [name for name in figures if name in results.values]
    systems = [system for system in SYSTEMS if any(system in results.values[name] for name in shown)]
    width = 0.8 / max(1, len(systems))
    for place, system in enumerate(systems):
        # By the ratios of the table, where what stands beside is a ratio.
        heights = [
            (results.ratio(name, system, relative_to) if relative_to else results.median(name, system)) or 0.0
            for name in shown
        ]
        left = [number + (place - (len(systems) - 1) / 2) * width for number in range(len(shown))]
        drawn = axes.bar(left, heights, width, label=system, color=_COLOURS[system])
        if system != relative_to:
            axes.bar_label(drawn, [f"{height:.2g}" if height else "" for height in heights], fontsize=7)
    axes.set_xticks(range(len(shown)), [figures[name] for name in shown], fontsize=8)
