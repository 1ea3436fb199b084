"""Item groups belong to the catalog, and their batches take their turn among all others."""

from __future__ import annotations

import json
from typing import Any

from shared.model import NO_SECTION, Kind, OnMissing, Status
from tests.support.batches import items, named
from tests.support.rig import Rig

GROUPS = Kind.ITEM_GROUPS


def group(group_id: str, *parent_ids: str, **fields: Any) -> dict[str, Any]:
    return {"id": group_id, "name": f"Group {group_id}", "parent_ids": list(parent_ids), **fields}


def stored(rig: Rig) -> dict[str, Any]:
    bodies = rig.bodies(GROUPS, section=NO_SECTION)
    return {group_id: json.loads(body) for group_id, body in bodies.items()}


def test_groups_are_put_patched_and_deleted(rig: Rig) -> None:
    """Every batch counts what it did, and the laws hold for groups as for items."""
    put = rig.put(group("a"), group("b", "a", data={"n": 19.90}), kind=GROUPS)
    patch = rig.patch({"id": "b", "parent_ids": None, "data": {"m": []}}, kind=GROUPS)
    delete = rig.delete(*named("a", "x"), kind=GROUPS)
    rig.drain()
    assert rig.task(put).counts["item_groups_updated"] == 2
    assert rig.task(patch).counts["item_groups_updated"] == 1
    assert rig.task(delete).counts["item_groups_deleted"] == 1
    assert [rig.report(task_id) for task_id in (put, patch, delete)] == ["cc", "u", "di"]
    assert stored(rig) == {"b": {"id": "b", "name": "Group b", "data": {"n": 19.90, "m": []}}}
    rig.check_laws()


def test_groups_take_their_turn_among_items(rig: Rig) -> None:
    """One order for all kinds: a delete between two puts finds what was there before it."""
    for number in range(3):
        rig.put(*items("i"))
        rig.put(group("g", data={"n": number}), kind=GROUPS)
        rig.delete(*named("g"), kind=GROUPS)
    last = rig.put(group("g", data={"n": 9}), kind=GROUPS)
    rig.drain()
    assert rig.report(last) == "c"
    assert stored(rig)["g"]["data"] == {"n": 9}
    rig.check_laws()


def test_groups_of_a_catalog_are_no_section_of_it(rig: Rig) -> None:
    """Groups alone make no section, and those of another catalog are others."""
    rig.put(group("g"), kind=GROUPS)
    rig.put(group("h"), kind=GROUPS, catalog_key="other")
    rig.drain()
    rig.drain("other")
    assert rig.client.hgetall(rig.keys().sections) == {}
    assert list(stored(rig)) == ["g"]


def test_a_patch_of_groups_that_are_not_there(rig: Rig) -> None:
    """As for items: the task fails, or skips them, or makes them."""
    failed = rig.patch(group("a"), kind=GROUPS)
    skipped = rig.patch(group("b"), kind=GROUPS, on_missing=OnMissing.IGNORE)
    made = rig.patch(group("c"), kind=GROUPS, on_missing=OnMissing.CREATE)
    rig.drain()
    assert (rig.task(failed).status, rig.task(failed).error) == (
        Status.FAILED, "IngestionError: item groups not found: 'a'",
    )  # fmt: skip
    assert (rig.report(skipped), rig.report(made)) == ("i", "c")
    assert list(stored(rig)) == ["c"]
    rig.check_laws()


def test_a_group_sent_twice_is_named(rig: Rig) -> None:
    """The last wins."""
    task_id = rig.put(group("a", data={"n": 1}), group("a", data={"n": 2}), kind=GROUPS)
    rig.drain()
    warnings = json.loads(rig.task(task_id).warnings)
    assert [warning["message"] for warning in warnings] == [
        "item group 'a' comes again later in the batch; the last wins"
    ]
    assert stored(rig)["a"]["data"] == {"n": 2}


def test_many_groups_go_chunk_by_chunk(rig: Rig) -> None:
    """Groups are as many as their sender has."""
    many = [group(f"g{number:04}") for number in range(2500)]
    rig.put(*many, kind=GROUPS)
    rig.delete(*named(*(f"g{number:04}" for number in range(0, 2500, 2))), kind=GROUPS)
    rig.drain()
    assert len(stored(rig)) == 1250
    rig.check_laws()
