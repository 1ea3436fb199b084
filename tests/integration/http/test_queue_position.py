"""A task that waits says where it stands and what it waits for."""

from __future__ import annotations

from typing import Any

from shared.model import Operation
from shared.partition.heartbeats import Heartbeats
from tests.support.batches import items, make_batch, named
from tests.support.ingress import Ingress
from tests.support.rig import Rig


def waits(ingress: Ingress, task_id: int) -> tuple[Any, Any]:
    task = ingress.get(f"/v1/tasks/{task_id}")
    return task.get("queue_position"), task.get("waiting_for")


def test_a_task_that_waits_says_where(rig: Rig, ingress: Ingress) -> None:
    for name in "abc":
        rig.put(*items(name))
    assert waits(ingress, 1) == (1, "a worker: none is running")
    assert waits(ingress, 2) == (2, "1 task before it")
    assert waits(ingress, 3) == (3, "2 tasks before it")


def test_a_list_says_the_same(rig: Rig, ingress: Ingress) -> None:
    rig.put(*items("a"))
    rig.drain()
    for name in "bc":
        rig.put(*items(name))
    listed = ingress.get("/v1/tasks")["tasks"]
    assert [(task["id"], task.get("queue_position")) for task in listed] == [(3, 2), (2, 1), (1, None)]
    assert "waiting_for" not in listed[2]


def test_a_worker_that_is_there_is_said_to_be(rig: Rig, ingress: Ingress) -> None:
    Heartbeats(rig.client).beat("one", rig.clock())
    rig.put(*items("a"))
    assert waits(ingress, 1) == (1, "a worker")


def test_a_task_that_runs_counts_and_has_no_position_itself(rig: Rig, ingress: Ingress) -> None:
    rig.put(*items("a"))
    rig.put(*items("b"))
    grant = rig.acquire()
    grant.lease.begin(1, now_ms=rig.clock())
    assert waits(ingress, 1) == (None, None)
    assert waits(ingress, 2) == (2, "1 task before it")


def test_canceled_tasks_leave_the_queue(rig: Rig, ingress: Ingress) -> None:
    for name in "abc":
        rig.put(*items(name))
    rig.cancel(2)
    assert waits(ingress, 2) == (None, None)
    assert waits(ingress, 3) == (2, "1 task before it")


def test_behind_a_stuck_task_an_operator_is_waited_for(rig: Rig, ingress: Ingress) -> None:
    """The head was begun, its owners die one after the other: nobody takes the partition up any more."""
    rig.put(*items(*map(str, range(4))), chunk_entries=2)
    rig.put(*items("b"))
    rig = rig.with_settings(max_stalls=2)
    grant = rig.acquire()
    first, *_ = rig.plan(grant)
    grant.lease.take(grant.applied, [first], now_ms=rig.clock(), wants_more=False)
    for nonce in "abc":
        rig.expire_lease()
        rig.claim(nonce=nonce).acquire()
    assert rig.state().stuck
    assert waits(ingress, 2) == (2, "an operator: the partition is stuck")


def test_the_answer_to_a_rerun_says_where_it_stands(rig: Rig, ingress: Ingress) -> None:
    made = make_batch(Operation.DELETE, named("x"))
    rig.submit_batch(made)
    rig.drain()
    task = ingress.send("PATCH", "/v1/tasks/1", {"status": "QUEUED"}).json
    assert (task["id"], task["queue_position"]) == (2, 1)
