"""Tasks are found by what is in their records, newest first, however many do not fit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shared.codec import encode_batch
from shared.model import Kind, Operation, Status
from shared.origin import Origin, Submitter
from shared.tasks import search
from shared.tasks.records import TaskFilter
from shared.tasks.search import TaskQuery, search_tasks
from tests.support.batches import items, make_batch, named
from tests.support.rig import ACME, Rig


def find(rig: Rig, *, before: int | None = None, size: int = 50, **query: Any) -> list[int]:
    found = search_tasks(rig.client, ACME, TaskQuery(**query), before=before, size=size)
    return [task.id for task in found.tasks]


@pytest.fixture
def mixed(rig: Rig) -> Rig:
    """Tasks 1 to 6, a second between any two."""
    for send in (
        lambda: rig.put(*items("a")),
        lambda: rig.put(*items("a"), section="Content"),
        lambda: rig.delete(*named("a")),
        lambda: rig.patch(*items("none")),
        lambda: rig.put({"id": "g", "name": "G"}, kind=Kind.ITEM_GROUPS),
    ):
        send()
        rig.clock.advance(1_000)
    rig.drain()
    rig.put(*items("a"))
    return rig


def test_newest_come_first_page_by_page(mixed: Rig) -> None:
    first = search_tasks(mixed.client, ACME, TaskQuery(), size=4)
    assert ([task.id for task in first.tasks], first.before) == ([6, 5, 4, 3], 3)
    second = search_tasks(mixed.client, ACME, TaskQuery(), before=3, size=4)
    assert ([task.id for task in second.tasks], second.before) == ([2, 1], None)


def test_what_comes_in_meanwhile_moves_no_page(mixed: Rig) -> None:
    mixed.put(*items("b"))
    assert find(mixed, before=3, size=4) == [2, 1]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"operation": Operation.DELETE}, [3]),
        ({"kind": Kind.ITEM_GROUPS}, [5]),
        ({"section": "Content"}, [2]),
        ({"protocol": "ftp"}, []),
        ({"operation": Operation.PUT, "section": "Products"}, [6, 1]),
        ({"where": TaskFilter(frozenset({Status.FAILED}))}, [4]),
        ({"where": TaskFilter(frozenset({Status.DONE, Status.QUEUED}))}, [6, 5, 3, 2, 1]),
        ({"where": TaskFilter(frozenset({Status.DONE})), "operation": Operation.PUT}, [5, 2, 1]),
    ],
)
def test_filters_may_be_combined(mixed: Rig, query: dict[str, Any], expected: list[int]) -> None:
    assert find(mixed, **query) == expected


def test_moments_bound_what_is_found(mixed: Rig) -> None:
    sent = mixed.task(3).submitted_ms
    assert find(mixed, where=TaskFilter(from_ms=sent)) == [6, 5, 4, 3]
    assert find(mixed, where=TaskFilter(before_ms=sent)) == [2, 1]
    assert find(mixed, where=TaskFilter(before_ms=sent), before=2) == [1]
    assert find(mixed, where=TaskFilter(before_ms=sent), before=6) == [2, 1]


def test_a_sender_is_found_by_part_of_name_client_or_address(rig: Rig) -> None:
    made = make_batch(Operation.PUT, items("a"))
    senders = (Submitter("PIM nightly", "curl/8.1", "10.0.0.7"), Submitter("shop", "python-requests", "10.0.0.8"), None)
    for sender in senders:
        rig.submit_batch((replace(made[0], origin=Origin(sender)), made[1]))
    assert find(rig, submitter="pim") == [1]
    assert find(rig, submitter="REQUESTS") == [2]
    assert find(rig, submitter="10.0.0") == [2, 1]
    assert find(rig, submitter="nobody") == []


def test_tasks_of_one_moment_are_all_found(rig: Rig) -> None:
    """A page may end between tasks that came in within the same millisecond."""
    for _ in range(10):
        rig.put(*items("a"))
    assert find(rig, size=4) == [10, 9, 8, 7]
    assert find(rig, before=7, size=4) == [6, 5, 4, 3]
    assert find(rig, before=3, size=4) == [2, 1]


def test_a_search_stops_after_so_many_records_and_can_go_on(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "LOOK", 4)
    monkeypatch.setattr(search, "_STRIDE", 2)
    rig.delete(*named("a"))
    for _ in range(9):
        rig.put(*items("a"))
    query = TaskQuery(operation=Operation.DELETE)
    first = search_tasks(rig.client, ACME, query, size=5)
    assert (first.tasks, first.before, first.looked_at) == ([], 7, 4)
    second = search_tasks(rig.client, ACME, query, before=7, size=5)
    assert (second.tasks, second.before) == ([], 3)
    third = search_tasks(rig.client, ACME, query, before=3, size=5)
    assert ([task.id for task in third.tasks], third.before) == ([1], None)


def test_a_task_that_was_let_go_of_does_not_hold_up_a_page(mixed: Rig) -> None:
    mixed.client.delete(mixed.keys().task(2))
    assert find(mixed, operation=Operation.PUT) == [6, 5, 1]
    mixed.client.flushall()


def test_a_search_looks_at_five_thousand_records_and_no_more(
    rig: Rig, record_property: Callable[[str, object], None]
) -> None:
    """Measured at 45 ms on two quiet cores; the report says how long it took here."""
    keys, batch = rig.keys(), encode_batch(make_batch(Operation.PUT, items("a"))[0])
    with rig.client.pipeline(transaction=False) as pipeline:
        for task_id in range(1, 10_001):
            pipeline.hset(keys.task(task_id), mapping={"batch": batch, "status": "DONE", "submitted_ms": task_id})
            pipeline.zadd(keys.tasks, {f"{task_id:010}": task_id})
        pipeline.execute()
    start = time.perf_counter()
    found = search_tasks(rig.client, ACME, TaskQuery(operation=Operation.DELETE), size=50)
    seconds = time.perf_counter() - start
    record_property("seconds", seconds)
    rig.client.flushall()
    assert found.looked_at == search.LOOK
