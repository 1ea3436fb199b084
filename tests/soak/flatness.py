"""Whether a series is flat: its middle in the first half hour beside that in the last."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from tests.soak.probe import Series

#: Share of a run that is its beginning and its end: half an hour of two.
SHARE = 0.25
#: How far the end may be from the beginning.
TOLERANCE = 0.05
#: Series that are told but not judged: exports are kept for three days, log files up to 30 MB each.
TOLD = ("disk: exports", "disk: log files")


@dataclass(frozen=True)
class Flatness:
    """One series."""

    name: str
    first: float
    last: float
    most: float

    @property
    def ratio(self) -> float:
        return self.last / self.first if self.first else float(self.last == 0) or float("inf")

    @property
    def is_flat(self) -> bool:
        return self.name.startswith(TOLD) or abs(self.ratio - 1) <= TOLERANCE


def compare_ends(series: Series, *, warm_s: float, seconds: float) -> list[Flatness]:
    """Compare the first and the last quarter of what follows the first ``warm_s`` seconds, series by series."""
    length = (seconds - warm_s) * SHARE
    found = []
    for name, points in sorted(series.items()):
        first = _middle(value for at, value in points if warm_s <= at < warm_s + length)
        last = _middle(value for at, value in points if at >= seconds - length)
        # A process that came or went meanwhile has only one of them.
        found.append(Flatness(name, first, last, max(value for _, value in points)))
    return found


def _middle(values: Iterable[float]) -> float:
    return statistics.median(list(values) or [0.0])
