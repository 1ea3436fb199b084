"""The history of an entry finds the tasks that touched it, within bounded memory."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

import pytest

from api.history.entry_histories import entry_history
from shared.codec import digest_ids
from shared.model import Kind, OnMissing, Operation
from shared.tasks.entry_history import MOST, PAGE, History, Touch
from shared.tasks.search import TaskQuery
from tests.support.batches import items, named, variations
from tests.support.ingress import Ingress
from tests.support.rig import ACME, Rig


def find(rig: Rig, entry_id: str) -> list[tuple[int, int | None]]:
    """Task ids and places, newest first."""
    return [(touch.task_id, touch.index) for touch in History(rig.client, ACME).find(entry_id)]


def test_every_task_that_touched_an_entry_is_found_with_its_place(rig: Rig) -> None:
    rig.put(*items("a", "b", "c"))
    rig.put(*items("d"))
    rig.patch(*named("c", "b"), on_missing=OnMissing.IGNORE)
    rig.delete(*named("b"))
    assert find(rig, "b") == [(4, 0), (3, 1), (1, 1)]
    assert find(rig, "c") == [(3, 0), (1, 2)]
    assert find(rig, "none") == []


def test_tasks_that_wait_failed_or_were_canceled_are_part_of_it(rig: Rig) -> None:
    """What was tried matters as much as what was done."""
    rig.patch(*items("b"))
    rig.drain()
    rig.cancel(rig.put(*items("b")))
    rig.put(*items("b"))
    assert rig.statuses() == {1: "FAILED", 2: "CANCELED", 3: "QUEUED"}
    assert find(rig, "b") == [(3, 0), (2, 0), (1, 0)]


def test_a_task_that_was_run_again_counts_again(rig: Rig) -> None:
    """And so does a re-run of a re-run."""
    rig.put(*items("a", "b"))
    rig.drain()
    again = rig.rerun(1)
    rig.put(*items("other"))
    rig.drain()
    third = rig.rerun(again)
    assert find(rig, "b") == [(third, 1), (again, 1), (1, 1)]
    assert rig.task(1).rerun_as == again
    assert find(rig, "other") == [(3, 0)]


@pytest.mark.parametrize("what", ["done", "failed", "queued", "noted by an earlier version"])
def test_a_rerun_outlives_the_task_that_it_reruns(rig: Rig, what: str) -> None:
    """Whatever became of it."""
    brief = rig.with_settings(task_retention_s=60, payload_retention_s=60)
    if what == "failed":
        brief.patch(*items("a", "b"), chunk_entries=1)
    else:
        brief.put(*items("a", "b"), chunk_entries=1)
    brief.drain()
    rig.clock.advance(50_000)
    again = brief.rerun(1)
    if what != "queued":
        brief.drain()
    if what == "noted by an earlier version":
        rig.client.rpop(rig.keys().history)
        rig.client.rpush(rig.keys().history, struct.pack(">III", again, 1, 0))
        again = brief.rerun(again)
        brief.drain()
    rig.clock.advance(50_000)
    brief.retention().retire(now_ms=rig.clock(), limit=10)
    assert rig.client.exists(rig.keys().task(1)) == 0
    assert (again, 1) in find(rig, "b")
    if what == "noted by an earlier version":
        rig.client.flushall()


def test_the_last_place_counts_in_a_batch_that_names_an_entry_twice(rig: Rig) -> None:
    rig.put(*items("a", "b", "a"))
    assert find(rig, "a") == [(1, 2)]


def test_variations_that_go_with_their_item_know_of_it(rig: Rig) -> None:
    """The batch that deleted them does not name them."""
    rig.put(*items("a"))
    rig.put(*variations("a", "a-1", "a-2"), kind=Kind.VARIATIONS)
    rig.delete(*named("a"))
    assert find(rig, "a-2") == [(2, 1)]
    rig.drain()
    assert find(rig, "a-2") == [(3, None), (2, 1)]
    assert find(rig, "a") == [(3, 0), (1, 0)]


def test_ids_of_any_kind_are_found(rig: Rig) -> None:
    for entry_id in ("sku/42?", "日本", "a" * 250, "\n", "🙂"):
        rig.put({"id": entry_id, "name": "N"})
        assert find(rig, entry_id)[0][1] == 0


def test_a_digest_that_lies_across_two_others_is_not_taken_for_one(rig: Rig) -> None:
    """Digests lie side by side, without anything between them."""
    wanted = digest_ids(["x"])
    line = struct.pack(">III", 1, 0, 0) + b"??" + wanted + b"??" + wanted
    rig.client.rpush(rig.keys().history, line, struct.pack(">III", 2, 0, 0) + b"??" + wanted + b"??")
    assert History(rig.client, ACME).find("x") == [Touch(1, 2)]
    rig.client.flushall()


def test_lines_go_with_their_tasks(rig: Rig) -> None:
    brief = rig.with_settings(task_retention_s=60, payload_retention_s=0)
    brief.put(*items("a"))
    brief.drain()
    rig.clock.advance(50_000)
    brief.put(*items("a"))
    brief.drain()
    rig.clock.advance(20_000)
    brief.retention().retire(now_ms=rig.clock(), limit=10)
    assert find(rig, "a") == [(2, 0)]


def test_lines_of_tasks_that_wait_stay_whatever_their_age(rig: Rig) -> None:
    brief = rig.with_settings(task_retention_s=60, payload_retention_s=0)
    brief.put(*items("a"))
    rig.clock.advance(90_000)
    brief.retention().retire(now_ms=rig.clock(), limit=10)
    assert find(rig, "a") == [(1, 0)]


def test_the_oldest_lines_go_first_when_there_are_too_many_bytes(rig: Rig) -> None:
    # A line of one entry costs 32 bytes.
    narrow = rig.with_settings(history_bytes=3 * 32)
    for _ in range(5):
        narrow.put(*items("a"))
    assert find(rig, "a") == [(5, 0), (4, 0), (3, 0)]


def test_a_history_may_be_switched_off(rig: Rig) -> None:
    none = rig.with_settings(history_bytes=0)
    none.put(*items("a"))
    none.drain()
    none.rerun(1)
    assert find(rig, "a") == []
    assert not rig.client.exists(rig.keys().history)


def test_an_entry_that_many_tasks_touched_is_looked_for_bit_by_bit(rig: Rig) -> None:
    """Each look goes on from before the last task of the one before; re-runs have their places."""
    for _ in range(12):
        rig.put(*items("a"))
        rig.drain()
    again = rig.rerun(3)
    history = History(rig.client, ACME)
    assert [touch.task_id for touch in history.find("a", most=5)] == [again, 12, 11, 10, 9]
    assert [touch.task_id for touch in history.find("a", most=5, before=9)] == [8, 7, 6, 5, 4]
    assert [touch.task_id for touch in history.find("a", most=5, before=4)] == [3, 2, 1]


def test_the_pages_of_a_history_are_complete(rig: Rig, ingress: Ingress) -> None:
    """However many tasks touched the entry, and however few of them are looked for."""
    count = MOST + 30
    for number in range(count):
        (rig.patch if number < 25 else rig.put)(*items("a"))
    rig.drain()
    with ingress.app.app_context():
        assert paged(None) == list(range(count, 0, -1))
        patches = TaskQuery(operation=Operation.PATCH)
        assert paged(patches) == list(range(25, 0, -1))


def paged(query: TaskQuery | None) -> list[int]:
    """Turn all pages of the history of an entry."""
    found: list[int] = []
    page = entry_history(ACME, "a", query=query or TaskQuery())
    while True:
        found += [line.task.id for line in page.lines]
        if page.before is None:
            return found
        page = entry_history(ACME, "a", query=query or TaskQuery(), before=page.before)


def test_what_comes_over_http_is_found(rig: Rig, ingress: Ingress) -> None:
    """Whatever API it came by."""
    ingress.write("PUT", "/v2/items", {"items": items("a", "b")})
    ingress.write("PUT", "/v2/item_groups", {"item_groups": [{"id": "b", "name": "B"}]})
    assert find(rig, "b") == [(2, 0), (1, 1)]


@pytest.mark.parametrize("entry_id", ["sku-42", "nobody"])
def test_a_hundred_thousand_tasks_are_gone_through_in_a_moment(
    rig: Rig, entry_id: str, record_property: Callable[[str, object], None]
) -> None:
    """Measured at 45 ms on two quiet cores; the bound is for a busy machine."""
    entries = 10
    with rig.client.pipeline(transaction=False) as pipeline:
        for task_id in range(1, 100_001):
            ids = [f"sku-{(task_id * entries + place) % 50_000}" for place in range(entries)]
            pipeline.rpush(rig.keys().history, struct.pack(">III", task_id, 0, 0) + digest_ids(ids))
            if task_id % PAGE == 0:
                pipeline.execute()
    best = 10.0
    for _ in range(5):
        start = time.perf_counter()
        found = find(rig, entry_id)
        best = min(best, time.perf_counter() - start)
    assert len(found) == (20 if entry_id == "sku-42" else 0)
    record_property("seconds", best)
    rig.client.flushall()
    assert best < 0.5
