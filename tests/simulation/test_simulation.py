"""Some histories with each run of the tests; `make simulate` runs as many as you like."""

from __future__ import annotations

import json
import math
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace

import pytest
import structlog

from shared import nonces
from shared.errors import Misconfigured
from shared.guards.guard_records import Guard
from shared.model import TERMINAL, Kind, Operation, Status
from shared.sinks.destination import Copy, Mark
from shared.store import id_writes
from shared.store.positions import Position
from tests.simulation.audit import Outcome
from tests.simulation.checks.delivered import States
from tests.simulation.checks.guard_book import GuardBook, State
from tests.simulation.history import Stage
from tests.simulation.parties.warehouse import Rows, Sight
from tests.simulation.plan import Variant
from tests.simulation.shrink import Shrinker
from tests.simulation.timed_store import timed_store
from tests.support.laws import Accepted, LawBroken, Model

#: Histories in one test.
PART = 200
SEEDS = range(PART)
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


@pytest.mark.parametrize("first", range(PART, 5 * PART, PART))
def test_the_laws_hold_in_many_histories(stage: Stage, first: int) -> None:
    """Whatever a seed makes up."""
    for seed in range(first, first + PART):
        outcome = stage.run(Variant(seed))
        assert not outcome.wrong, f"{outcome.wrong}\nagain: make simulate ARGS={outcome.variant.arguments()!r}"


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


def _sight(task_id: int, rows: Rows, *, reach: int = 0) -> Sight:
    return Sight(Copy(Mark(Position(task_id), max(reach, task_id)), "made"), rows, begun=0)


def test_a_sink_whose_readers_see_what_never_was_is_found() -> None:
    """Something of another task than it says, something lost, or one state after a later one."""
    batches = [Accepted(number, "items", "put", [_body("a", number), _body("b", number)]) for number in (1, 2)]
    states = States(batches, set(), Model())
    one, two = ({(Kind.ITEMS, id_): _body(id_, number) for id_ in "ab"} for number in (1, 2))
    mixed = one | {(Kind.ITEMS, "b"): _body("b", 2)}
    states.check([_sight(0, {}), _sight(1, one), _sight(1, mixed, reach=2), _sight(2, two)], two, since=0)
    for sights, last in (
        ([_sight(1, mixed)], two),
        ([_sight(1, {})], two),
        ([_sight(2, one)], two),
        ([_sight(2, two), _sight(1, one)], two),
        ([], mixed),
    ):
        with pytest.raises(LawBroken, match="sink"):
            states.check(sights, last, since=0)


def _body(id_: str, number: int) -> bytes:
    return json.dumps({"id": id_, "name": f"{number}"}).encode()


def test_a_task_that_was_judged_by_rules_of_the_past_is_found() -> None:
    """Whoever had an answer that rules are set sends what is judged by these, or by later ones."""
    book, changes = GuardBook(), list[Guard]()
    for version, rules in enumerate(({"max_deleted": 0}, None, {"max_created": 0}), 1):
        name = f"operation-{version}"
        book.ask(name, Kind.ITEMS, rules)
        book.answer(name, took_effect=True, tick=10.0 * version)
        changes.insert(0, Guard(Kind.ITEMS, "Products", version, 1, name, rules))
    book.complete(changes, lost_since=math.inf)
    assert [state.version for state in book.possible(Kind.ITEMS, 5.0)] == [0, 1, 2, 3]
    assert [state.version for state in book.possible(Kind.ITEMS, 25.0)] == [2, 3]
    with pytest.raises(LawBroken, match="version 1 judged"):
        book.possible(Kind.ITEMS, 25.0, version=1)
    with pytest.raises(LawBroken, match="forgotten"):
        replace(book, _states=defaultdict(lambda: [State()])).complete(changes[1:], lost_since=math.inf)


def test_a_history_is_made_smaller_as_long_as_it_fails() -> None:
    """Here it fails whenever two of its operations and one of its accidents are in it."""

    def run(variant: Variant) -> Outcome:
        fails = not variant.without & {3, 7} and 5 not in variant.muted
        return Outcome(variant, "wrong", "Wrong" if fails else "", planned=12, drawn=9)

    smallest = Shrinker(run, run(Variant(1))).smallest().variant
    assert set(range(12)) - smallest.without == {3, 7}
    assert set(range(9)) - smallest.muted == {5}
