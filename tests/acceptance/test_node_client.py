"""The official Node client works unchanged; item groups and items of V1 have modules of their own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.customer import Customer
from tests.acceptance.node_client import CURRENT, NodeClient, NodeRefused, install_node_client
from tests.support.files import archive

BAD_KEY = "You have supplied an invalid `key` or `autocomplete_key`."
BAD_TOKEN = "Invalid auth_token."  # what is said of one, not one

ITEM = {"id": "i", "name": "Item", "data": {"url": "/i"}}
VARIATION = {"id": "v", "item_id": "i", "name": "Variation"}


@pytest.fixture(scope="module")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("node")
    install_node_client(folder, CURRENT)
    return folder


@pytest.fixture
def catalog(node_folder: Path, customer: Customer) -> NodeClient:
    return NodeClient(node_folder, customer)


@pytest.fixture
def tasks(catalog: NodeClient) -> NodeClient:
    return replace(catalog, module="tasks")


def done(customer: Customer, *answers: dict[str, Any]) -> None:
    """Wait for the tasks that calls of the client became."""
    for answer in answers:
        assert "error" not in answer, answer
        assert answer["value"]["task_status_path"].startswith(f"/v1/tasks/{answer['value']['task_id']}?key=")
        customer.done(answer["value"]["task_id"])


def test_items_are_created_updated_read_and_deleted(catalog: NodeClient, customer: Customer) -> None:
    """Three writes in a row, each as a task, applied in the order of the calls."""
    done(
        customer,
        *catalog.calls(
            ["createOrReplaceItems", {"items": [ITEM, {"id": "j", "name": "Other"}], "section": "Products"}],
            ["updateItems", {"items": [{"id": "i", "data": {"price": 1.5}}], "onMissing": "FAIL"}],
            ["deleteItems", {"items": [{"id": "j"}], "force": True, "notificationEmail": "me@shop.example"}],
        ),
    )
    for parameters in ({}, {"ids": ["i", "j"]}, {"section": "Products", "numResultsPerPage": 50, "page": 1}):
        read = catalog.call("retrieveItems", parameters)
        [item] = read["items"]
        assert item.pop("updated_at")
        assert item == {"id": "i", "name": "Item", "data": {"url": "/i", "price": 1.5}}
        assert read["total_count"] == 1


def test_variations_are_created_updated_read_and_deleted(catalog: NodeClient, customer: Customer) -> None:
    done(
        customer,
        *catalog.calls(
            ["createOrReplaceItems", {"items": [ITEM]}],
            ["createOrReplaceVariations", {"variations": [VARIATION, {"id": "w", "item_id": "i"}]}],
            ["updateVariations", {"variations": [{"id": "v", "name": "New name"}]}],
            ["deleteVariations", {"variations": [{"id": "w"}]}],
        ),
    )
    for parameters in ({}, {"ids": ["v"]}, {"itemId": "i", "section": "Products"}):
        [variation] = catalog.call("retrieveVariations", parameters)["variations"]
        assert variation.pop("updated_at")
        assert variation == {"id": "v", "item_id": "i", "name": "New name", "data": {}}


def test_tasks_are_listed_and_read(catalog: NodeClient, tasks: NodeClient, customer: Customer) -> None:
    done(
        customer, *catalog.calls(["createOrReplaceItems", {"items": [ITEM]}], ["deleteItems", {"items": [{"id": "i"}]}])
    )
    page = tasks.call("getAllTasks", {"numResultsPerPage": 1, "page": 2, "status": ["DONE"], "type": ["ingestion"]})
    assert [task["id"] for task in page["tasks"]] == [1]
    assert page["total_count"] == page["status_counts"]["DONE"] == 2
    task = tasks.call("getTask", {"id": 1})
    assert (task["status"], task["type"], task["protocol"]) == ("DONE", "ingestion", "http")
    assert task["result"]["changelog"]["sections"]["Products"]["items_updated"] == 1


@pytest.mark.parametrize(
    ("module", "method", "parameters"),
    [
        ("catalog", "createOrReplaceItems", {"items": [ITEM]}),
        ("catalog", "updateItems", {"items": [ITEM]}),
        ("catalog", "deleteItems", {"items": [{"id": "i"}]}),
        ("catalog", "retrieveItems", {}),
        ("catalog", "createOrReplaceVariations", {"variations": [VARIATION]}),
        ("catalog", "updateVariations", {"variations": [VARIATION]}),
        ("catalog", "deleteVariations", {"variations": [{"id": "v"}]}),
        ("catalog", "retrieveVariations", {}),
        ("tasks", "getAllTasks", {}),
        ("tasks", "getTask", {"id": 1}),
    ],
)
def test_a_bad_key_or_token_is_read(catalog: NodeClient, module: str, method: str, parameters: dict[str, Any]) -> None:
    client = replace(catalog, module=module)
    for changed, message in (({"apiKey": "abc123"}, BAD_KEY), ({"apiToken": "foo987"}, BAD_TOKEN)):
        with pytest.raises(NodeRefused) as caught:
            client.call(method, parameters, **changed)
        assert caught.value.status == 401
        assert str(caught.value).startswith(message)


def test_what_is_wrong_is_read_in_the_contracts_words(catalog: NodeClient, tasks: NodeClient) -> None:
    """An empty list, an entry without a name, a field that is not known, a task that is not there."""
    for module, method, parameters, message in (
        (catalog, "createOrReplaceItems", {"items": []}, "items: ensure this value has at least 1 items"),
        (catalog, "createOrReplaceItems", {"items": [{"id": "i"}]}, "items[0].name: field required"),
        (catalog, "deleteItems", {"items": [{"id": "i", "x": 1}]}, "items[0].x: extra fields not permitted"),
        (tasks, "getTask", {"id": 404}, "task 404 not found"),
    ):
        with pytest.raises(NodeRefused) as caught:
            module.call(method, parameters)
        assert str(caught.value) == message


@pytest.mark.parametrize("form", ["csv", "tar.gz"])
def test_catalogue_files_replace_update_and_patch(
    catalog: NodeClient, customer: Customer, tmp_path: Path, form: str
) -> None:
    """Sent part by part, or as one archive named after its call."""

    def files(name: str, rows: str) -> dict[str, Any]:
        path = tmp_path / name
        path.write_bytes(archive({"items.csv": rows}) if form == "tar.gz" else rows.encode())
        return {"tarArchive" if form == "tar.gz" else "items": {"file": str(path)}, "section": "Products"}

    using = "UsingTarArchive" if form == "tar.gz" else ""
    done(
        customer,
        *catalog.calls(
            [f"replaceCatalog{using}", files("a", "id,item_name,metadata:x\ni,Item,1\nj,Jäcket,1\n")],
            [f"updateCatalog{using}", {**files("b", "id,item_name\ni,New\n"), "force": True}],
            [f"patchCatalog{using}", {**files("c", "id,metadata:x\nj,2\nk,2\n"), "onMissing": "IGNORE"}],
        ),
    )
    assert [(item["name"], item.get("data")) for item in catalog.call("retrieveItems", {})["items"]] == [
        ("New", {}),
        ("Jäcket", {"x": "2"}),
    ]


def test_a_call_without_a_file_is_told_what_is_missing(catalog: NodeClient) -> None:
    with pytest.raises(NodeRefused, match="form-data should contain at least one of"):
        catalog.call("replaceCatalog", {"section": "Products"})
