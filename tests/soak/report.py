"""The report of a soak test: a page with its table, and a plot."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

from tests.soak.flatness import TOLERANCE, Flatness
from tests.soak.run import Result

mpl.use("Agg")

from matplotlib import pyplot as plt  # after the choice of a backend without a screen

#: Points of a series in the plot, each the middle of those around it.
POINTS = 240


def report(result: Result, found: Sequence[Flatness], *, warm_s: float) -> str:
    """Write the page."""
    crooked = [one.name for one in found if not one.is_flat]
    verdict = ["BROKEN:", "", *(f"* {line}" for line in result.wrong)] if result.wrong else ["All went on to the end."]
    flat = f"Not flat within {TOLERANCE:.0%}: {', '.join(crooked)}." if crooked else f"Flat within {TOLERANCE:.0%}."
    lines = [
        f"# Soak test, {result.seconds:g} s, seed {result.seed}",
        "",
        *verdict,
        flat,
        "",
        f"* on {os.cpu_count()} cores ({platform.system()} {platform.machine()}, Python {platform.python_version()})",
        f"* ended tasks were kept for {result.retention_s} s, their payloads for half of it; the first {warm_s:g} s are"
        " left out",
        f"* webhooks received: {result.told}; entries of tables compared in the end: {result.compared}",
        "",
        f"| what | first {_length(result, warm_s)} | last | ratio | most ever |",
        "|---|---|---|---|---|",
        *(f"| {one.name} | {one.first:.4g} | {one.last:.4g} | {one.ratio:.3f} | {one.most:.4g} |" for one in found),
        "",
        "| done | times |",
        "|---|---|",
        *(f"| {name} | {times} |" for name, times in sorted(result.done.items())),
        "",
        f"Again: `make soak ARGS='--seed {result.seed} --seconds {result.seconds:g} --retention {result.retention_s}'`",
        "",
    ]
    return "\n".join(lines)


def _length(result: Result, warm_s: float) -> str:
    return f"{(result.seconds - warm_s) / 4 / 60:.3g} min"


def draw(result: Result, file: Path) -> None:
    """Draw every series, those of one unit or kind together."""
    groups: dict[str, list[str]] = {}
    for name in sorted(result.series):
        groups.setdefault(_group(name), []).append(name)
    figure, all_axes = plt.subplots(len(groups), 1, figsize=(11, 2.6 * len(groups)), sharex=True, squeeze=False)
    for axes, (title, names) in zip(all_axes[:, 0], groups.items(), strict=True):
        for name in names:
            axes.plot(*_thinned(result.series[name]), label=name, linewidth=1)
        axes.set_ylim(bottom=0)
        axes.set_title(title, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=6, loc="center left", bbox_to_anchor=(1, 0.5))
    all_axes[-1, 0].set_xlabel("minutes")
    figure.tight_layout()
    figure.savefig(file, dpi=90)
    plt.close(figure)


def _group(name: str) -> str:
    if name.endswith(", ms"):
        return "latency, ms"
    return name.partition(" of ")[0] + (", MB" if name.endswith(", MB") else "") if " of " in name else name


def _thinned(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    size = max(1, len(points) // POINTS)
    pieces = [points[first : first + size] for first in range(0, len(points), size)]
    middle = [sorted(value for _, value in piece)[len(piece) // 2] for piece in pieces]
    return [piece[0][0] / 60 for piece in pieces], middle
