"""A cluster under faults, for some seconds; `make chaos ARGS=--cluster` has them for ten minutes."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.chaos.report import report
from tests.chaos.run import run_chaos

SECONDS = float(os.environ.get("CHAOS_CLUSTER_SECONDS", "20"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
#: What has to have happened, however slow the machine: one of each.
HAPPENED = {
    "a master is lost": ("cluster: a master killed", "cluster: a master stopped", "cluster: masters of two shards"),
    "a replica is lost": ("cluster: a replica killed", "cluster: a replica stopped", "cluster: replication broken"),
    "a slot moves": ("cluster: the slot of a catalog", "cluster: the shared slot"),
    "a worker is lost": ("worker:",),
}


@pytest.mark.timeout(SECONDS + 600)
def test_nothing_that_was_answered_is_lost_or_done_twice_whatever_happens_to_a_cluster() -> None:
    """The laws hold for all batches, copies are the catalogue, and no master has a key that should not be there."""
    result = run_chaos(seconds=SECONDS, seed=SEED, cluster=True, enough=enough)
    assert result.wrong == [], report(result)
    assert enough(result.faults, 0), report(result)
    assert result.accepted > SECONDS


def enough(faults: Counter[str], _: int) -> bool:
    """Whether all of it has happened."""
    return all(any(name.startswith(kinds) for name in faults) for kinds in HAPPENED.values())
