"""Counters: every process adds to one sum, and counting costs next to nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from shared.telemetry import metrics
from shared.telemetry.counter_files import FILE_BYTES
from tests.support.small_disk import small_disk

#: Two processes that count, forked from one that counted before, and a fourth that asks.
COUNTING = """
import os, sys
from shared.telemetry import metrics
metrics.BYTES_ACCEPTED.inc(1)
metrics.SUBMIT_SECONDS.observe(0.02)
for _ in range(2):
    if os.fork() == 0:
        metrics.BYTES_ACCEPTED.inc(10)
        metrics.SUBMIT_SECONDS.observe(0.02)
        os._exit(0)
    os.wait()
"""
#: One after the other, killed while the parent lives.
KILLED = """
import os, signal
from shared.telemetry import metrics
for _ in range(10):
    if os.fork() == 0:
        metrics.BYTES_ACCEPTED.inc(10)
        os.kill(os.getpid(), signal.SIGKILL)
    os.wait()
"""
#: Two children at once, of which the second finds no file.
CROWD = """
if os.fork() == 0:
    metrics.SUBMIT_SECONDS.observe(0.02)
    if os.fork() == 0:
        metrics.BYTES_ACCEPTED.inc(100)
        os._exit(0)
    os.wait()
    os._exit(0)
os.wait()
"""
ASKING = "from shared.telemetry import metrics; print(metrics.exposition()[0].decode())"


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


def test_a_process_goes_on_in_the_file_of_one_that_has_ended(tmp_path: Path) -> None:
    """However many processes come and go, killed or not, the files stay few and the sum is whole."""
    for _ in range(3):
        run(COUNTING, tmp_path)
    run(KILLED, tmp_path)
    assert "sluice_bytes_accepted_total 163.0" in run(ASKING, tmp_path).splitlines()
    # The most that ran at once: a parent and one child.
    assert len(list(tmp_path.glob("*.db"))) == 2 * len(("counter", "histogram"))


def test_all_that_is_counted_fits_into_its_file(tmp_path: Path) -> None:
    """A file that had to grow could meet a full disk later."""
    run(ASKING, tmp_path)
    for file in tmp_path.glob("*.db"):
        assert file.stat().st_blocks * 512 >= file.stat().st_size == FILE_BYTES
        assert int.from_bytes(file.read_bytes()[:4], sys.byteorder) < FILE_BYTES


def test_counting_on_a_full_disk_ends_nobody(tmp_path: Path) -> None:
    """A process that finds no room counts for itself alone, and says so."""
    with small_disk(tmp_path / "metrics", size_mb=1) as disk:
        run(COUNTING, disk.folder)
        disk.fill()
        said = run(f"{COUNTING}\n{CROWD}", disk.folder)
        assert "counters of this process are missing in /metrics" in said
        disk.free()
        # The parent and its first child at a time have files; the fourth and fifth process had no room.
        assert "sluice_bytes_accepted_total 42.0" in run(ASKING, disk.folder).splitlines()


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
