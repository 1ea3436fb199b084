"""Readers get complete pages of tasks and of entries."""

from __future__ import annotations

import functools
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.catalog import places
from shared.catalog.pages import EntryPage
from shared.catalog.reader import Catalog
from shared.model import Kind, Status
from shared.store import id_writes
from shared.tasks.records import QueuePosition, TaskFilter, TaskPage, Tasks
from tests.support.batches import items, named, variations
from tests.support.ingress import Ingress
from tests.support.rig import ACME, Rig


@pytest.fixture
def tasks(rig: Rig) -> Tasks:
    """Tasks 1 to 12, one a second: every third was canceled, every fourth FAILED, the last two wait."""
    for task_id in range(1, 11):
        if task_id % 4:
            rig.put(*items("a"))
        else:
            rig.patch(*named("missing"))
        if task_id % 3 == 0:
            rig.cancel(task_id)
        rig.clock.advance(1000)
    rig.drain()
    for _ in range(2):
        rig.put(*items("a"))
        rig.clock.advance(1000)
    return Tasks(rig.client, ACME)


def ids(page: TaskPage) -> list[int]:
    return [task.id for task in page.tasks]


def statuses(*wanted: Status) -> TaskFilter:
    return TaskFilter(statuses=frozenset(wanted))


def test_tasks_are_listed_newest_first(tasks: Tasks) -> None:
    """Page by page, each once, with the true total."""
    assert ids(tasks.page(TaskFilter(), offset=0, size=5)) == [12, 11, 10, 9, 8]
    assert ids(tasks.page(TaskFilter(), offset=10, size=5)) == [2, 1]
    past = tasks.page(TaskFilter(), offset=12, size=5)
    assert (ids(past), past.total) == ([], 12)


def test_tasks_are_listed_by_status(tasks: Tasks) -> None:
    assert ids(tasks.page(statuses(Status.CANCELED), offset=0, size=10)) == [9, 6, 3]
    both = statuses(Status.FAILED, Status.CANCELED)
    assert ids(tasks.page(both, offset=0, size=10)) == [9, 8, 6, 4, 3]
    assert [ids(tasks.page(both, offset=offset, size=2)) for offset in (0, 2, 4)] == [[9, 8], [6, 4], [3]]
    assert tasks.page(both, offset=2, size=2).total == 5


def test_all_statuses_are_counted_whatever_is_asked_for(tasks: Tasks) -> None:
    """By the same filter but for the statuses; zeros too."""
    counts = {Status.QUEUED: 2, Status.IN_PROGRESS: 0, Status.DONE: 5, Status.FAILED: 2, Status.CANCELED: 3}
    assert tasks.page(TaskFilter(), offset=0, size=1).by_status == counts
    assert tasks.page(statuses(Status.FAILED), offset=0, size=1).by_status == counts


def test_tasks_are_listed_by_time_of_submission(tasks: Tasks, rig: Rig) -> None:
    """From a moment on, up to another, that one excluded."""
    first_ms = rig.task(1).submitted_ms
    days = TaskFilter(from_ms=first_ms + 2000, before_ms=first_ms + 5000)
    page = tasks.page(days, offset=0, size=10)
    assert (ids(page), page.total) == ([5, 4, 3], 3)
    assert page.by_status[Status.DONE] == 1
    only_done = TaskFilter(frozenset({Status.DONE}), days.from_ms, days.before_ms)
    assert ids(tasks.page(only_done, offset=0, size=10)) == [5]


def test_an_unknown_task_is_none(tasks: Tasks) -> None:
    assert tasks.get(99) is None
    assert [task and task.id for task in tasks.get_many([2, 99, 1])] == [2, None, 1]
    assert [tasks.has_ended(task_id) for task_id in (1, 12, 99)] == [True, False, True]


def test_a_waiting_task_knows_its_place(tasks: Tasks, rig: Rig) -> None:
    """How many come first, the one that is being applied included; those that ended have none."""
    rig.put(*items("b", "c"), chunk_entries=1)
    assert tasks.places([1, 11, 12, 13]) == {
        11: QueuePosition(0, False),
        12: QueuePosition(1, False),
        13: QueuePosition(2, False),
    }
    rig.cancel(12)
    for _ in range(2):
        grant = rig.acquire()
        rig.take(grant, rig.plan(grant)[:1])
        rig.expire_lease()
    assert rig.task(13).status is Status.IN_PROGRESS
    rig.put(*items("d"))
    assert tasks.places([11, 12, 13, 14]) == {14: QueuePosition(1, False)}


