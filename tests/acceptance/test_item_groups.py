"""Item groups through the official clients, Python and Node, over real processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from constructor_io.constructor_io import ConstructorIO
from constructor_io.helpers.exception import HttpException

from tests.acceptance.customer import Customer
from tests.acceptance.node_client import CURRENT, NodeClient, NodeRefused, install_node_client
from tests.acceptance.site import Site

DELETED = {"message": "We've started deleting all of your groups. This may take some time to complete."}
BAD_KEY = "You have supplied an invalid `key` or `autocomplete_key`."
BAD_TOKEN = "Invalid auth_token."


def group(group_id: str, *children: Any, **fields: Any) -> dict[str, Any]:
    return {"id": group_id, "name": f"Group {group_id}", **fields, **({"children": list(children)} if children else {})}


def counts(processed: int, inserted: int = 0, updated: int = 0, deleted: int = 0) -> dict[str, int]:
    return {"processed": processed, "inserted": inserted, "updated": updated, "deleted": deleted}


def client_of(customer: Customer, **changed: Any) -> ConstructorIO:
    options = {"api_key": customer.catalog_key, "api_token": customer.token, "service_url": customer.url}
    return ConstructorIO(options | changed)


@pytest.fixture
def catalog(customer: Customer) -> Any:
    """The catalog module of the Python client."""
    return client_of(customer).catalog


@pytest.fixture(scope="module")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("node")
    install_node_client(folder, CURRENT)
    return folder


@pytest.fixture
def node(node_folder: Path, customer: Customer) -> NodeClient:
    return NodeClient(node_folder, customer)


# -- the Python client ------------------------------------------------------------------------------------------------


def test_python_creates_replaces_and_updates(catalog: Any) -> None:
    """With the counts that the client's own tests expect."""
    created = catalog.create_item_groups({"item_groups": [group("a"), group("b")]})
    assert created == {"item_groups": counts(2, inserted=2)}
    assert catalog.create_item_groups({"item_groups": [group("a")]}) == {"item_groups": counts(1)}
    changed = {**group("a"), "name": "Updated Name"}
    replaced = catalog.create_or_replace_item_groups({"item_groups": [changed, group("c")]})
    assert replaced == {"item_groups": counts(2, inserted=1, updated=1, deleted=1)}
    updated = catalog.create_or_update_item_groups({"item_groups": [group("a"), group("d", group("e"))]})
    assert updated == {"item_groups": counts(3, inserted=2, updated=1)}


def test_python_retrieves_the_tree(catalog: Any) -> None:
    catalog.create_item_groups({"item_groups": [group("a", group("b", data={"n": 19.9}))]})
    leaf = {"id": "b", "name": "Group b", "data": {"n": 19.9}, "children": []}
    assert catalog.retrieve_item_groups() == {
        "item_groups": [{"id": "a", "name": "Group a", "data": {}, "children": [leaf]}],
        "total_count": 2,
    }


def test_python_deletes_all_groups(catalog: Any) -> None:
    """They are gone when the call returns."""
    catalog.create_item_groups({"item_groups": [group("a"), group("b")]})
    assert catalog.delete_item_groups() == DELETED
    assert catalog.retrieve_item_groups() == {"item_groups": [], "total_count": 0}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "item_groups: none is not an allowed value"),
        ({"item_groups": []}, "item_groups: ensure this value has at least 1 items"),
        ({"item_groups": "not an array"}, "item_groups: value is not a valid list"),
    ],
)
@pytest.mark.parametrize(
    "method", ["create_item_groups", "create_or_replace_item_groups", "create_or_update_item_groups"]
)
def test_python_reads_why_a_body_is_refused(catalog: Any, method: str, parameters: Any, message: str) -> None:
    with pytest.raises(HttpException) as caught:
        getattr(catalog, method)(parameters)
    assert message in str(caught.value)


