"""The official Python client works unchanged: only its `service_url` names us."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from constructor_io.constructor_io import ConstructorIO
from constructor_io.helpers.exception import HttpException

from tests.acceptance.customer import Customer
from tests.acceptance.site import Site

SHIRTS: list[dict[str, Any]] = [
    {"id": "shirt 1/a", "name": "Shirt Ä", "suggested_score": 1337.0, "data": {"keywords": ["blue"], "price": 19.90}},
    {"id": "shirt-2", "name": "Shirt Two", "data": {"facets": {"colour": ["red", "green"]}, "group_ids": ["g1"]}},
    {"id": "shirt-3", "name": "Shirt Three"},
]
SIZES: list[dict[str, Any]] = [
    {"id": "shirt-2-s", "item_id": "shirt-2", "data": {"size": "S"}},
    {"id": "shirt-2-m", "item_id": "shirt-2", "name": "Medium", "data": {"size": "M"}},
    {"id": "shirt-3-s", "item_id": "shirt-3"},
]

BAD_KEY = (
    "You have supplied an invalid `key` or `autocomplete_key`. "
    "You can find your key at app.constructor.io/dashboard/accounts/api_integration."
)
BAD_TOKEN = (
    "Invalid auth_token. If you've forgotten your token, you can generate a new one at app.constructor.io/dashboard"
)


def client_of(customer: Customer, **changed: Any) -> ConstructorIO:
    options = {"api_key": customer.catalog_key, "api_token": customer.token, "service_url": customer.url}
    return ConstructorIO(options | changed)


@pytest.fixture
def client(customer: Customer) -> ConstructorIO:
    return client_of(customer)


@pytest.fixture
def done(customer: Customer, client: ConstructorIO) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Wait for the task that a call answered, and read it with the client."""

    def task_of(answer: dict[str, Any]) -> dict[str, Any]:
        assert answer["task_status_path"] == f"/v1/tasks/{answer['task_id']}?key={customer.catalog_key}"
        customer.wait_for(answer["task_id"])
        task = client.tasks.get_task(answer["task_id"])
        assert task["status"] == "DONE", task
        return dict(task["result"]["changelog"]["sections"])

    return task_of


def without_times(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in entry.items() if name != "updated_at"} for entry in entries]


