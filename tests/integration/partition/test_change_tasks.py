"""change_tasks cancels queued tasks and re-runs ended ones, all of them or none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.errors import KeyUsed, TaskConflict, TaskNotFound
from shared.idempotency import IdempotencyKey
from shared.keys import RESERVED
from shared.model import Status
from shared.nonces import new_nonce
from shared.partition.submissions import TaskChange, TasksChanged
from shared.tasks.entry_history import History
from tests.support.batches import items
from tests.support.rig import ACME, Rig

CANCEL, RERUN = TaskChange.CANCEL, TaskChange.RERUN


def change(rig: Rig, *changes: tuple[int, TaskChange], nonce: str = "") -> tuple[list[int], bool]:
    changed = rig.tail().change_tasks(changes, who="tester", now_ms=rig.clock(), nonce=nonce or new_nonce())
    return changed.ids, changed.ring


@pytest.fixture
def mixed(rig: Rig) -> Rig:
    """Task 1 is DONE, 2 FAILED, 3 CANCELED, 4 IN_PROGRESS; 5 and 6 wait."""
    rig.put(*items("a"))
    rig.patch({"id": "missing"})
    rig.put(*items("b"))
    rig.cancel(3)
    rig.drain()
    rig.put(*items("c", "d"), chunk_entries=1)
    rig.put(*items("e"))
    rig.put(*items("f"))
    grant = rig.acquire()
    rig.take(grant, rig.plan(grant)[:1])
    rig.clock.advance(1000)
    return rig


def test_a_waiting_task_is_canceled(mixed: Rig) -> None:
    """It ends without effect, says by whom, and frees its place and its bytes; its payload is kept."""
    state = mixed.state()
    assert change(mixed, (5, CANCEL)) == ([5], False)
    task = mixed.task(5)
    assert (task.status, task.canceled_by, task.updated_ms) == (Status.CANCELED, "tester", mixed.clock())
    after = mixed.state()
    assert after.tasks == state.tasks - 1
    assert after.bytes < state.bytes
    assert mixed.client.exists(mixed.keys().payload(5))


def test_an_ended_task_is_run_again_as_a_new_one_at_the_tail(mixed: Rig) -> None:
    """The old one keeps its status, its result and its payload; each of the two names the other."""
    before = mixed.task(1)
    ids, _ = change(mixed, (1, RERUN))
    assert ids == [7]
    assert mixed.task(1) == replace(before, rerun_as=7)
    task = mixed.task(7)
    assert (task.status, task.retry_of, task.rerun_by, task.batch) == (Status.QUEUED, 1, "tester", before.batch)
    assert task.submitted_ms == mixed.clock()
    keys = mixed.keys()
    assert mixed.client.lrange(keys.payload(7), 0, -1) == mixed.client.lrange(keys.payload(1), 0, -1)
    assert mixed.client.xrange(keys.stream)[-1][0] == b"7-0"


@pytest.mark.parametrize("task_id", [1, 2, 3])
def test_every_ended_task_can_be_run_again(mixed: Rig, task_id: int) -> None:
    mixed.rerun(task_id)
    mixed.expire_lease()
    mixed.drain()
    mixed.check_laws()


def test_many_changes_are_answered_in_the_order_asked_for(mixed: Rig) -> None:
    assert change(mixed, (6, CANCEL), (2, RERUN), (5, CANCEL), (1, RERUN), (3, RERUN))[0] == [6, 7, 5, 8, 9]
    assert [mixed.task(task_id).retry_of for task_id in (7, 8, 9)] == [2, 1, 3]


REFUSALS = [
    ((99, CANCEL), TaskNotFound, "task 99 not found"),
    ((99, RERUN), TaskNotFound, "task 99 not found"),
    ((1, CANCEL), TaskConflict, "task 1 is not QUEUED"),
    ((2, CANCEL), TaskConflict, "task 2 is not QUEUED"),
    ((3, CANCEL), TaskConflict, "task 3 is not QUEUED"),
    ((4, CANCEL), TaskConflict, "task 4 is not QUEUED"),
    ((4, RERUN), TaskConflict, "task 4 has not ended"),
    ((5, RERUN), TaskConflict, "task 5 has not ended"),
]


@pytest.mark.parametrize(("bad", "error", "text"), REFUSALS)
@pytest.mark.parametrize("good", [[], [(6, CANCEL), (1, RERUN)]], ids=["alone", "among good ones"])
def test_one_bad_change_refuses_all(mixed: Rig, bad: Any, error: type[Exception], text: str, good: Any) -> None:
    """Nothing has changed then, whatever else was asked for."""
    before = mixed.dump()
    for changes in ([bad, *good], [*good, bad]):
        with pytest.raises(error, match=text):
            change(mixed, *changes)
    assert mixed.dump() == before


def test_a_payload_no_longer_kept_cannot_be_run_again(mixed: Rig) -> None:
    mixed.clock.advance(mixed.settings.payload_retention_s * 1000 + 1)
    mixed.retention().retire(now_ms=mixed.clock(), limit=100)
    before = mixed.dump()
    with pytest.raises(TaskConflict, match="payload of task 1 is no longer kept"):
        change(mixed, (1, RERUN))
    assert mixed.dump() == before


@pytest.mark.parametrize("caps", [{"queue_tasks": 3}, {"queue_bytes": 1}])
def test_a_re_run_counts_like_any_batch(mixed: Rig, caps: dict[str, int]) -> None:
    """A full queue refuses it; where as much is canceled as is run again, there is room."""
    narrow = mixed.with_settings(**caps)
    before = narrow.dump()
    with pytest.raises(TaskConflict, match="too many"):
        change(narrow, (1, RERUN))
    assert narrow.dump() == before
    assert change(narrow, (1, RERUN), (5, CANCEL))[0] == [7, 5]


def test_a_repeat_gets_the_first_answer_and_changes_nothing(mixed: Rig) -> None:
    first, _ = change(mixed, (5, CANCEL), (1, RERUN), nonce="n")
    before = mixed.dump()
    assert change(mixed, (5, CANCEL), (1, RERUN), nonce="n") == (first, False)
    assert mixed.dump() == before


def test_an_idempotency_key_stands_for_one_change(mixed: Rig) -> None:
    """The same request again is told the same tasks, and that it is a repeat; another is refused."""

    def under_key(*changes: tuple[int, TaskChange], digest: str) -> TasksChanged:
        return mixed.tail().change_tasks(
            changes, who="me", now_ms=mixed.clock(), nonce=new_nonce(), idempotency=IdempotencyKey("key", digest)
        )

    first = under_key((1, RERUN), digest="one")
    again = under_key((1, RERUN), digest="one")
    assert (again.ids, first.repeated, again.repeated) == (first.ids, False, True)
    with pytest.raises(KeyUsed):
        under_key((5, CANCEL), digest="other")
    assert mixed.task(5).status is Status.QUEUED


def test_a_re_run_may_be_forced_and_reserves_what_it_takes_by_now(rig: Rig) -> None:
    """Only the one that is named; it is in the history of its entries."""
    rig.put(*items("a"))
    rig.put(*items("b"))
    rig.drain()
    changes, forced = [(1, RERUN), (2, RERUN)], {1: replace(rig.task(1).batch, force=True)}
    rig.tail().change_tasks(changes, who="me", now_ms=rig.clock(), nonce=new_nonce(), forced=forced, growths={1: 10**6})
    assert [rig.task(task_id).batch.force for task_id in (3, 4)] == [True, False]
    assert 10**6 <= int(rig.client.get(RESERVED) or 0) < 2 * 10**6
    assert [touch.task_id for touch in History(rig.client, ACME).find("a")] == [3, 1]


def test_a_re_run_rings_if_nobody_drains(rig: Rig) -> None:
    """As a submit does; a cancel has nobody to wake."""
    rig.put(*items("a"))
    rig.drain()
    assert change(rig, (1, RERUN)) == ([2], True)
    assert change(rig, (1, RERUN)) == ([3], False)
    rig.client.delete(rig.keys().rung)
    assert change(rig, (3, CANCEL)) == ([3], False)
    rig.acquire()
    assert change(rig, (1, RERUN)) == ([4], False)


def test_a_re_run_of_a_re_run_names_the_one_before_it(rig: Rig) -> None:
    rig.put(*items("a"))
    rig.drain()
    rig.rerun(1)
    rig.drain()
    rig.rerun(2)
    rig.drain()
    assert [rig.task(task_id).retry_of for task_id in (1, 2, 3)] == [None, 1, 2]
    rig.check_laws()


def test_a_cancel_does_not_take_the_payload_that_a_re_run_needs(rig: Rig) -> None:
    """In one call, with no bytes to be kept at all: what is canceled would push out what is run again."""
    tight = rig.with_settings(payload_bytes=0)
    rig.put(*items("a"))
    rig.drain()
    tight.put(*items("b"))
    assert change(tight, (2, CANCEL), (1, RERUN))[0] == [2, 3]
    assert tight.client.exists(tight.keys().payload(3))
    tight.drain()
    assert tight.task(3).status is Status.DONE
