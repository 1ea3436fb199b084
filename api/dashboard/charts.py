"""Draw small plots on the server as SVG paths; the style sheet has the colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Size of the drawing in its own units; the page stretches it and writes numbers and times beside it.
WIDTH, HEIGHT = 600.0, 120.0
#: Horizontal lines.
_LINES = 3


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a plot."""

    name: str
    #: Name of its style.
    style: str
    #: From the left to the right edge.
    path: str
    #: The same, closed along the ground.
    area: str
    peak: float
    last: float


@dataclass(frozen=True, slots=True)
class Grid:
    """A horizontal line and its number."""

    y: float
    value: float


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot, ready for a template."""

    lines: list[Series]
    grid: list[Grid]
    width: float = WIDTH
    height: float = HEIGHT


def plot(series: Sequence[tuple[str, str, Sequence[float]]]) -> Plot:
    """Draw series of equal length, each (name, style, numbers), over one another."""
    top = _ceiling(max((max(numbers, default=0.0) for _, _, numbers in series), default=0.0))
    lines = [_line(name, style, numbers, top) for name, style, numbers in series]
    grid = [Grid(_y(top * step / _LINES, top), top * step / _LINES) for step in range(_LINES + 1)]
    return Plot(lines, grid)


def sparkline(numbers: Sequence[float], *, width: float = 96.0, height: float = 22.0) -> str:
    """Draw one series as the points of a polyline."""
    top = max(numbers, default=0.0) or 1.0
    step = width / max(1, len(numbers) - 1)
    return " ".join(
        f"{place * step:.1f},{height - 2 - (height - 4) * number / top:.1f}" for place, number in enumerate(numbers)
    )


def _line(name: str, style: str, numbers: Sequence[float], top: float) -> Series:
    step = WIDTH / max(1, len(numbers) - 1)
    points = [f"{place * step:.1f} {_y(number, top):.1f}" for place, number in enumerate(numbers)]
    path = "M" + " L".join(points) if points else ""
    area = f"{path} V{HEIGHT:.1f} H0 Z" if points else ""
    return Series(name, style, path, area, max(numbers, default=0.0), numbers[-1] if numbers else 0.0)


def _y(number: float, top: float) -> float:
    return round(HEIGHT - HEIGHT * number / top, 1)


def _ceiling(highest: float) -> float:
    """Round up to 0.3, 0.6, 1.2, 1.5, 3 … so that thirds of it are numbers that people like to read."""
    scale = 0.3 if highest else 3.0
    while True:
        for factor in (1, 2, 4, 5):
            if highest <= scale * factor:
                return scale * factor
        scale *= 10
