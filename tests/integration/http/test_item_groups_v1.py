"""``/v1/item_groups``: answered when applied, with exact counts, in one order with everything else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from shared.model import Kind
from shared.waiting import wait_until
from tests.support.batches import items, named
from tests.support.ingress import Ingress
from tests.support.rig import Rig

PATH = "/v1/item_groups"


@pytest.fixture
def drained(ingress: Ingress) -> Iterator[Ingress]:
    """An ingress whose batches are applied as they come in."""
    with ingress.draining():
        yield ingress


def group(group_id: str, *children: Any, **fields: Any) -> dict[str, Any]:
    return {"id": group_id, "name": group_id.upper(), **fields, **({"children": list(children)} if children else {})}


def counts(processed: int, inserted: int = 0, updated: int = 0, deleted: int = 0) -> dict[str, Any]:
    return {"item_groups": {"processed": processed, "inserted": inserted, "updated": updated, "deleted": deleted}}


def send(ingress: Ingress, method: str, *groups: Any, **query: Any) -> Any:
    answer = ingress.send(method, PATH, {"item_groups": groups}, **query)
    assert answer.status_code == 200, answer.text
    return answer.json


def shape(ingress: Ingress) -> Any:
    def of(nodes: list[dict[str, Any]]) -> dict[str, Any]:
        return {node["id"]: of(node["children"]) for node in nodes}

    return of(ingress.get(PATH)["item_groups"])


# -- counts -----------------------------------------------------------------------------------------------------------


def test_a_post_makes_what_is_not_there(drained: Ingress) -> None:
    """And skips the rest, children or not."""
    assert send(drained, "POST", group("a", group("b"))) == counts(2, inserted=2)
    assert send(drained, "POST", group("a", group("c"), name="new")) == counts(2, inserted=1)
    assert shape(drained) == {"a": {"b": {}, "c": {}}}
    assert drained.get(f"{PATH}/a")["item_groups"][0]["name"] == "A"


def test_a_patch_upserts(drained: Ingress) -> None:
    """What is sent as it is there counts as processed, not as updated."""
    assert send(drained, "PATCH", group("a"), group("b")) == counts(2, inserted=2)
    assert send(drained, "PATCH", group("a"), group("b", name="new"), group("c")) == counts(3, inserted=1, updated=1)
    assert send(drained, "PATCH", group("a"), group("b", name="new"), group("c")) == counts(3)


def test_a_put_deletes_what_is_not_sent(drained: Ingress) -> None:
    send(drained, "POST", group("a"), group("b"), group("c"))
    assert send(drained, "PUT", group("a", name="new"), group("b"), group("d")) == counts(3, 1, 1, 1)
    assert shape(drained) == {"a": {}, "b": {}, "d": {}}


def test_groups_can_move(drained: Ingress) -> None:
    """By their place, by a parent_id, or to the top; without any of them they stay."""
    send(drained, "PUT", group("a", group("b")), group("c"))
    send(drained, "PATCH", group("b", name="new"))
    assert shape(drained) == {"a": {"b": {}}, "c": {}}
    send(drained, "PATCH", group("c", group("b")))
    assert shape(drained) == {"a": {}, "c": {"b": {}}}
    send(drained, "PATCH", group("b", parent_id="a"))
    assert shape(drained) == {"a": {"b": {}}, "c": {}}
    send(drained, "PATCH", group("b", parent_id=None))
    assert shape(drained) == {"a": {}, "b": {}, "c": {}}


def test_a_delete_takes_all_groups(drained: Ingress, rig: Rig) -> None:
    """More than one commit deletes, too; they are gone when it is answered."""
    rig.put(*(group(f"g{number:04}") for number in range(2500)), kind=Kind.ITEM_GROUPS)
    answer = drained.send("DELETE", PATH)
    assert answer.json == {"message": "We've started deleting all of your groups. This may take some time to complete."}
    assert drained.get(PATH) == {"item_groups": [], "total_count": 0}
    assert rig.task(2).counts["item_groups_deleted"] == 2500
    assert drained.send("DELETE", PATH).status_code == 200


def test_many_groups_are_replaced_page_by_page(drained: Ingress, rig: Rig) -> None:
    rig.put(*(group(f"g{number:04}") for number in range(2500)), kind=Kind.ITEM_GROUPS)
    assert send(drained, "PUT", group("g0007"), group("z")) == counts(2, inserted=1, deleted=2499)
    assert shape(drained) == {"g0007": {}, "z": {}}


# -- the tree ---------------------------------------------------------------------------------------------------------


def test_the_tree(drained: Ingress) -> None:
    """As the clients' own tests expect it."""
    send(drained, "POST", group("a", group("b", data={"n": 1})))
    leaf = {"id": "b", "name": "B", "data": {"n": 1}, "children": []}
    tree = {"id": "a", "name": "A", "data": {}, "children": [leaf]}
    assert drained.get(PATH) == {"item_groups": [tree], "total_count": 2}
    assert drained.get(f"{PATH}/a") == {"item_groups": [tree], "total_count": 2}
    assert drained.get(f"{PATH}/b") == {"item_groups": [leaf], "total_count": 1}
    assert drained.get(f"{PATH}/x") == {"item_groups": [], "total_count": 0}


