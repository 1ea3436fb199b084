"""What merging promises: no order of members matters, and whatever is stored may be sent again."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest

from shared.clock import iso
from shared.limits import DATA_MAX_BYTES, GROUP_DATA_MAX_BYTES
from tests.support.ingress import Ingress
from workers.apply.columns import FEWEST

SEED = 18
IN_BOTH = "a value cannot be added and removed at once"


def done(ingress: Ingress, method: str, path: str, body: Any, **query: Any) -> str:
    """Send a write that must be accepted, apply it, and return its task's status."""
    task_id = ingress.write(method, path, body, **query)
    ingress.rig.drain()
    return str(ingress.get(f"/v1/tasks/{task_id}")["status"])


def item(ingress: Ingress, item_id: str = "a") -> Any:
    return ingress.get(f"/v2/items/{item_id}")


def refused(ingress: Ingress, method: str, path: str, body: Any, **query: Any) -> Any:
    answer: Any = ingress.send(method, path, body, **query)
    assert answer.status_code == 400, answer.text
    return answer.json["errors"]


# -- null -------------------------------------------------------------------------------------------------------------


def test_a_null_in_data_is_kept_by_what_is_whole_and_removes_in_what_is_merged(ingress: Ingress) -> None:
    """V1's metadata is what V2 calls data."""
    done(ingress, "PUT", "/v2/items", {"items": [{"id": "a", "name": "A", "data": {"x": None, "y": 1}}]})
    assert item(ingress)["data"] == {"x": None, "y": 1}
    with ingress.draining():
        ingress.send("POST", "/v1/item", {"item_name": "b", "metadata": {"x": None, "y": 1}})
        assert item(ingress, "b")["data"] == {"x": None, "y": 1}
        ingress.send("PATCH", "/v1/item", {"item_name": "b", "metadata": {"x": None, "z": None}})
    done(ingress, "PATCH", "/v2/items", {"items": [{"id": "a", "data": {"x": None, "z": None}}]})
    assert item(ingress)["data"] == item(ingress, "b")["data"] == {"y": 1}


@pytest.mark.parametrize("edit", ["add", "remove"])
def test_a_null_is_an_empty_list_to_an_edit(ingress: Ingress, edit: str) -> None:
    done(ingress, "PUT", "/v2/items", {"items": [{"id": "a", "name": "A", "data": {"tags": None}}]})
    patch = {"items": [{"id": "a", "data": {f"tags:{edit}": ["x"]}}]}
    assert done(ingress, "PATCH", "/v2/items", patch) == "DONE"
    assert item(ingress)["data"]["tags"] == (["x"] if edit == "add" else None)


def test_a_variation_may_lose_its_name(ingress: Ingress) -> None:
    """It is optional: null is as if absent in a PUT, and removes it in a PATCH.  An item's is not."""
    path, whole = "/v2/variations", {"id": "v", "item_id": "a", "name": None}
    assert done(ingress, "PUT", path, {"variations": [whole]}) == "DONE"
    assert "name" not in ingress.get(f"{path}/v")
    assert done(ingress, "PUT", path, {"variations": [{**whole, "name": "V"}]}) == "DONE"
    assert done(ingress, "PATCH", path, {"variations": [{"id": "v", "name": None}]}) == "DONE"
    assert "name" not in ingress.get(f"{path}/v")
    with ingress.draining():
        body = {"item_name": "a", "variations": [{"id": "w", "item_name": None}]}
        assert ingress.send("POST", "/v1/item", body).status_code == 204
    assert "name" not in ingress.get(f"{path}/w")
    for method in ("PUT", "PATCH"):
        [problem] = refused(ingress, method, "/v2/items", {"items": [{"id": "a", "name": None}]})
        assert problem == {"loc": "items[0].name", "msg": "none is not an allowed value"}


# -- what is stored has the limits of what is sent -----------------------------------------------------------------


