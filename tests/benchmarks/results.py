"""The results: figures, each with a value per system and round."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

#: From the name of a figure to its value in one round of one system.
Values = dict[str, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that a row yields."""

    name: str
    #: What a reader is told it is.
    title: str
    unit: str
    more_is_better: bool = True


@dataclass
class Results:
    """All values so far."""

    figures: dict[str, Figure] = field(default_factory=dict)
    #: Figure → system → one value per round.
    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    #: Figure → system → part of the system → ms of processor time per batch, of the last round.
    cpu: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, system: str, values: Values) -> None:
        """Take in one round of one system."""
        for name, value in values.items():
            self.values.setdefault(name, {}).setdefault(system, []).append(value)

    def median(self, figure: str, system: str) -> float | None:
        """The median of all rounds; None if it was not measured."""
        rounds = self.values.get(figure, {}).get(system)
        return statistics.median(rounds) if rounds else None

    def ratio(self, figure: str, system: str, other: str) -> float | None:
        """How often one system is as fast as another: the median of the ratios of each round."""
        ours, theirs = (self.values.get(figure, {}).get(name) for name in (system, other))
        if not ours or not theirs:
            return None
        ratios = [one / two if self.figures[figure].more_is_better else two / one
                  for one, two in zip(ours, theirs, strict=False)]  # fmt: skip
        return statistics.median(ratios)

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "figures": {
                name: {
                    "title": figure.title,
                    "unit": figure.unit,
                    "more_is_better": figure.more_is_better,
                    "systems": {
                        system: {
                            "median": self.median(name, system),
                            "rounds": rounds,
                            "cpu_ms_per_batch": self.cpu.get(name, {}).get(system),
                        }
                        for system, rounds in self.values.get(name, {}).items()
                    },
                }
                for name, figure in self.figures.items()
                if name in self.values
            },
            "notes": self.notes,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Results:
        """Read what `as_json` wrote."""
        results = cls(notes=list(data["notes"]))
        for name, each in data["figures"].items():
            results.figures[name] = Figure(name, each["title"], each["unit"], each["more_is_better"])
            for system, measured in each["systems"].items():
                results.values.setdefault(name, {})[system] = measured["rounds"]
                if measured["cpu_ms_per_batch"]:
                    results.cpu.setdefault(name, {})[system] = measured["cpu_ms_per_batch"]
        return results


def percentile(values: Iterable[float], percent: float) -> float:
    """Find the smallest value that so many percent of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
