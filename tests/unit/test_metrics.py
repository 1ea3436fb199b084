"""Counters: every process adds to one sum, and counting costs next to nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from shared import metrics

#: Two processes that count, forked from one that counted before, and a fourth that asks.
COUNTING = """
import os, sys
from shared import metrics
metrics.BYTES_ACCEPTED.inc(1)
metrics.SUBMIT_SECONDS.observe(0.02)
for _ in range(2):
    if os.fork() == 0:
        metrics.BYTES_ACCEPTED.inc(10)
        metrics.SUBMIT_SECONDS.observe(0.02)
        os._exit(0)
    os.wait()
"""
ASKING = "from shared import metrics; print(metrics.exposition()[0].decode())"


def run(code: str, folder: Path) -> str:
    environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environ, check=True, capture_output=True, text=True, timeout=60
    ).stdout


def test_every_process_that_shares_the_folder_is_summed_dead_ones_too(tmp_path: Path) -> None:
    """A worker's children count each for itself; what a dead one counted stays, so that the sum never falls."""
    run(COUNTING, tmp_path)
    lines = run(ASKING, tmp_path).splitlines()
    assert "sluice_bytes_accepted_total 21.0" in lines
    assert "sluice_submit_seconds_count 3.0" in lines
    assert 'sluice_submit_seconds_bucket{le="0.01"} 0.0' in lines
    assert 'sluice_submit_seconds_bucket{le="0.025"} 3.0' in lines


def test_every_series_is_there_before_its_first_event(tmp_path: Path) -> None:
    """Prometheus takes a series that appears at 1 for one that was always 1."""
    for text in (run(ASKING, tmp_path), metrics.exposition()[0].decode()):
        assert 'sluice_writes_rejected_total{reason="queue_full"}' in text
        assert 'sluice_tasks_ended_total{status="FAILED"}' in text


def test_every_metric_has_a_sentence_and_a_name_of_ours() -> None:
    text = metrics.exposition()[0].decode()
    for name in metrics.names():
        gauge = next((each for each in vars(metrics).values() if getattr(each, "name", None) == name), None)
        sentence = gauge.sentence if gauge else text.split(f"# HELP {name} ")[1].splitlines()[0]
        assert sentence.endswith(".")
        assert name.startswith("sluice_")


def test_counting_is_cheap(tmp_path: Path) -> None:
    """Some microseconds an event, of which a batch has a handful, however many entries it has."""
    code = (
        "import timeit; from shared import metrics;"
        "print(timeit.timeit(lambda: metrics.BATCHES_ACCEPTED.labels('items', 'put').inc(), number=20_000) / 20_000)"
    )
    assert float(run(code, tmp_path)) < 50e-6
    start = time.perf_counter()
    metrics.exposition()
    assert time.perf_counter() - start < 0.1
