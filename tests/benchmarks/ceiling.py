"""The upper limit of single entries from end to end, if the ingress cost nothing itself."""

from __future__ import annotations

from tests.benchmarks.results import Results
from tests.benchmarks.rows import SLUICE

#: In which row each part has the least to do that it cannot be without.
_LEAST = (("bare", "ingress"), ("bare", "load"), ("ingress_1", "store"), ("drain_1", "store"), ("drain_1", "worker"))


def single_entries_per_s(results: Results, *, cores: int) -> float | None:
    """Reckon it from processor time, with every core full: None where a row of these was not measured.

    The ingress takes what an empty answer takes; store and workers what they take alone, with all they could wish for
    at hand.
    """
    least_ms = [results.cpu.get(row, {}).get(SLUICE, {}).get(part) for row, part in _LEAST]
    known_ms = [ms for ms in least_ms if ms is not None]
    return cores * 1000 / sum(known_ms) if len(known_ms) == len(_LEAST) else None