def test_python_reads_that_a_key_or_token_is_bad(customer: Customer) -> None:
    for changed, message in (({"api_key": "abc123"}, BAD_KEY), ({"api_token": "foo987"}, BAD_TOKEN)):
        with pytest.raises(HttpException, match=message.replace("`", ".")):
            client_of(customer, **changed).catalog.create_item_groups({"item_groups": [group("a")]})


# -- the Node client --------------------------------------------------------------------------------------------------


def test_node_adds_updates_modifies_and_removes(node: NodeClient) -> None:
    """With the answers that the client's own tests expect."""
    answers = node.calls(
        ["addItemGroup", {"id": "a", "name": "A", "data": {"url": "/a"}}],
        ["addItemGroups", {"itemGroups": [group("a"), group("b", group("c"))]}],
        ["addItemGroups", {"item_groups": [group("a")]}],
        ["addOrUpdateItemGroups", {"itemGroups": [group("b"), {"id": "d", "name": "D", "parentId": "a"}]}],
        ["addOrUpdateItemGroups", {"item_groups": [group("b"), {"id": "d", "name": "New D"}]}],
        ["modifyItemGroup", {"id": "d", "name": "Newer D"}],
        ["getItemGroup", {"id": "a"}],
        ["getItemGroup", {"id": "x"}],
        ["getItemGroups"],
        ["removeItemGroups"],
        ["getItemGroups"],
    )
    d = {"id": "d", "name": "Newer D", "data": {}, "children": []}
    a = {"id": "a", "name": "A", "data": {"url": "/a"}, "children": [d]}
    c = {"id": "c", "name": "Group c", "data": {}, "children": []}
    b = {"id": "b", "name": "Group b", "data": {}, "children": [c]}
    assert [answer.get("value") for answer in answers] == [
        None,
        None,
        None,
        {"item_groups": counts(2, inserted=1)},
        {"item_groups": counts(2, updated=1)},
        {"id": "d", "name": "Newer D", "parent_id": "a", "data": {}, "path": "/a", "path_list": ["a"]},
        {"item_groups": [a], "total_count": 2},
        {"item_groups": [], "total_count": 0},
        {"item_groups": [a, b], "total_count": 4},
        DELETED,
        {"item_groups": [], "total_count": 0},
    ]
    assert not any("error" in answer for answer in answers)


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("addItemGroup", [group("a")]),
        ("addItemGroups", [{"itemGroups": [group("a")]}]),
        ("getItemGroup", [{"id": "a"}]),
        ("getItemGroups", []),
        ("addOrUpdateItemGroups", [{"itemGroups": [group("a")]}]),
        ("modifyItemGroup", [group("a")]),
        ("removeItemGroups", []),
    ],
)
def test_node_reads_that_a_key_or_token_is_bad(node: NodeClient, method: str, parameters: list[Any]) -> None:
    for changed, message in (({"apiKey": "abc123"}, BAD_KEY), ({"apiToken": "foo987"}, BAD_TOKEN)):
        with pytest.raises(NodeRefused) as caught:
            node.call(method, *parameters, **changed)
        assert caught.value.status == 401
        assert str(caught.value).startswith(message)


# -- V2, as the newer clients speak it --------------------------------------------------------------------------------