@pytest.mark.parametrize("many", [1, FEWEST])
def test_patches_cannot_make_data_longer_than_it_may_be(ingress: Ingress, many: int) -> None:
    """One or many at once: the task fails, names the entry, and changes nothing."""
    whole = [{"id": str(n), "name": "A", "data": {"long": "x" * (DATA_MAX_BYTES - 3000)}} for n in range(many)]
    for entry in whole:
        done(ingress, "PUT", "/v2/items", {"items": [entry]})
    patch = {"items": [{"id": entry["id"], "data": {"more": "y" * 2000}} for entry in whole]}
    assert done(ingress, "PATCH", "/v2/items", patch) == "DONE"
    patch["items"][0]["data"] = {"again": "z" * 2000}
    assert done(ingress, "PATCH", "/v2/items", patch) == "FAILED"
    [task] = ingress.get("/v1/tasks", num_results_per_page=1)["tasks"]
    assert "'0': data would have" in task["error"]["message"]
    assert "again" not in item(ingress, "0")["data"]


def test_small_patches_beside_long_items_cannot_either(ingress: Ingress) -> None:
    """They are merged by whoever reads, so they are kept apart only where there is room for them."""
    ids = [str(number) for number in range(FEWEST)]
    for entry_id in ids:
        data = {"long": "x" * (DATA_MAX_BYTES - 600), "price": ""}
        done(ingress, "PUT", "/v2/items", {"items": [{"id": entry_id, "name": "A", "data": data}]})
    for length, status in ((10, "DONE"), (300, "DONE"), (900, "FAILED")):
        patch = {"items": [{"id": entry_id, "data": {"price": "9" * length}} for entry_id in ids]}
        assert done(ingress, "PATCH", "/v2/items", patch) == status


def test_a_patch_of_v1_and_one_of_groups_have_the_limit_too(ingress: Ingress) -> None:
    with ingress.draining():
        ingress.send("POST", "/v1/item", {"item_name": "a", "metadata": {"x": "x" * (DATA_MAX_BYTES - 100)}})
        answer: Any = ingress.send("PATCH", "/v1/item", {"item_name": "a", "metadata": {"y": "y" * 200}})
    assert (answer.status_code, "data would have" in answer.json["message"]) == (409, True)
    group = {"id": "g", "name": "G", "data": {"x": "x" * (GROUP_DATA_MAX_BYTES - 100)}}
    assert done(ingress, "PUT", "/v2/item_groups", {"item_groups": [group]}) == "DONE"
    assert (
        done(ingress, "PATCH", "/v2/item_groups", {"item_groups": [{"id": "g", "data": {"y": "y" * 200}}]}) == "FAILED"
    )


def test_whatever_is_stored_may_be_sent_again(ingress: Ingress) -> None:
    """After PATCHes at random, near the limit: each item read is one that a PUT takes, and that changes nothing."""
    chance = random.Random(SEED)
    done(ingress, "PUT", "/v2/items", {"items": [{"id": str(n), "name": "A"} for n in range(5)]})
    for _ in range(40):
        data: dict[str, Any] = {
            chance.choice("abcdef"): chance.choice([None, 1.50, [], {"ü": None}, "x" * chance.randrange(90_000)])
        }
        data |= chance.choice([{}, {"tags:add": [chance.randrange(9), "ü" * 9000]}])
        done(ingress, "PATCH", "/v2/items", {"items": [{"id": str(chance.randrange(5)), "data": data}]})
    stored = ingress.get("/v2/items")["items"]
    again = [{name: value for name, value in one.items() if name != "updated_at"} for one in stored]
    assert max(len(json.dumps(one)) for one in again) > DATA_MAX_BYTES / 2
    for one in again:
        assert done(ingress, "PUT", "/v2/items", {"items": [one]}) == "DONE"
    after = ingress.get("/v2/items")["items"]
    assert [{name: value for name, value in one.items() if name != "updated_at"} for one in after] == again


# -- the order of members ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "loc", "msg"),
    [
        ({"t": [1], "t:add": [2]}, "t:add", "it edits the list that is set beside it"),
        ({"t:remove": [2], "t": None}, "t:remove", "it edits the list that is set beside it"),
        ({"t:add": [1, {"a": 1, "b": 2}], "t:remove": [{"b": 2, "a": 1.0}]}, "t:remove", IN_BOTH),
        ({"t:remove": ["x"], "t:add": ["x"]}, "t:remove", IN_BOTH),
    ],
)
def test_what_would_hang_on_the_order_of_members_is_refused(
    ingress: Ingress, data: dict[str, Any], loc: str, msg: str
) -> None:
    for order in itertools.permutations(data):
        body = {"items": [{"id": "a", "data": {name: data[name] for name in order}}]}
        assert refused(ingress, "PATCH", "/v2/items", body) == [{"loc": f"items[0].data.{loc}", "msg": msg}]