def test_v1_and_v2_show_the_same_groups(drained: Ingress) -> None:
    """A parent that is not there yet leaves a group at the top until it arrives."""
    body = {"item_groups": [{"id": "b", "name": "B", "parent_ids": ["a", "c"]}]}
    drained.write("PUT", "/v2/item_groups", body, wait="10")
    assert shape(drained) == {"b": {}}
    send(drained, "POST", group("a"))
    assert shape(drained) == {"a": {"b": {}}}
    listed = drained.get("/v2/item_groups")
    assert [(one["id"], one.get("parent_ids")) for one in listed["item_groups"]] == [("a", None), ("b", ["a", "c"])]
    assert listed["total_count"] == 2


def test_a_circle_of_groups_does_no_harm(drained: Ingress) -> None:
    """Two writes may make one; the tree cuts it."""
    send(drained, "PATCH", group("a", parent_id="b"))
    send(drained, "PATCH", group("b", parent_id="a"))
    assert shape(drained) == {"a": {"b": {}}}
    assert drained.send("PUT", f"{PATH}/a", {}).json["path_list"] == ["b"]


# -- one group --------------------------------------------------------------------------------------------------------


def test_a_put_of_one_group_makes_it(drained: Ingress) -> None:
    answer = drained.send("PUT", f"{PATH}/g", {"name": "G"})
    assert answer.json == {"id": "g", "name": "G", "parent_id": None, "data": {}, "path": "/", "path_list": []}


def test_a_put_of_one_group_changes_what_is_sent(drained: Ingress) -> None:
    """Data whole; where the group lies is told by the ids above it."""
    send(drained, "POST", group("a", group("b", group("c", data={"old": 1}))))
    answer = drained.send("PUT", f"{PATH}/c", {"data": {"new": 19.90}})
    assert answer.json == {
        "id": "c", "name": "C", "parent_id": "b", "data": {"new": 19.90}, "path": "/a/b", "path_list": ["a", "b"],
    }  # fmt: skip
    assert drained.send("PUT", f"{PATH}/c", {"parent_id": "a"}).json["path"] == "/a"
    assert drained.send("PUT", f"{PATH}/c", {"parent_id": None, "data": None}).json["path"] == "/"
    assert drained.send("PUT", f"{PATH}/c", {"parent_id": "x"}).json["parent_id"] == "x"


def test_a_new_group_needs_a_name(drained: Ingress) -> None:
    answer = drained.send("PUT", f"{PATH}/g", {"data": {}})
    assert (answer.status_code, answer.json["message"]) == (404, "item group not found: 'g'; a new one needs a name")


def test_an_id_may_hold_a_slash(drained: Ingress) -> None:
    """The Node client writes even the slash before the id as %2F."""
    assert drained.send("PUT", "/v1/item_groups%2Fa%2Fb", {"name": "AB"}).json["id"] == "a/b"
    assert drained.get("/v1/item_groups%2Fa%2Fb")["total_count"] == 1


# -- order and time ---------------------------------------------------------------------------------------------------


