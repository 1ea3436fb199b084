"""Half a minute of chaos; `make chaos` is ten."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.chaos.report import report
from tests.chaos.run import run_chaos

SECONDS = float(os.environ.get("CHAOS_SECONDS", "30"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))


@pytest.mark.timeout(SECONDS + 700)
def test_the_laws_hold_in_chaos() -> None:
    """Whatever is killed, stopped, cut, filled or lost while batches and files are sent and catalogues copied: what was
    accepted is applied in order, once, to an end; copies and exports are whole; webhooks tell; nothing is left over."""
    result = run_chaos(seconds=SECONDS, seed=SEED, durability="fsync", enough=enough)
    assert result.wrong == [], report(result)
    assert result.accepted > SECONDS
    assert len(result.faults) > 10
    assert result.cut > 0
    assert result.walks > 3
    assert enough(result.faults)
    seen = result.outside
    assert min(seen.ftps["whole"], seen.ftps["renamed"], seen.ftps["cut"], seen.ftps["broken"]) > 0, seen
    assert min(seen.told["tasks"], seen.exports["DONE"], seen.slow_clients) > 0, seen


def enough(faults: Counter[str], _: int = 0) -> bool:
    """Whether FTPS, the receiver of webhooks, and an ingress with slow clients had their trouble."""
    return all(any(name.startswith(one) for name in faults) for one in ("FTPS", "webhooks", "ingress: slow clients"))
