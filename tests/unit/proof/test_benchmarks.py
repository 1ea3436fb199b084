"""The benchmark sends the same bytes to all, and what it writes down says what was measured."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from api.entries.checked_batch import parse_batch
from shared.model import Kind, Operation
from tests.benchmarks import report
from tests.benchmarks.bodies import METHODS, TEMPLATES, body, item_id, size_of
from tests.benchmarks.results import Results, percentile
from tests.benchmarks.rows import FLOOR, ROWS, SLUICE, USUAL

ABOUT: dict[str, Any] = {
    "measured": "2025-03-01T12:00:00Z",
    "machine": {"cores": 2, "processor": "Abacus"},
    "versions": {"store": "Valkey 9.1", "python": "3.11.7"},
    "data": {"entry_bytes": 550.2},
    "seconds": 1,
}


@pytest.fixture
def results() -> Results:
    """Two rounds, in the second of which the machine was busy with something else."""
    results = Results(figures={figure.name: figure for row in ROWS for figure in row.figures})
    for put, usual, floor in ((100_000.0, 10_000.0, 200_000.0), (50_000.0, 5_000.0, 90_000.0)):
        results.add(SLUICE, {"put": put, "idle_p50": 5.0, "half_p99": 60.0})
        results.add(USUAL, {"put": usual, "idle_p50": 10.0})
        results.add(FLOOR, {"put": floor})
    results.notes.append("a row is left out")
    return results


@pytest.mark.parametrize("method", METHODS)
def test_a_body_is_one_the_service_takes(method: str) -> None:
    """Whatever the system, it is measured on bodies that are right."""
    sent, operation = body(method, 3, entries=100), Operation(method.lower())
    [chunk] = parse_batch(sent, kind=Kind.ITEMS, operation=operation, max_entries=100)
    assert chunk.ids == [item_id(3, number) for number in range(100)]


def test_bodies_are_the_same_in_every_run() -> None:
    """Two runs can only be compared if they sent the same."""
    text = b"".join(body(method, block, entries=3) for method in METHODS for block in range(TEMPLATES + 1))
    assert hashlib.sha256(text).hexdigest()[:16] == "67dd74b81a7524be"
    assert 500 < size_of(100).entry_bytes < 600


def test_versions_of_a_body_differ_in_every_entry() -> None:
    """A PATCH that changes nothing would be cheap."""
    one, two = (json.loads(body("PATCH", 5, entries=100, version=version))["items"] for version in (0, 1))
    assert [each["id"] for each in one] == [each["id"] for each in two]
    assert not any(first == second for first, second in zip(one, two, strict=True))


def test_the_table_shows_medians_and_ratios_of_rounds(results: Results) -> None:
    """A ratio is that of figures measured side by side: noise that hits a whole round leaves it as it is."""
    lines = report.table(results, ABOUT).splitlines()
    [put] = [line for line in lines if line.startswith("| PUT, 1,000 entries a batch")]
    assert put == "| PUT, 1,000 entries a batch | entries/s | 75,000 | 7,500 |  |  | 145,000 | 10.0 × | 0.53 × |"
    assert "* a row is left out" in lines


def test_the_table_tells_which_promises_held(results: Results) -> None:
    """One kept, one broken, and the others not measured."""
    lines = report.table(results, ABOUT).splitlines()
    assert "| PUT against the usual Celery | ≥ 8 × | 10 × | yes |" in lines
    assert "| p99 at half load against p50 idle | ≤ 10 × | 12 × | **no** |" in lines
    [unmeasured] = [line for line in lines if line.startswith("Not measured: ")]
    assert "loss of throughput over catalog sizes" in unmeasured


def test_the_table_tells_what_single_entries_could_come_to(results: Results) -> None:
    """What no ingress could do is told beside what was measured, once all parts of the reckoning were."""
    assert "Single entries" not in report.table(results, ABOUT)
    results.add(USUAL, {"put_1": 500.0})
    results.cpu = {
        "bare": {SLUICE: {"ingress": 0.5, "load": 0.1, "store": 0.0, "worker": 0.0}},
        "ingress_1": {SLUICE: {"ingress": 9.0, "load": 9.0, "store": 0.2, "worker": 0.0}},
        "drain_1": {SLUICE: {"ingress": 0.0, "load": 9.0, "store": 0.1, "worker": 0.1}},
    }
    [told] = [line for line in report.table(results, ABOUT).splitlines() if line.startswith("Single entries")]
    assert "could be 2,000 a second, 4.00 × the usual way" in told


def test_results_are_read_back_as_they_were_written(results: Results, tmp_path: Path) -> None:
    """The file holds everything, so that a table can be made from it again."""
    report.write(results, ABOUT, tmp_path)
    written = json.loads((tmp_path / report.JSON).read_text())
    again = Results.from_json(written)
    assert report.table(again, written) == (tmp_path / report.TABLE).read_text()
    assert again.values == results.values


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (99, 99), (100, 100), (1, 1)])
def test_a_percentile_is_one_of_the_values(percent: int, expected: int) -> None:
    assert percentile(range(1, 101), percent) == expected
