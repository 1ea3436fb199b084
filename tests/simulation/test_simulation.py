"""Some histories with each run of the tests; `make simulate` runs as many as you like."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import structlog

from shared.errors import Misconfigured
from tests.simulation.history import Stage
from tests.simulation.plan import Variant
from tests.simulation.timed_store import timed_store

#: Histories in one test.
SEEDS = range(120)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A stage on a store whose clock stands; without a compiler tests are skipped at home and fail in CI."""
    before = structlog.get_config()
    try:
        with timed_store() as store:
            yield Stage(store)
    except Misconfigured as problem:
        if os.environ.get("CI") == "true":
            pytest.fail(str(problem))
        pytest.skip(str(problem))
    finally:
        structlog.configure(**before)


def test_the_laws_hold_in_every_order(stage: Stage) -> None:
    """Whoever comes first, dies, sleeps past its lease or hears no answer."""
    for seed in SEEDS:
        outcome = stage.run(Variant(seed))
        assert not outcome.wrong, f"{outcome.wrong}\nagain: make simulate ARGS={outcome.variant.arguments()!r}"


def test_a_seed_is_the_same_history_each_time(stage: Stage) -> None:
    """Whatever ran before it: who went on at each round trip, and what happened there."""
    traces = [stage.run(Variant(seed)).trace for seed in (3, 11, 3, 11)]
    assert all(traces)
    assert traces[:2] == traces[2:]


def test_histories_have_accidents_and_are_not_all_alike(stage: Stage) -> None:
    outcomes = [stage.run(Variant(seed)) for seed in range(20)]
    assert sum(outcome.accidents for outcome in outcomes) > 20
    assert len({tuple(outcome.trace) for outcome in outcomes}) == 20
