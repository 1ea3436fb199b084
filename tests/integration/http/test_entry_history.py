"""The history of an entry over HTTP: what each task did to it, and which fields it changed."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from api.history import entry_histories
from api.history.differences import differences
from shared.catalog.merging import decode_fields
from shared.model import Kind, OnMissing
from tests.support.batches import items, named
from tests.support.ingress import READER_TOKEN, Ingress
from tests.support.rig import Rig

PATH = "/v1/history/items/sku-42"


def changes(ingress: Ingress, path: str = PATH, **query: Any) -> list[tuple[int, str | None, Any]]:
    """Task, outcome and changed fields, newest first."""
    return [
        (
            step["task_id"],
            step["outcome"],
            [tuple(map(each.get, ("field", "before", "after"))) for each in step["changes"]],
        )
        for step in ingress.get(path, **query)["history"]
    ]


def shirt(**data: Any) -> dict[str, Any]:
    return {"id": "sku-42", "name": "Shirt", "data": data}


def test_it_says_what_each_task_changed(rig: Rig, ingress: Ingress) -> None:
    rig.put(shirt(price=19.9, facets={"color": ["red"], "size": "m"}))
    rig.patch({"id": "sku-42", "data": {"price": 17.5, "stock": 3}})
    rig.patch({"id": "sku-42", "data": {"stock": None}})
    rig.put({**shirt(price=17.5, facets={"color": ["blue"], "size": "m"}), "name": "Blue shirt"})
    rig.put({**shirt(price=17.5, facets={"color": ["blue"], "size": "m"}), "name": "Blue shirt"})
    rig.delete(*named("sku-42"))
    rig.drain()
    found = changes(ingress, token=READER_TOKEN)
    assert found[:5] == [
        (6, "deleted", [("id", "sku-42", None), ("name", "Blue shirt", None), ("data.price", 17.5, None),
                        ("data.facets.color", ["blue"], None), ("data.facets.size", "m", None)]),
        (5, "unchanged", []),
        (4, "updated", [("name", "Shirt", "Blue shirt"), ("data.facets.color", ["red"], ["blue"])]),
        (3, "updated", [("data.stock", 3, None)]),
        (2, "updated", [("data.price", 19.9, 17.5), ("data.stock", None, 3)]),
    ]  # fmt: skip
    assert found[5][1] == "created"
    first = ingress.get(PATH)["history"][-1]
    assert (first["operation"], first["named"], first["before_known"]) == ("put", True, True)
    assert first["sent"] == shirt(price=19.9, facets={"color": ["red"], "size": "m"})


def test_numbers_are_shown_with_the_digits_that_were_sent(rig: Rig, ingress: Ingress) -> None:
    rig.put(b'{"id":"sku-42","name":"S","data":{"price":19.90}}')
    rig.patch(b'{"id":"sku-42","data":{"price":17.50}}')
    rig.drain()
    assert '{"field":"data.price","before":19.90,"after":17.50}' in ingress.send("GET", PATH).text


def test_what_waits_or_failed_changed_nothing(rig: Rig, ingress: Ingress) -> None:
    rig.put(shirt(price=1))
    rig.patch({"id": "sku-42", "data": {"price": 2}}, *named("none"))
    rig.drain()
    rig.patch({"id": "sku-42", "data": {"price": 3}})
    found = ingress.get(PATH)["history"]
    assert [(step["outcome"], step["changes"]) for step in found[:2]] == [(None, None), ("ignored", [])]
    assert found[1]["reason"] == "other entries made the task fail; nothing of it was applied"


def test_the_state_before_a_page_comes_from_earlier_tasks(rig: Rig, ingress: Ingress) -> None:
    """Pages follow one another without a gap; behind the last there is none."""
    rig.put(shirt(price=0))
    for price in (1, 2, 3):
        rig.patch({"id": "sku-42", "data": {"price": price}})
    rig.drain()
    first = ingress.get(PATH, num_results_per_page=2)
    assert [step["changes"] for step in first["history"]] == [
        [{"field": "data.price", "before": 2, "after": 3}], [{"field": "data.price", "before": 1, "after": 2}],
    ]  # fmt: skip
    second = ingress.get(PATH, num_results_per_page=2, before=first["next_before"])
    assert [step["task_id"] for step in second["history"]] == [2, 1]
    assert "next_before" not in second


@pytest.mark.parametrize("why", ["the payload is gone", "too many tasks since"])
def test_it_says_where_it_does_not_know_what_was_before(
    rig: Rig, ingress: Ingress, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """Then the fields that were sent are shown, without what they replaced."""
    rig.put(shirt(price=0))
    rig.patch({"id": "sku-42", "data": {"stock": 1}})
    rig.patch({"id": "sku-42", "data": {"price": 2}})
    rig.drain()
    if why == "the payload is gone":
        rig.client.delete(rig.keys().payload(1))
    else:
        monkeypatch.setattr(entry_histories, "EARLIER", 1)
    [step] = ingress.get(PATH, num_results_per_page=1)["history"]
    assert not step["before_known"]
    assert step["changes"] == [{"field": "data.price", "after": 2}]


def test_variations_that_go_with_their_item_were_not_named(rig: Rig, ingress: Ingress) -> None:
    rig.put(*items("a"))
    rig.put({"id": "v", "item_id": "a", "name": "V"}, kind=Kind.VARIATIONS)
    rig.delete(*named("a"))
    rig.drain()
    gone, made = ingress.get("/v1/history/variations/v")["history"]
    assert (gone["named"], gone["outcome"], gone["changes"][0]) == (False, None, {"field": "id", "before": "v"})
    assert made["outcome"] == "created"


def test_any_history_adds_up_to_what_is_stored(rig: Rig, ingress: Ingress) -> None:
    """Against what was stored before and after each task, by whichever call it was changed."""
    chance = random.Random(7)
    stored: list[dict[str, bytes]] = [{}]
    for _ in range(60):
        entry = {
            "id": "sku-42",
            "name": chance.choice("AB"),
            "data": {chance.choice("xy"): chance.choice([1, 1.0, "s", [1]])},
        }
        match chance.choice(["put", "patch", "edit", "delete", "groups"]):
            case "put":
                rig.put(*items("other"), entry)
            case "patch":
                rig.patch(entry, on_missing=OnMissing.CREATE)
            case "edit":
                rig.patch(
                    {"id": "sku-42", "data": {"tags:add": [chance.randrange(3)], "z": None}},
                    on_missing=OnMissing.IGNORE,
                )
            case "delete":
                rig.delete(*named("sku-42"), force=True)
            case _:
                rig.put({"id": "sku-42", "name": "Group"}, kind=Kind.ITEM_GROUPS)
        rig.drain()
        stored.append(rig.bodies())
    steps: list[dict[str, Any]] = []
    before: int | None = None
    while not steps or before is not None:
        page = ingress.get(PATH, **({} if before is None else {"before": before}))
        steps += page["history"]
        before = page.get("next_before")
    assert len(steps) > 30
    for step in steps:
        was, became = (decode_fields(stored[at].get("sku-42", b"{}")) for at in (step["task_id"] - 1, step["task_id"]))
        expected = [
            {"field": one.field}
            | ({} if one.before is None else {"before": json.loads(one.before)})
            | ({} if one.after is None else {"after": json.loads(one.after)})
            for one in differences(was, became)
        ]
        assert step["before_known"], step
        assert sorted(step["changes"], key=repr) == sorted(expected, key=repr), step


def test_what_patches_have_set_is_known_though_the_whole_entry_is_not(rig: Rig, ingress: Ingress) -> None:
    """A feed of prices that comes every hour says what each one changed, however old the last PUT is."""
    rig.put(shirt(price=0, tags=["a"], facets={"color": ["red"]}))
    for data in (
        {"price": 1},
        {"price": 2, "facets": {"color": ["blue"]}},
        {"price": 2, "facets": {}},
        {"price": None},
    ):
        rig.patch({"id": "sku-42", "data": data})
    rig.drain()
    rig.client.delete(rig.keys().payload(1))
    assert changes(ingress, num_results_per_page=4) == [
        (5, "updated", [("data.price", 2, None)]),
        (4, "updated", [("data.facets.color", ["blue"], None)]),
        (3, "updated", [("data.price", 1, 2), ("data.facets.color", None, ["blue"])]),
        (2, "updated", [("data.price", None, 1)]),
    ]
    assert [step["before_known"] for step in ingress.get(PATH)["history"]] == [True, True, False, False, False]


def test_nothing_untrue_is_told_of_patches_behind_a_payload_that_is_gone(rig: Rig, ingress: Ingress) -> None:
    """Against what was stored: edits of lists, removed fields, and data that was removed as a whole."""
    chance = random.Random(22)
    rig.put(shirt(x=1, tags=[1]))
    rig.drain()
    stored = [{}, rig.bodies()]
    for _ in range(40):
        sent = {"x": chance.randrange(5), "y": chance.choice([None, {"a": 1}, "s"]), "tags": [chance.randrange(5)]}
        edits = {"tags:add": [chance.randrange(9)], "tags:remove": [0, 1]}
        name = chance.choice([*sent, *sent, *edits, "data"])
        data = None if name == "data" else {name: (sent | edits)[name]}
        rig.patch({"id": "sku-42", "name": chance.choice("AB"), "data": data})
        rig.drain()
        stored.append(rig.bodies())
    rig.client.delete(rig.keys().payload(1))
    steps = ingress.get(PATH)["history"] + ingress.get(PATH, before=22)["history"]
    known = 0
    for step in steps:
        if step["task_id"] == 1 or not step["changes"]:
            continue
        was, became = (decode_fields(stored[at]["sku-42"]) for at in (step["task_id"] - 1, step["task_id"]))
        true = {(one.field, one.before, one.after) for one in differences(was, became)}
        told = [(each["field"], each.get("before"), each.get("after")) for each in step["changes"]]
        expected = [(field, *[None if side is None else json.loads(side) for side in sides]) for field, *sides in true]
        if step["before_known"]:
            known += 1
            assert sorted(told, key=repr) == sorted(expected, key=repr), step
        for one in told:
            assert one[1] is None or one in expected, (step, expected)
    assert known > 10


def test_a_page_of_long_values_is_about_a_megabyte(rig: Rig, ingress: Ingress) -> None:
    """Each small change shows a list before and after it; pages are shorter then, and complete together."""
    words = [f"word-{number:06}" for number in range(11_000)]
    rig.put(shirt(words=words, n=0))
    for number in range(12):
        rig.patch({"id": "sku-42", "data": {"words:add": [f"new-{number}"]}})
    rig.drain()
    assert {rig.task(task_id).status for task_id in range(1, 14)} == {"DONE"}
    found: list[int] = []
    before = None
    while True:
        query = {} if before is None else {"before": before}
        answer = ingress.send("GET", PATH, **query)
        assert len(answer.data) < entry_histories.SHOWN_BYTES * 1.5
        found += [step["task_id"] for step in answer.json["history"]]
        assert all(step["before_known"] for step in answer.json["history"])
        before = answer.json.get("next_before")
        if before is None:
            break
    assert found == list(range(13, 0, -1))


def test_an_unknown_kind_is_named(ingress: Ingress) -> None:
    answer = ingress.send("GET", "/v1/history/products/a")
    assert (answer.status_code, answer.json["message"]) == (
        404, "there is no kind 'products', only items, variations, item_groups",
    )  # fmt: skip
    assert ingress.get("/v1/history/items/none") == {"history": []}