def test_no_order_of_members_matters(ingress: Ingress) -> None:
    """Data at random, in any order: refused in each, or merged to the same."""
    chance = random.Random(SEED)
    names = ["t", "t:add", "t:remove", "u:add", "u:remove", "u", "x"]
    for _ in range(60):
        data = {
            name: [chance.randrange(4) for _ in range(2)] if chance.random() < 0.9 or ":" in name else None
            for name in chance.sample(names, chance.randrange(1, 5))
        }
        results = set()
        for _ in range(3):
            order = chance.sample(list(data), len(data))
            done(ingress, "PUT", "/v2/items", {"items": [{"id": "a", "name": "A", "data": {"t": [0, 1], "u": [2]}}]})
            patch = {"items": [{"id": "a", "data": {name: data[name] for name in order}}]}
            answer: Any = ingress.send("PATCH", "/v2/items", patch)
            ingress.rig.drain()
            merged = sorted((name, str(value)) for name, value in item(ingress)["data"].items())
            results.add((answer.status_code, str(merged)))
        assert len(results) == 1, data


# -- when an item last changed ----------------------------------------------------------------------------------------


@pytest.fixture
def later(ingress: Ingress) -> Ingress:
    """Two items, one of which has a variation; then an hour goes by."""
    done(ingress, "PUT", "/v2/items", {"items": [{"id": "a", "name": "A"}, {"id": "b", "name": "B"}]})
    done(ingress, "PUT", "/v2/variations", {"variations": [{"id": "v", "item_id": "a", "data": {"x": 1}}]})
    ingress.rig.clock.advance(3_600_000)
    return ingress


def moved(ingress: Ingress) -> list[str]:
    """Name the items that changed in the last hour."""
    times = {one["id"]: one["updated_at"] for one in ingress.get("/v2/items")["items"]}
    assert times == {item_id: item(ingress, item_id)["updated_at"] for item_id in times}
    return [item_id for item_id, time in times.items() if time == iso(ingress.rig.clock())]


@pytest.mark.parametrize(
    ("method", "variation", "items"),
    [
        ("PUT", {"id": "w", "item_id": "b"}, ["b"]),
        ("PUT", {"id": "v", "item_id": "a"}, ["a"]),
        ("PUT", {"id": "v", "item_id": "b"}, ["a", "b"]),
        ("PUT", {"id": "v", "item_id": "nowhere"}, ["a"]),
        ("PATCH", {"id": "v", "data": {"x": 2}}, ["a"]),
        ("PATCH", {"id": "v", "data": {"x": 1}}, []),
        ("DELETE", {"id": "v"}, ["a"]),
        ("DELETE", {"id": "unknown"}, []),
    ],
)
def test_an_item_changes_when_its_variations_do(
    later: Ingress, method: str, variation: dict[str, Any], items: list[str]
) -> None:
    """The one that they belong to, and the one that they belonged to; what is in the items stays byte for byte."""
    before = later.rig.bodies()
    done(later, method, "/v2/variations", {"variations": [variation]})
    assert moved(later) == items
    assert later.rig.bodies() == before


def test_an_item_of_v1_changes_with_its_variations_alone(later: Ingress) -> None:
    body = {"item_name": "B", "id": "b", "variations": [{"id": "v"}]}
    with later.draining():
        assert later.send("PUT", "/v1/item", body).status_code == 204
    assert moved(later) == ["a", "b"]
    later.rig.clock.advance(3_600_000)
    with later.draining():
        assert later.send("PUT", "/v1/item", {**body, "variations": []}).status_code == 204
    assert moved(later) == ["b"]


def test_an_item_that_changed_with_its_variations_is_patched_as_any_other(later: Ingress) -> None:
    done(later, "PATCH", "/v2/variations", {"variations": [{"id": "v", "data": {"x": 2}}]})
    later.rig.clock.advance(3_600_000)
    assert done(later, "PATCH", "/v2/items", {"items": [{"id": "a", "data": {"price": 1.50}}]}) == "DONE"
    assert (moved(later), item(later)["data"]) == (["a"], {"price": 1.50})
    later.rig.clock.advance(3_600_000)
    done(later, "DELETE", "/v2/variations", {"variations": [{"id": "v"}]})
    assert (moved(later), item(later)["data"]) == (["a"], {"price": 1.50})
