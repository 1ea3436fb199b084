"""Lists, page by page: nothing twice, nothing left out, the true count."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.customer import Customer
from tests.acceptance.site import Site

ITEMS = [f"item-{i:03}" for i in range(250)]
TASKS = 25


@pytest.fixture(scope="module")
def shop(site: Site) -> Iterator[Customer]:
    """A catalog of 250 items, put by 25 tasks, of which the last failed; nobody writes to it."""
    shop = site.customer()
    for first in range(0, len(ITEMS), 10):
        shop.put(*({"id": id_, "name": "A"} for id_ in ITEMS[first : first + 10]))
    shop.patch({"id": "nobody"})
    shop.wait_all_ended()
    yield shop
    shop.check_laws()


def items(shop: Customer, **query: Any) -> tuple[list[str], dict[str, Any]]:
    answer = shop.call("GET", "/v2/items", **query).ok()
    return [item["id"] for item in answer["items"]], answer


def test_items_by_page(shop: Customer) -> None:
    pages = [items(shop, page=page, num_results_per_page=100) for page in (1, 2, 3, 4)]
    assert [ids for ids, _ in pages] == [ITEMS[:100], ITEMS[100:200], ITEMS[200:], []]
    assert {answer["total_count"] for _, answer in pages} == {len(ITEMS)}
    assert items(shop)[0] == ITEMS[:100]


def test_items_by_offset(shop: Customer) -> None:
    assert items(shop, offset=0, num_results_per_page=1000)[0] == ITEMS
    assert items(shop, offset=7, num_results_per_page=5)[0] == ITEMS[7:12]
    ids, answer = items(shop, offset=len(ITEMS))
    assert (ids, answer["total_count"]) == ([], len(ITEMS))


def test_items_by_cursor_while_others_come_and_go(site: Site) -> None:
    shop = site.customer()
    shop.done(shop.put(*({"id": id_, "name": "A"} for id_ in ITEMS)))
    found, answer = items(shop, num_results_per_page=100)
    assert answer["total_count"] == len(ITEMS)
    shop.put({"id": "item-000-new", "name": "A"}, {"id": "item-249-new", "name": "A"})
    shop.done(shop.delete({"id": "item-001"}))
    while "next_page_cursor" in answer:
        ids, answer = items(shop, num_results_per_page=100, next_page_cursor=answer["next_page_cursor"])
        assert "total_count" not in answer
        found += ids
    assert found == [*ITEMS, "item-249-new"]


def test_items_by_id_in_pages(shop: Customer) -> None:
    ids, answer = items(shop, id=[*ITEMS[:30], "nobody"], num_results_per_page=20, page=2)
    assert (ids, answer["total_count"]) == (ITEMS[20:30], 30)


def test_tasks_newest_first_by_page_and_offset(shop: Customer) -> None:
    ids = [batch.task_id for batch in shop.accepted][::-1]
    pages = [shop.task_list(page=page) for page in (1, 2, 3)]
    assert [[task["id"] for task in page["tasks"]] for page in pages] == [ids[:20], ids[20:], []]
    assert {page["total_count"] for page in pages} == {TASKS + 1}
    assert [task["id"] for task in shop.task_list(offset=3, num_results_per_page=4)["tasks"]] == ids[3:7]
    assert pages[0]["status_counts"] == {"QUEUED": 0, "IN_PROGRESS": 0, "DONE": TASKS, "FAILED": 1, "CANCELED": 0}


def test_tasks_by_status_and_type(shop: Customer) -> None:
    *done, failed = (batch.task_id for batch in shop.accepted)
    for query, ids in (
        ({"status": "FAILED"}, [failed]),
        ({"status": ["FAILED", "DONE"], "num_results_per_page": 100}, [failed, *done[::-1]]),
        ({"status": "DONE", "num_results_per_page": 10, "page": 3}, done[4::-1]),
        ({"status": "QUEUED"}, []),
        ({"type": "ingestion", "num_results_per_page": 1}, [failed]),
        ({"type": "user_data_request"}, []),
    ):  # fmt: skip
        assert [task["id"] for task in shop.task_list(**query)["tasks"]] == ids
    # The counts cover the same filters without the status.
    assert shop.task_list(status="FAILED")["status_counts"]["DONE"] == TASKS
    assert shop.task_list(status="FAILED")["total_count"] == 1


def test_tasks_by_day_both_included(shop: Customer) -> None:
    submitted = datetime.fromisoformat(shop.task(shop.accepted[0].task_id)["submission_time"]).astimezone(UTC)
    day = submitted.date()
    before, after = day - timedelta(days=1), day + timedelta(days=1)
    for query, count in (
        ({"start_date": before, "end_date": after}, TASKS + 1),
        ({"start_date": before}, TASKS + 1),
        ({"end_date": before}, 0),
        ({"start_date": after + timedelta(days=1)}, 0),
    ):  # fmt: skip
        found = shop.task_list(**query)
        assert (found["total_count"], sum(found["status_counts"].values())) == (count, count)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"num_results_per_page": "101"}, "num_results_per_page: ensure this value is less than or equal to 100"),
        ({"num_results_per_page": "0"}, "num_results_per_page: ensure this value is greater than or equal to 1"),
        ({"page": "1", "offset": "1"}, "offset, page are mutually exclusive"),
        ({"start_date": "yesterday"}, "start_date: "),
        ({"start_date": "2026-02-30"}, "start_date: "),
        ({"status": "DONE!"}, "status: value is not a valid enumeration member"),
    ],
)
def test_a_list_that_cannot_be_is_refused(query: dict[str, str], message: str, shop: Customer) -> None:
    assert shop.call("GET", "/v1/tasks", **query).refused(400).startswith(message)