def by_id(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort entries as they are listed, each with data, if only an empty one."""
    return sorted(({"data": {}} | entry for entry in entries), key=lambda entry: str(entry["id"]))


def test_its_item_calls_create_replace_change_delete_and_retrieve(
    client: ConstructorIO, done: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    catalog = client.catalog
    assert done(catalog.create_or_replace_items({"items": SHIRTS})) == {
        "Products": {"items_updated": 3, "items_deleted": 0}
    }
    found = catalog.retrieve_items()
    assert found["total_count"] == 3
    assert without_times(found["items"]) == by_id(SHIRTS)

    changes = [
        {"id": "shirt-2", "data": {"group_ids": ["g2"], "sale": True}},
        {"id": "shirt-3", "name": "Third", "data": {}},
    ]
    assert done(catalog.update_items({"items": changes, "notification_email": "ops@example.com"})) == {
        "Products": {"items_updated": 2, "items_deleted": 0}
    }
    two = SHIRTS[1] | {"data": SHIRTS[1]["data"] | changes[0]["data"]}
    found = catalog.retrieve_items({"ids": ["shirt-2", "shirt-3", "shirt-4"]})
    assert (without_times(found["items"]), found["total_count"]) == (
        [two, {"id": "shirt-3", "name": "Third", "data": {}}],
        2,
    )

    assert done(catalog.delete_items({"items": [SHIRTS[0], {"id": "nobody"}], "force": True})) == {
        "Products": {"items_updated": 0, "items_deleted": 1}
    }
    first, second = (catalog.retrieve_items({"num_results_per_page": 1, "page": page}) for page in (1, 2))
    assert [page["items"][0]["id"] for page in (first, second)] == ["shirt-2", "shirt-3"]
    assert first["total_count"] == second["total_count"] == 2


def test_its_variation_calls_do_the_same(
    client: ConstructorIO, done: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    catalog = client.catalog
    done(catalog.create_or_replace_items({"items": SHIRTS}))
    assert done(catalog.create_or_replace_variations({"variations": SIZES})) == {
        "Products": {"variations_updated": 3, "variations_deleted": 0}
    }
    assert without_times(catalog.retrieve_variations()["variations"]) == by_id(SIZES)

    change = {"id": "shirt-2-s", "name": "Small", "data": {"size": None}}
    done(catalog.update_variations({"variations": [change]}))
    found = catalog.retrieve_variations({"ids": ["shirt-2-s"]})
    assert without_times(found["variations"]) == [
        {"id": "shirt-2-s", "item_id": "shirt-2", "name": "Small", "data": {}}
    ]

    assert done(catalog.delete_variations({"variations": [SIZES[2]]})) == {
        "Products": {"variations_updated": 0, "variations_deleted": 1}
    }
    assert catalog.retrieve_variations()["total_count"] == 2


def test_it_works_in_any_section(client: ConstructorIO, done: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    changed = done(client.catalog.create_or_replace_items({"items": SHIRTS, "section": "Search Suggestions"}))
    assert list(changed) == ["Search Suggestions"]
    assert client.catalog.retrieve_items({"section": "Search Suggestions"})["total_count"] == 3
    assert client.catalog.retrieve_items() == {"items": [], "total_count": 0}


def test_it_lists_tasks_and_follows_one(
    client: ConstructorIO, done: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    assert client.tasks.get_all_tasks()["total_count"] == 0
    ids = []
    for shirt in SHIRTS:
        answer = client.catalog.create_or_replace_items({"items": [shirt]})
        done(answer)
        ids.append(answer["task_id"])

    newest = client.tasks.get_all_tasks({"results_per_page": 2})
    assert newest.keys() == {"tasks", "total_count", "status_counts"}
    assert [task["id"] for task in newest["tasks"]] == ids[:0:-1]
    assert newest["total_count"] == 3
    assert newest["status_counts"] == {"QUEUED": 0, "IN_PROGRESS": 0, "DONE": 3, "FAILED": 0, "CANCELED": 0}
    last = client.tasks.get_all_tasks({"results_per_page": 2, "page": 2, "status": "DONE", "type": "ingestion"})
    assert [task["id"] for task in last["tasks"]] == ids[:1]
    assert client.tasks.get_all_tasks({"status": "FAILED"})["total_count"] == 0
    assert client.tasks.get_all_tasks({"start_date": "2001-01-01", "end_date": "2001-12-31"})["total_count"] == 0

    task = client.tasks.get_task(ids[0])
    assert (task["id"], task["type"], task["protocol"]) == (ids[0], "ingestion", "http")
    assert task["submitted_by"]["client"].startswith("ciopython-")


WRITES = {
    "create_or_replace_items": "items",
    "update_items": "items",
    "delete_items": "items",
    "create_or_replace_variations": "variations",
    "update_variations": "variations",
    "delete_variations": "variations",
}


@pytest.mark.parametrize("call", WRITES)
def test_it_raises_what_is_wrong_with_a_batch_in_its_own_words(
    call: str, client: ConstructorIO, customer: Customer
) -> None:
    name = WRITES[call]
    write = getattr(client.catalog, call)
    with pytest.raises(HttpException) as empty:
        write({name: []})
    assert str(empty.value) == f"{name}: ensure this value has at least 1 items"
    if not call.startswith("delete"):  # these make an empty list of None by themselves
        with pytest.raises(HttpException) as none:
            write({name: None})
        assert str(none.value) == f"{name}: none is not an allowed value"
    assert customer.task_list()["total_count"] == 0


@pytest.mark.parametrize("call", ["retrieve_items", "retrieve_variations", *WRITES])
def test_it_raises_what_is_wrong_with_a_key_or_a_token(call: str, customer: Customer) -> None:
    arguments = [{WRITES[call]: SHIRTS}] if call in WRITES else []
    with pytest.raises(HttpException) as bad_key:
        getattr(client_of(customer, api_key="nobody").catalog, call)(*arguments)
    assert str(bad_key.value) == BAD_KEY
    with pytest.raises(HttpException) as bad_token:
        getattr(client_of(customer, api_token="wrong").catalog, call)(*arguments)
    assert str(bad_token.value) == BAD_TOKEN


def test_it_raises_the_same_for_tasks(client: ConstructorIO, customer: Customer, site: Site) -> None:
    for call, arguments in (("get_all_tasks", []), ("get_task", [7])):
        with pytest.raises(HttpException) as bad_key:
            getattr(client_of(customer, api_key="nobody").tasks, call)(*arguments)
        assert str(bad_key.value) == BAD_KEY
        with pytest.raises(HttpException) as bad_token:
            getattr(client_of(customer, api_token="wrong").tasks, call)(*arguments)
        assert str(bad_token.value) == BAD_TOKEN
    with pytest.raises(HttpException, match="task 7"):
        client.tasks.get_task(7)