def test_v1_takes_its_turn(rig: Rig, ingress: Ingress) -> None:
    """It waits for what was accepted before it, of whatever kind, and counts what that left."""
    rig.put(*items(*(f"i{number}" for number in range(300))))
    rig.put(group("a"), group("b"), kind=Kind.ITEM_GROUPS)
    rig.delete(*named("b"), kind=Kind.ITEM_GROUPS)
    with ingress.draining():
        assert send(ingress, "POST", group("a"), group("b")) == counts(2, inserted=1)


def test_when_the_wait_runs_out_the_write_is_still_queued(rig: Rig, ingress: Ingress) -> None:
    """The answer says so, and as which task; it has its effect in its turn."""
    begin = time.monotonic()
    answer = ingress.send("POST", PATH, {"item_groups": [group("a")]}, wait="1")
    assert 1 <= time.monotonic() - begin < 25
    assert answer.status_code == 504
    assert answer.json == {
        "message": "The write is still queued as task 1 and will be applied in its turn: see /v1/tasks/1?key=acme",
        "task_id": 1,
        "task_status_path": "/v1/tasks/1?key=acme",
    }
    rig.drain()
    assert shape(ingress) == {"a": {}}


def test_a_canceled_write_is_told_so(rig: Rig, ingress: Ingress) -> None:
    canceler = threading.Timer(0.3, lambda: ingress.send("PATCH", "/v1/tasks/1", {"status": "CANCELED"}))
    canceler.start()
    answer = ingress.send("DELETE", PATH)
    canceler.join()
    assert (answer.status_code, answer.json["message"]) == (409, "Task 1, which this write became, was canceled.")


def test_when_too_many_wait_v1_still_waits_a_little(ingress: Ingress) -> None:
    """Long enough for what is applied at once."""
    waiting = [threading.Thread(target=lambda: ingress.send("DELETE", PATH, wait="3")) for _ in range(4)]
    for one in waiting:
        one.start()
    wait_until(lambda: ingress.get("/v1/tasks")["total_count"] == 4, "all are waiting", timeout_s=5)
    begin = time.monotonic()
    assert ingress.send("DELETE", PATH, wait="30").status_code == 504
    assert 0.4 < time.monotonic() - begin < 25
    with ingress.draining():
        assert ingress.send("DELETE", PATH).status_code == 200
    for one in waiting:
        one.join()


def test_what_only_v2_can_do_is_refused(ingress: Ingress) -> None:
    """Rather than done otherwise: a dry run must store nothing."""
    answer = ingress.send("DELETE", PATH, dry_run="true")
    assert (answer.status_code, answer.json["message"]) == (400, "dry_run: not available in V1")
    assert ingress.get("/v1/tasks")["total_count"] == 0


def test_a_repeat_with_the_same_key_is_answered_with_the_first_counts(drained: Ingress) -> None:
    """Idempotency-Key: it is not applied again."""
    body, headers = {"item_groups": [group("a")]}, {"Idempotency-Key": "k"}
    first, again = (drained.send("POST", PATH, body, headers=headers) for _ in range(2))
    assert first.json == again.json == counts(1, inserted=1)
    assert drained.get("/v1/tasks")["total_count"] == 1


def test_the_task_of_a_v1_write(drained: Ingress) -> None:
    """Its payload is what we made of the nested body; its report names each group."""
    send(drained, "POST", group("a"))
    send(drained, "POST", group("a", group("b")))
    task = drained.get("/v1/tasks/2")
    assert task["filename"].startswith("acme_item_groups_add_")
    changelog = {"sections": {}, "item_groups_updated": 1, "item_groups_deleted": 0}
    assert task["result"]["changelog"] == changelog
    assert drained.get("/v1/tasks/2/payload") == {
        "item_groups": [{"id": "a", "name": "A"}, {"id": "b", "name": "B", "parent_ids": ["a"]}]
    }
    entries = drained.get("/v1/tasks/2/entries")["entries"]
    assert [(entry["outcome"], entry.get("reason")) for entry in entries] == [
        ("ignored", "its id exists already"), ("created", None),
    ]  # fmt: skip
