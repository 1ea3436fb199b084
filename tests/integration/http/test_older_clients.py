"""What official and older clients rely on beyond the everyday: tasks of exports, older paths, entries without data."""

from __future__ import annotations

from typing import Any

import pytest

from shared.model import Kind
from tests.support.batches import items
from tests.support.ingress import READER_TOKEN, Ingress

EXPORT = {"type": "catalog_export", "catalog_part": "items"}


def status_of(ingress: Ingress, method: str, path: str, body: Any, **query: Any) -> tuple[str, str]:
    """Send a write that must be accepted; returns its task's status and error."""
    task_id = ingress.write(method, path, body, **query)
    ingress.rig.drain()
    task = ingress.get(f"/v1/tasks/{task_id}")
    return task["status"], task.get("error", {}).get("message", "")


# -- tasks ------------------------------------------------------------------------------------------------------------


def test_whoever_asks_for_an_export_gets_its_task(ingress: Ingress) -> None:
    """With its id under both names."""
    answer: Any = ingress.send("POST", "/v1/tasks", {**EXPORT, "section": "Staging"}).json
    assert (answer["id"], answer["task_id"], answer["status"], answer["type"]) == (1, 1, "QUEUED", "catalog_export")
    assert (answer["section"], answer["catalog_part"]) == ("Staging", "items")
    assert (answer["start_time"], answer["last_update"]) == (None, None)
    [listed] = ingress.get("/v1/tasks")["tasks"]
    assert (listed["section"], listed["catalog_part"]) == ("Staging", "items")


def test_an_export_of_item_groups_has_no_section(ingress: Ingress) -> None:
    body = {**EXPORT, "catalog_part": "item_groups"}
    refused: Any = ingress.send("POST", "/v1/tasks", {**body, "section": "Products"})
    assert (refused.status_code, refused.json["errors"][0]["loc"]) == (400, "section")
    answer: Any = ingress.send("POST", "/v1/tasks", body).json
    assert "section" not in answer


def test_all_types_of_the_public_service_may_be_asked_for(ingress: Ingress) -> None:
    """Of those that there are not, none are found."""
    ingress.write("PUT", "/v2/items", {"items": items("a")})
    types = ["ingestion", "user_data_request", "copy_data", "catalog_export"]
    assert ingress.get("/v1/tasks", type=types)["total_count"] == 1
    assert ingress.get("/v1/tasks", type="copy_data")["total_count"] == 0


@pytest.mark.parametrize("path", ["/v1/task/1", "/v1/task%2F1"])
def test_a_task_has_an_older_path(ingress: Ingress, path: str) -> None:
    ingress.write("PUT", "/v2/items", {"items": items("a")})
    assert ingress.get(path) == ingress.get("/v1/tasks/1")
    assert ingress.send("GET", "/v1/task/2").status_code == 404


def test_key_and_token_can_be_verified(ingress: Ingress) -> None:
    assert ingress.get("/v1/verify", token=READER_TOKEN)["message"]
    assert ingress.send("GET", "/v1/verify", token="nobody").status_code == 401
    assert ingress.send("GET", "/v1/verify", key="nobody").status_code == 401


# -- entries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        (Kind.ITEMS, {"id": "a", "name": "A"}),
        (Kind.VARIATIONS, {"id": "a", "item_id": '"data"'}),
        (Kind.ITEM_GROUPS, {"id": "a", "name": "data"}),
    ],
)
def test_every_entry_is_read_back_with_data(ingress: Ingress, kind: Kind, entry: dict[str, Any]) -> None:
    """An empty one if none was sent; what was sent is shown as it was."""
    for sent, shown in ((entry, {**entry, "data": {}}), *(({**entry, "data": each},) * 2 for each in ({}, {"x": 1}))):
        ingress.write("PUT", f"/v2/{kind}", {kind: [sent]})
        ingress.rig.drain()
        for found in (ingress.get(f"/v2/{kind}/a"), *ingress.get(f"/v2/{kind}")[kind]):
            assert {name: value for name, value in found.items() if name != "updated_at"} == shown


@pytest.mark.parametrize(
    ("kind", "whole", "needed"),
    [
        (Kind.ITEMS, {"id": "a", "name": "A"}, "name"),
        (Kind.VARIATIONS, {"id": "a", "item_id": "i"}, "item_id"),
        (Kind.ITEM_GROUPS, {"id": "a", "name": "A"}, "name"),
    ],
)
def test_a_patch_that_may_create_needs_a_name_only_for_what_it_creates(
    ingress: Ingress, kind: Kind, whole: dict[str, Any], needed: str
) -> None:
    """Of what is there, the id is enough; what cannot be created fails the task, and nothing of it is applied."""
    path, patch = f"/v2/{kind}", {kind: [{"id": "a", "data": {"x": 1}}, {"id": "b", "data": {}}]}
    create = {"on_missing": "CREATE"}
    status_of(ingress, "PUT", path, {kind: [whole]})
    status, error = status_of(ingress, "PATCH", path, patch, **create)
    assert (status, f"'b': it is not there, and cannot be created without '{needed}'" in error) == ("FAILED", True)
    assert ingress.get(f"{path}/a")["data"] == {}
    assert status_of(ingress, "PATCH", path, {kind: patch[kind][:1]}, **create) == ("DONE", "")
    assert ingress.get(f"{path}/a")["data"] == {"x": 1}
    assert status_of(ingress, "PATCH", path, {kind: [{**whole, "id": "b"}]}, **create) == ("DONE", "")


def test_a_number_that_no_double_holds_may_stand_in_facets(ingress: Ingress) -> None:
    """It is stored as it was sent, like any other."""
    facets = b'{"price":[1e400,' + b"9" * 5000 + b'],"size":1e400}'
    body = b'{"items":[{"id":"a","name":"A","data":{"facets":' + facets + b"}}]}"
    ingress.write("PUT", "/v2/items", body)
    ingress.rig.drain()
    assert facets in ingress.send("GET", "/v2/items/a").data


@pytest.mark.parametrize("text", [r'"\ud83d"', r'"x\uD83D', r'"\\\ud83d\u0041"'])
def test_half_a_character_is_called_that(ingress: Ingress, text: str) -> None:
    """Wherever in the body it stands."""
    for behind in ('"}]}', '", "data": {"x": "' + "y" * 100 + '"}}]}'):
        body = '{"items": [{"id": "a", "name": ' + text.rstrip('"') + behind
        refused: Any = ingress.send("PUT", "/v2/items", body.encode())
        assert refused.status_code == 400
        assert "half of a surrogate pair in a string (byte " in refused.json["message"]


def test_a_write_may_have_ten_addresses_mailed(ingress: Ingress) -> None:
    addresses = [f"{number}@shop.example" for number in range(11)]
    ingress.write("PUT", "/v2/items", {"items": items("a")}, notification_email=addresses[:10])
    refused: Any = ingress.send("PUT", "/v2/items", {"items": items("a")}, notification_email=addresses)
    assert refused.json["message"] == "notification_email: ensure this value has at most 10 items"
