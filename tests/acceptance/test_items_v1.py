"""The synchronous Items API (V1) over real processes, and through the last Node client that speaks it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.customer import Customer
from tests.acceptance.node_client import WITH_V1_ITEMS, NodeClient, NodeRefused, install_node_client
from tests.acceptance.site import Site


@pytest.fixture(scope="module")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("node")
    install_node_client(folder, WITH_V1_ITEMS)
    return folder


@pytest.fixture
def node(node_folder: Path, customer: Customer) -> NodeClient:
    return NodeClient(node_folder, customer)


def product(name: str, **fields: Any) -> dict[str, Any]:
    """An item as the client's own tests make it."""
    return {"item_name": name, "url": f"https://shop.example/{name}", "section": "Products", **fields}


def names(customer: Customer) -> list[str]:
    return [entry_id for entry_id, _ in customer.entries()]


# -- the Node client --------------------------------------------------------------------------------------------------


def test_node_adds_updates_modifies_and_removes_an_item(node: NodeClient) -> None:
    """What its own tests expect: it resolves, and rejects where an item must not, or must, be there."""
    with_id = product("b", id="b-1", variations=[{"id": "b-1-red", "facets": {"Color": ["Red"]}}])
    answers = node.calls(
        ["addItem", product("a")],
        ["addItem", product("a")],
        ["addOrUpdateItem", product("a")],
        ["addOrUpdateItem", with_id],
        ["addOrUpdateItem", with_id],
        ["modifyItem", product("a", keywords=["k"])],
        ["modifyItem", {**with_id, "new_item_name": "new b"}],
        ["modifyItem", product("missing")],
        ["removeItem", product("a")],
        ["removeItem", product("x", id="never-there")],
    )
    errors = [answer.get("error") for answer in answers]
    assert [error and error["status"] for error in errors] == [None, 409, None, None, None, None, None, 409, None, None]
    assert errors[1]["message"] == "IngestionError: item 'a': it exists already (task 2)"
    assert errors[7]["message"] == "IngestionError: items not found: 'missing' (task 8)"
    assert [entry_id for entry_id, _ in node.customer.entries()] == ["b-1"]
    assert node.customer.entry("b-1").ok()["name"] == "new b"
    assert node.customer.entry("b-1-red", kind="variations").ok()["data"] == {"facets": {"Color": ["Red"]}}


def test_node_adds_updates_and_removes_many(node: NodeClient) -> None:
    batch = {"items": [product(name) for name in "abc"], "section": "Products"}
    answers = node.calls(
        ["addItemsBatch", batch],
        ["addOrUpdateItemsBatch", {"items": [*batch["items"], product("d")], "section": "Products"}],
        ["addItemsBatch", {"items": [product("e"), product("a")], "section": "Products"}],
        ["removeItemsBatch", {"items": [product("a"), product("b")], "section": "Products"}],
        ["removeItemsBatch", {"itemsDoNotExist": [], "section": "Products"}],
    )
    statuses = [answer.get("error", {}).get("status") for answer in answers]
    assert statuses == [None, None, 409, None, 400]
    assert names(node.customer) == ["c", "d"]


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("addItem", product("a")),
        ("addOrUpdateItem", product("a")),
        ("modifyItem", product("a")),
        ("removeItem", product("a")),
        ("addItemsBatch", {"items": [product("a")], "section": "Products"}),
        ("addOrUpdateItemsBatch", {"items": [product("a")], "section": "Products"}),
        ("removeItemsBatch", {"items": [product("a")], "section": "Products"}),
    ],
)
def test_node_reads_that_a_key_or_token_is_bad(node: NodeClient, method: str, parameters: Any) -> None:
    for changed, message in (({"apiKey": "abc123"}, "invalid `key`"), ({"apiToken": "foo987"}, "Invalid auth_token")):
        with pytest.raises(NodeRefused) as caught:
            node.call(method, parameters, **changed)
        assert caught.value.status == 401
        assert message in str(caught.value)


# -- over HTTP --------------------------------------------------------------------------------------------------------


def test_whoever_was_answered_finds_it_there(customer: Customer) -> None:
    """Every time, and V1 behind V2 as well."""
    for number in range(20):
        customer.put({"id": "both", "name": "V2", "data": {"n": number}})
        answer = customer.call("PATCH", "/v1/item", body={"item_name": "x", "id": "both", "metadata": {"m": number}})
        assert (answer.status, answer.body) == (204, b"")
        assert customer.entry("both").ok()["data"] == {"n": number, "m": number}


def test_of_many_who_add_the_same_item_one_does(customer: Customer) -> None:
    """All at once: exactly one is answered 204, the others that it is there."""
    statuses: list[int] = []

    def add() -> None:
        statuses.append(customer.call("POST", "/v1/item", body={"item_name": "same"}).status)

    adders = [threading.Thread(target=add) for _ in range(8)]
    for adder in adders:
        adder.start()
    for adder in adders:
        adder.join()
    assert sorted(statuses) == [204] + 7 * [409]


def test_a_write_that_is_not_applied_in_time_names_its_task(site: Site, customer: Customer) -> None:
    """It is applied later all the same."""
    with site.without_worker():
        answer = customer.call("POST", "/v1/item", body={"item_name": "late"}, wait=1)
        assert answer.status == 504
        task_id = answer.json()["task_id"]
        assert answer.json()["task_status_path"] == f"/v1/tasks/{task_id}?key={customer.catalog_key}"
        assert f"still queued as task {task_id}" in answer.json()["message"]
    customer.done(task_id)
    assert names(customer) == ["late"]
