"""Some histories with each run of the tests; `make simulate` runs as many as you like."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest
import structlog

from shared import nonces
from shared.errors import Misconfigured
from shared.model import TERMINAL, Operation, Status
from shared.store import id_writes
from tests.simulation.audit import Outcome
from tests.simulation.history import Stage
from tests.simulation.plan import Variant
from tests.simulation.shrink import Shrinker
from tests.simulation.timed_store import timed_store

#: Histories in one test; in the last ones an operator has something to decide.
SEEDS = (*range(120), 887, 1046)
#: What happens in them besides, each now and then.
MET = {
    "stopped by a guard", "warned by a guard", "given up", "skipped", "retried", "mailed", "delivered",
}  # fmt: skip


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
    """Whoever comes first, dies, sleeps past its lease or hears no answer; each operation succeeds now and then."""
    ended, met, accidents = Counter[tuple[Operation, Status]](), Counter[str](), 0
    for seed in SEEDS:
        outcome = stage.run(Variant(seed))
        assert not outcome.wrong, f"{outcome.wrong}\nagain: make simulate ARGS={outcome.variant.arguments()!r}"
        ended += outcome.ended
        met += outcome.met
        accidents += outcome.accidents
    assert {operation for operation, status in ended if status is Status.DONE} == set(Operation)
    assert {status for _, status in ended} == TERMINAL
    assert met.keys() >= MET
    assert accidents > len(SEEDS)


def test_a_seed_is_the_same_history_each_time(stage: Stage) -> None:
    """Whatever ran before it: who went on at each round trip, and what happened there."""
    traces = [stage.run(Variant(seed)).trace for seed in (3, 11, 3, 11)]
    assert all(traces)
    assert traces[:2] == traces[2:]


def test_a_history_leaves_the_process_as_it_was(stage: Stage) -> None:
    """Its nonces are drawn from its seed, and the runs of its store are nobody else's."""
    known = (nonces._chance.getstate(), dict(id_writes._numbers), set(id_writes._noted), len(id_writes._alive_noted_s))
    assert not stage.run(Variant(5)).wrong
    after = (nonces._chance.getstate(), id_writes._numbers, id_writes._noted, len(id_writes._alive_noted_s))
    assert after == known


def test_a_history_is_made_smaller_as_long_as_it_fails() -> None:
    """Here it fails whenever two of its operations and one of its accidents are in it."""

    def run(variant: Variant) -> Outcome:
        fails = not variant.without & {3, 7} and 5 not in variant.muted
        return Outcome(variant, "wrong", "Wrong" if fails else "", planned=12, drawn=9)

    smallest = Shrinker(run, run(Variant(1))).smallest().variant
    assert set(range(12)) - smallest.without == {3, 7}
    assert set(range(9)) - smallest.muted == {5}
