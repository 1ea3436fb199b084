"""A minute of chaos; `make chaos` is ten."""

from __future__ import annotations

import os

import pytest

from tests.chaos.report import report
from tests.chaos.run import run_chaos

SECONDS = float(os.environ.get("CHAOS_SECONDS", "60"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))


@pytest.mark.timeout(SECONDS + 400)
def test_the_laws_hold_in_chaos() -> None:
    """Whatever is killed, stopped, cut, filled or lost while batches and files are sent and catalogues copied: what was
    accepted is applied in order, once, to an end; copies and exports are whole; nothing is left lying."""
    result = run_chaos(seconds=SECONDS, seed=SEED, durability="fsync")
    assert result.wrong == [], report(result)
    assert result.accepted > SECONDS
    assert len(result.faults) > 10
    assert result.cut > 0
    assert result.walks > 3
