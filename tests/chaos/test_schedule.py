"""The schedule of faults waits for what takes its time on a slow machine."""

from __future__ import annotations

import random
import threading
from typing import Any

import psycopg
import pytest
from redis.exceptions import OutOfMemoryError

from tests.chaos import schedule
from tests.chaos.faults import Fault
from tests.chaos.links import Heal
from tests.chaos.schedule import Schedule
from tests.chaos.stage import NotNow


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> Schedule:
    """A schedule that draws at once, again and again."""
    monkeypatch.setattr(schedule, "GAP_S", (0.0, 0.01))
    stage: Any = None
    return Schedule(stage, random.Random(1), [])


def test_a_healing_that_a_database_refuses_is_tried_again(one: Schedule) -> None:
    refusals = [psycopg.OperationalError("the database system is in recovery mode"), ConnectionRefusedError()]

    def heal() -> None:
        if refusals:
            raise refusals.pop()

    one.faults = [Fault("a fault", lambda stage: heal, lasts_s=(0, 0))]
    one.run(0.1)
    assert not refusals


def test_a_healing_that_another_fault_holds_up_does_not_hold_up_the_other(one: Schedule) -> None:
    full = threading.Event()

    def fill(stage: Any) -> Heal:
        full.set()
        return full.clear

    def carry(stage: Any) -> Heal:
        def arrive() -> None:
            if full.is_set():
                raise OutOfMemoryError

        return arrive

    fills, carries = Fault("full", fill, (0.2, 0.2), seizes="memory"), Fault("carries", carry, seizes="server")
    one.faults = [fills, carries, Fault("idle", lambda stage: None)]
    one.run(0.05)
    assert not full.is_set()


def test_a_fault_that_a_database_refuses_did_not_happen(one: Schedule) -> None:
    def refuse(stage: Any) -> None:
        raise psycopg.OperationalError("the database system is in recovery mode")

    one.faults = [Fault("a fault", refuse)]
    one.run(0.05)
    assert not one.inflicted


def test_a_fault_that_has_to_wait_has_its_turn_later(one: Schedule) -> None:
    """Without the others waiting for it."""

    def wait(stage: Any) -> None:
        if not one.inflicted:
            raise NotNow

    one.faults = [Fault("waits", wait), Fault("goes", lambda stage: None)]
    one.run(0.0, lambda: len(one.inflicted) == 2)
    assert [name for _, name in one.history][:2] == ["goes", "waits"]


def test_faults_go_on_until_there_were_enough(one: Schedule) -> None:
    one.faults = [Fault("a fault", lambda stage: None)]
    one.run(0.0, lambda: one.inflicted["a fault"] >= 3)
    assert one.inflicted["a fault"] >= 3
