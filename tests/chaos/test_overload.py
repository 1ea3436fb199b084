"""A moment of far more than can be applied; `python -m tests.chaos.overload` is minutes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.overload import MAXMEMORY, report, run_flood

SECONDS = float(os.environ.get("FLOOD_SECONDS", "4"))
MIB = 1024**2


@pytest.mark.timeout(SECONDS + 300)
def test_a_flood_is_answered_bounded_and_worked_off(tmp_path: Path) -> None:
    """Every request gets 200, or 429 or 503 with Retry-After; no process grows for ever; what was accepted, and nothing
    else, is applied in order."""
    flood = run_flood(SECONDS, seed=1, folder=tmp_path)
    assert flood.wrong == [], report(flood)
    assert flood.statuses[200] > 0
    assert flood.statuses[429] + flood.statuses[503] > 0
    assert flood.memory.pop("store, data") < MAXMEMORY
    assert max(flood.memory.values()) < 300 * MIB, report(flood)