def test_v2_writes_groups_as_tasks(customer: Customer) -> None:
    """The answer names the task; its changelog counts the groups, beside the sections."""
    put = customer.send(
        "PUT", [{"id": "a", "name": "A"}, {"id": "b", "name": "B", "parent_ids": ["a"]}], kind="item_groups"
    )
    assert put.ok()["task_status_path"] == f"/v1/tasks/{put.ok()['task_id']}?key={customer.catalog_key}"
    assert int(put.headers["X-RateLimit-Tasks-Remaining"]) > 0
    task = customer.done(put.ok()["task_id"])
    assert task["result"]["changelog"] == {"sections": {}, "item_groups_updated": 2, "item_groups_deleted": 0}
    patch = customer.send("PATCH", [{"id": "b", "data": {"url": "/b"}}], kind="item_groups", force="true")
    customer.done(patch.ok()["task_id"])
    shown = customer.entry("b", kind="item_groups").ok()
    assert {**shown, "updated_at": ""} == {
        "id": "b", "name": "B", "parent_ids": ["a"], "data": {"url": "/b"}, "updated_at": "",
    }  # fmt: skip
    delete = customer.send("DELETE", [{"id": "a"}, {"id": "x"}], kind="item_groups")
    changelog = customer.done(delete.ok()["task_id"])["result"]["changelog"]
    assert changelog["item_groups_deleted"] == 1
    assert "item group not found" in customer.entry("a", kind="item_groups").refused(404)


def test_v2_lists_groups_page_by_page(customer: Customer) -> None:
    """Twenty a page if the request does not say; by id if it names some."""
    ids = [f"g{number:02}" for number in range(45)]
    customer.done(customer.put(*({"id": one, "name": "x"} for one in ids), kind="item_groups"))

    def listed(**query: Any) -> tuple[list[str], int]:
        page = customer.call("GET", "/v2/item_groups", **query).ok()
        assert page.keys() - {"next_page_cursor"} == {"item_groups", "total_count"}
        return [one["id"] for one in page["item_groups"]], page["total_count"]

    assert listed() == (ids[:20], 45)
    assert listed(page=3) == (ids[40:], 45)
    assert listed(num_results_per_page=100, offset=44) == (ids[44:], 45)
    assert listed(id=["g07", "x", "g03"]) == (["g03", "g07"], 2)
    assert listed(page=9) == ([], 45)
    for query, message in (
        ({"num_results_per_page": 101}, "num_results_per_page: ensure this value is less than or equal to 100"),
        ({"page": 1, "offset": 0}, "offset, page are mutually exclusive"),
    ):
        assert customer.call("GET", "/v2/item_groups", **query).refused(400) == message


# -- one order, and what a wait that runs out says --------------------------------------------------------------------


def test_groups_keep_the_laws(customer: Customer) -> None:
    """Batches of all kinds, one after the other, as a model in memory applies them."""
    for number in range(12):
        ids = [f"g{place % 150:03}" for place in range(number * 30, number * 30 + 60)]
        groups = [{"id": one, "name": f"Name {number}", "parent_ids": ["g000"], "data": {"n": number}} for one in ids]
        customer.put(*groups, kind="item_groups")
        customer.put(*({"id": one, "name": f"Name {number}"} for one in ids))
        customer.patch(*({"id": one, "data": {"m": [number]}} for one in ids[:5]), kind="item_groups")
        customer.delete(*({"id": one} for one in ids[::7]), kind="item_groups")
    customer.wait_all_ended()
    customer.check_laws()


def test_groups_and_items_are_one_line(customer: Customer, catalog: Any) -> None:
    """A V1 call behind a big batch of items is answered when its turn has come, and what came first is there."""
    for number in range(5):
        customer.put(*({"id": f"i{entry}", "name": f"Item {number}"} for entry in range(2_000)))
    catalog.create_item_groups({"item_groups": [group("a")]})
    assert customer.all_ended()
    assert [task["status"] for task in customer.task_list()["tasks"]] == ["DONE"] * 6


def test_a_write_that_is_not_applied_in_time_names_its_task(site: Site, customer: Customer) -> None:
    """It is applied later all the same."""
    with site.without_worker():
        answer = customer.call("POST", "/v1/item_groups", body={"item_groups": [group("a")]}, wait=1)
        assert answer.status == 504
        task_id = answer.json()["task_id"]
        assert f"still queued as task {task_id}" in answer.json()["message"]
        assert customer.task(task_id)["status"] == "QUEUED"
    customer.done(task_id)
    assert customer.call("GET", "/v1/item_groups").ok()["total_count"] == 1