def entry_ids(page: EntryPage) -> list[str]:
    return [entry.id for entry in page.entries]


# -- entries ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def catalog(rig: Rig) -> Catalog:
    """Items a to e, with three variations of b and one of c."""
    rig.put(*items(*"dbeac"))
    rig.put(*variations("b", "x", "z", "y"), *variations("c", "w"), kind=Kind.VARIATIONS)
    rig.drain()
    return rig.catalog()


def test_entries_are_listed_by_id(catalog: Catalog) -> None:
    """Past the end there is nothing, and the count is true."""
    page = catalog.page(Kind.ITEMS, "Products", offset=1, size=3)
    assert (entry_ids(page), page.total) == (["b", "c", "d"], 5)
    assert catalog.page(Kind.ITEMS, "Products", offset=5, size=3) == EntryPage([], 5, None, None)
    assert catalog.page(Kind.ITEMS, "Elsewhere", offset=0, size=3) == EntryPage([], 0, None, None)


def test_a_page_goes_on_from_a_place(catalog: Catalog, rig: Rig) -> None:
    """Also from one whose neighbours have gone meanwhile: nothing is skipped and nothing comes twice."""
    first = catalog.page_from(Kind.ITEMS, "Products", b"", size=2)
    assert (entry_ids(first), first.next_place) == (["a", "b"], b"c")
    rig.delete(*named("a", "b", "c"))
    rig.put(*items("bb", "cc"))
    rig.drain()
    second = catalog.page_from(Kind.ITEMS, "Products", b"c", size=3)
    assert (entry_ids(second), second.next_place, second.total) == (["cc", "d", "e"], None, 4)
    assert entry_ids(catalog.page_from(Kind.ITEMS, "Products", b"e\0", size=2)) == []


def test_a_page_ends_before_it_is_too_long(catalog: Catalog, rig: Rig) -> None:
    """But has one entry at least; what follows is told as ever."""
    rig.put({"id": "c", "name": "C", "data": {"text": "x" * 1000}})
    rig.drain()
    read = functools.partial(catalog.page_from, Kind.ITEMS, "Products", size=9, max_bytes=500)
    pages = [read(b"")]
    while pages[-1].next_place is not None:
        pages.append(read(pages[-1].next_place))
    assert list(map(entry_ids, pages)) == [["a", "b"], ["c"], ["d", "e"]]


def test_a_page_of_those_that_begin_alike(catalog: Catalog, rig: Rig) -> None:
    rig.put(*items("b1", "b2", "b\U0001f600"))
    rig.drain()
    first = catalog.page_from(Kind.ITEMS, "Products", b"", prefix="b", size=2)
    assert (entry_ids(first), first.next_place) == (["b", "b1"], b"b2")
    second = catalog.page_from(Kind.ITEMS, "Products", b"b2", prefix="b", size=2)
    assert (entry_ids(second), second.next_place) == (["b2", "b\U0001f600"], None)


@given(st.sets(st.binary(min_size=1, max_size=4), min_size=2))
def test_a_place_lies_between_two_ids(ids: set[bytes]) -> None:
    """Behind the first and not behind the second, so that a walk has each on one side."""
    ordered = sorted(ids)
    for before, following in pairwise(ordered):
        assert before < places.between(before, following) <= following


def test_entries_are_read_by_id(catalog: Catalog) -> None:
    """In the order asked for; what is not there is left out."""
    assert [entry.id for entry in catalog.get(Kind.ITEMS, "Products", ["c", "missing", "a"])] == ["c", "a"]


def test_variations_are_found_by_their_item(catalog: Catalog) -> None:
    assert catalog.variation_ids("Products", "b") == ["x", "y", "z"]
    assert catalog.variation_ids("Products", "a") == []
    assert catalog.variation_ids("Products", "b", "a", "c") == ["w", "x", "y", "z"]


def test_a_store_that_refuses_writes_is_read_also_by_new_processes(
    rig: Rig, ingress: Ingress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its full disk, or a replica it misses, costs no page of a list; writes get a 503."""
    ingress.write("PUT", "/v2/items", {"items": items("a", "0")})
    rig.drain()
    monkeypatch.setattr(id_writes, "_noted", set())
    rig.client.config_set("min-replicas-to-write", 1)
    assert len(ingress.get("/v2/items")["items"]) == 2
    assert ingress.send("PUT", "/v2/items", {"items": items("b", "0")}).status_code == 503
