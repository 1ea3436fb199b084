"""Sinks under faults, for some seconds; `make chaos` has them for ten minutes, with Typesense where that is there."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from shared.model import Kind
from tests.chaos.report import report
from tests.chaos.run import run_chaos
from tests.chaos.sinks.destinations import OpenSearchTarget, PostgresTarget
from tests.chaos.sinks.states import Sight, States
from tests.support.laws import Accepted, LawBroken, SeenTask

SECONDS = float(os.environ.get("CHAOS_SINKS_SECONDS", "20"))
SEED = int(os.environ.get("CHAOS_SEED", "5"))


@pytest.mark.timeout(SECONDS + 600)
@pytest.mark.skipif(
    not PostgresTarget.is_installed() and os.environ.get("CI") != "true", reason="PostgreSQL is not installed"
)
def test_destinations_are_the_catalogue_after_chaos_and_tables_are_at_each_moment() -> None:
    """Whatever happens to sink workers, destinations and the store: in the end every destination is what the model is.

    What readers of a table see is at each moment the catalogue just after the task that it names.
    """
    result = run_chaos(
        seconds=SECONDS, seed=SEED, durability="fsync", targets=[PostgresTarget, OpenSearchTarget], enough=enough
    )
    assert result.wrong == [], report(result)
    assert enough(result.faults, result.exact), report(result)


def enough(faults: Counter[str], exact: int) -> bool:
    """Whether a run has shown something of sinks, however slow the machine."""
    # Beside other tests sinks get little of the processor; what readers saw is checked all the same, exact or not.
    return exact > 0 and sum(name.startswith(("sink", "PostgreSQL", "OpenSearch")) for name in faults) > 2


ONE = {(Kind.ITEMS, "a"): '{"data": {}, "id": "a"}'}
PRICED = {(Kind.ITEMS, "a"): '{"data": {"price": "#2"}, "id": "a"}'}


@pytest.fixture
def states() -> States:
    """Those of a catalogue after the tasks 1, 2 and 4; task 3 failed."""
    bodies = [b'{"id":"a"}', b'{"id":"a","data":{"price":2.0}}', b'{"id":"a","data":{"price":3}}']
    accepted = [Accepted(number, "items", "put", [body]) for number, body in enumerate(bodies, 1)]
    tasks = [SeenTask(number, "FAILED" if number == 3 else "DONE", {}, ()) for number in (1, 2, 3, 4)]
    return States([*accepted, Accepted(4, "items", "delete", [b'{"id":"a"}'], force=True)], tasks)


@pytest.mark.parametrize(
    "sights",
    [
        [Sight(1, 1, True, ONE), Sight(2, 2, True, PRICED), Sight(3, 3, True, {})],
        [Sight(1, 2, False, ONE), Sight(1, 3, False, PRICED)],
        [Sight(0, 0, True, {})],
    ],
)
def test_what_was_a_state_is_let_pass(states: States, sights: list[Sight]) -> None:
    states.check_sights("a table", sights)


@pytest.mark.parametrize(
    "sights",
    [
        [Sight(1, 1, True, PRICED)],
        [Sight(2, 2, True, ONE)],
        [Sight(1, 1, True, {})],
        [Sight(2, 4, False, ONE)],
        [Sight(1, 1, True, {**ONE, (Kind.ITEMS, "b"): "{}"})],
    ],
)
def test_what_was_none_is_noticed(states: States, sights: list[Sight]) -> None:
    with pytest.raises(LawBroken, match="a table"):
        states.check_sights("a table", sights)


def test_rows_that_differ_in_the_end_are_noticed(states: States) -> None:
    with pytest.raises(LawBroken):
        states.check_now("a table", {Kind.ITEMS: {"a": '{"id": "a"}'}})
