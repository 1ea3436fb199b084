"""Queued tasks can be canceled, ended ones re-run, and a full queue says so."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.acceptance.conftest import OpenSite
from tests.acceptance.customer import Customer
from tests.acceptance.site import Site

QUEUE_TASKS = 5
QUEUE_BYTES = 300_000


@pytest.fixture(scope="module")
def small_site(open_site: OpenSite) -> Iterator[Site]:
    """Queues of five batches."""
    with open_site(queue_tasks=QUEUE_TASKS, queue_bytes=QUEUE_BYTES) as running:
        yield running


@pytest.fixture(scope="module")
def closed_shops(small_site: Site) -> Iterator[list[Customer]]:
    """Catalogs whose batches wait, as there is no worker; in the end there is, and all is as the laws want it."""
    shops = small_site.customers(12)
    small_site.stop_worker()
    yield shops[:]
    small_site.start_worker()
    small_site.wait_all_ended(shops, timeout_s=20)
    for shop in shops:
        shop.check_laws()


@pytest.fixture
def shop(closed_shops: list[Customer]) -> Customer:
    return closed_shops.pop()


def status(shop: Customer, task_id: int) -> str:
    return str(shop.task(task_id)["status"])


def test_a_waiting_task_can_be_canceled_once_and_says_by_whom(shop: Customer) -> None:
    first, second = (shop.put({"id": "a", "name": f"A {i}"}) for i in range(2))
    canceled = shop.cancel(first).ok()
    assert (canceled["id"], canceled["status"]) == (first, "CANCELED")
    assert canceled["canceled_by"] == canceled["submitted_by"]["token_name"]
    assert shop.cancel(first).refused(409) == f"task {first} is not QUEUED, so it cannot be canceled"
    assert (status(shop, first), status(shop, second)) == ("CANCELED", "QUEUED")


def test_a_canceled_task_makes_room(shop: Customer) -> None:
    ids = [shop.put({"id": str(i), "name": "A"}) for i in range(QUEUE_TASKS)]
    assert shop.send("PUT", [{"id": "x", "name": "A"}]).status == 429
    shop.cancel(ids[2]).ok()
    shop.put({"id": "y", "name": "A"})


def test_many_are_changed_at_once_or_none(shop: Customer) -> None:
    ids = [shop.put({"id": str(i), "name": "A"}) for i in range(3)]
    shop.cancel(ids[0]).ok()

    def change(*wishes: tuple[int, str]) -> dict[str, object]:
        return {"tasks": [{"id": task_id, "status": wish} for task_id, wish in wishes]}

    both = shop.call("PATCH", "/v1/tasks", body=change((ids[1], "CANCELED"), (ids[0], "CANCELED")))
    assert both.refused(409) == f"task {ids[0]} is not QUEUED, so it cannot be canceled"
    unknown = shop.call("PATCH", "/v1/tasks", body=change((ids[1], "CANCELED"), (4711, "CANCELED")))
    unknown.refused(404)
    assert status(shop, ids[1]) == "QUEUED"

    answer = shop.call("PATCH", "/v1/tasks", body=change((ids[1], "CANCELED"), (ids[2], "CANCELED"))).ok()
    assert [(task["id"], task["status"]) for task in answer["tasks"]] == [(ids[1], "CANCELED"), (ids[2], "CANCELED")]
    for batch in shop.accepted:
        batch.canceled = True


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"status": "DONE"}, "status: value is not a valid enumeration member"),
        ({"status": None}, "status: none is not an allowed value"),
        ({}, "status: field required"),
        ([], "body: value is not a valid dict"),
        ({"status": "QUEUED", "x": 1}, "x: extra fields not permitted"),
    ],
)
def test_a_change_that_cannot_be_is_refused(body: object, message: str, closed_shops: list[Customer]) -> None:
    shop = closed_shops[0]
    assert shop.call("PATCH", "/v1/tasks/1", body=body).refused(400).startswith(message)


def test_a_waiting_task_cannot_be_run_again_and_an_unknown_one_is_not_found(shop: Customer) -> None:
    task_id = shop.put({"id": "a", "name": "A"})
    assert shop.rerun(task_id).refused(409) == f"task {task_id} has not ended, so it cannot be re-run"
    shop.rerun(4711).refused(404)
    shop.cancel(4711).refused(404)


def test_a_full_queue_is_429_with_the_room_left_and_when_to_come_back(shop: Customer) -> None:
    left = [
        int(shop.send("PUT", [{"id": str(i), "name": "A"}]).headers["X-RateLimit-Tasks-Remaining"]) for i in range(5)
    ]
    assert left == [4, 3, 2, 1, 0]
    full = shop.send("PUT", [{"id": "x", "name": "A"}])
    assert full.refused(429) == "Too many tasks are queued for this key."
    assert full.headers["X-RateLimit-Tasks-Remaining"] == "0"
    assert int(full.headers["Retry-After"]) >= 1
    assert shop.task_list()["total_count"] == QUEUE_TASKS


def test_a_queue_full_of_bytes_is_429_too(shop: Customer) -> None:
    # Hex compresses to half its length.
    noise = [random.Random(seed).randbytes(80_000).hex() for seed in range(4)]
    first, second, *more = [{"id": str(i), "name": "A", "data": {"noise": text}} for i, text in enumerate(noise)]
    shop.put(first, second)
    full = shop.send("PUT", more)
    assert full.refused(429) == "Too many bytes are queued for this key."
    assert int(full.headers["Retry-After"]) >= 1
    shop.put({"id": "small", "name": "A"})


def test_a_full_queue_of_one_is_nothing_to_another(closed_shops: list[Customer]) -> None:
    full, other = closed_shops.pop(), closed_shops.pop()
    for i in range(QUEUE_TASKS):
        full.put({"id": str(i), "name": "A"})
    assert full.send("PUT", [{"id": "x", "name": "A"}]).status == 429
    other.put({"id": "x", "name": "A"})


def test_an_ended_task_run_again_is_a_new_one_at_the_tail(customer: Customer) -> None:
    shop = customer
    first = shop.put({"id": "a", "name": "Old"})
    failed = shop.patch({"id": "b", "name": "New"})
    assert shop.wait_for(failed)["error"]["message"].startswith("IngestionError: ")
    shop.put({"id": "b", "name": "Old"})
    shop.done(shop.patch({"id": "a", "name": "New"}))

    again = shop.rerun(failed).ok()
    assert again["retry_of"] == failed
    assert again["id"] > first
    shop.done(again["id"])
    assert shop.entry("b").ok()["name"] == "New"
    assert status(shop, failed) == "FAILED"
    shop.done(shop.rerun(first).ok()["id"])
    assert shop.entry("a").ok()["name"] == "Old"
    shop.check_laws()
