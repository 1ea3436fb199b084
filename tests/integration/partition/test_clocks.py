"""Clocks that jump, back too: order comes from the ids, leases from the store, so that only the times shown are off."""

from __future__ import annotations

import random

from shared.tasks.records import TaskFilter, Tasks
from tests.support.batches import items
from tests.support.rig import ACME, Rig

DAY_MS = 24 * 3600 * 1000


def test_whatever_the_clocks_say_batches_are_applied_in_order_and_listed_so(rig: Rig) -> None:
    jumps = random.Random(5)
    start_ms = rig.clock()
    for number in range(60):
        rig.clock.now_ms = start_ms + jumps.randint(-DAY_MS, DAY_MS)
        rig.put(*items("same", f"sku-{number % 7}"))
        if jumps.random() < 0.3:
            rig.clock.now_ms = start_ms + jumps.randint(-DAY_MS, DAY_MS)
            rig.drain()
    rig.drain()
    assert set(rig.statuses().values()) == {"DONE"}
    page = Tasks(rig.client, ACME).page(TaskFilter(), offset=0, size=100)
    assert [task.id for task in page.tasks] == list(range(60, 0, -1))
    rig.check_laws()


def test_a_worker_whose_clock_is_behind_keeps_its_lease_and_takes_no_others(rig: Rig) -> None:
    """A lease is as old as the store says."""
    rig.put(*items("a"))
    grant = rig.acquire()
    rig.clock.advance(-DAY_MS)
    assert rig.drainer(holder="two").drain(ACME) == "NOT_OWNER"
    assert grant.lease.extend()
    rig.clock.advance(3 * DAY_MS)
    assert rig.drainer(holder="two").drain(ACME) == "NOT_OWNER"


def test_a_clock_that_is_behind_drops_no_task_before_its_time(rig: Rig) -> None:
    rig.put(*items("a"))
    rig.clock.advance(-DAY_MS)
    rig.drain()
    rig.clock.advance(1000 * rig.settings.task_retention_s - 1)
    rig.sweep().once()
    assert rig.statuses() == {1: "DONE"}
    rig.clock.advance(2)
    rig.sweep().once()
    assert Tasks(rig.client, ACME).get(1) is None
