"""A dry run says what is wrong with a write and stores nothing."""

from __future__ import annotations

import pytest

from tests.support.batches import items
from tests.support.ingress import READER_TOKEN, Ingress


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_is_valid_is_said_to_be(ingress: Ingress, method: str) -> None:
    answer = ingress.send(method, "/v2/items", {"items": items("a", "b")}, dry_run="true")
    assert answer.status_code == 200
    counted = {"stored": 0, "created": 2 * (method == "PUT"), "updated": 0, "unchanged": 0, "deleted": 0}
    said = answer.json
    assert said.pop("planned")["items"].items() >= counted.items()
    assert said.pop("would_fail") == (None if method == "PUT" else "2 items do not exist")
    assert said == {"dry_run": True, "entries_total": 2, "entries_valid": 2, "errors": []}


def test_each_entry_that_breaks_the_rules_is_named_and_the_answer_is_200(ingress: Ingress) -> None:
    sent = [*items("a"), {"id": "b"}, {"id": "", "name": "c", "price": 1}]
    answer = ingress.send("PUT", "/v2/items", {"items": sent}, dry_run="True")
    assert answer.status_code == 200
    assert (answer.json["entries_total"], answer.json["entries_valid"]) == (3, 1)
    assert answer.json["errors"] == [
        {"loc": "items[1].name", "msg": "field required"},
        {"loc": "items[2].id", "msg": "ensure this value has at least 1 characters"},
        {"loc": "items[2].price", "msg": "extra fields not permitted"},
    ]


@pytest.mark.parametrize("body", [b"{", b"{}", b'{"items": []}', b"[]"])
def test_a_body_that_is_no_list_of_entries_is_refused_all_the_same(ingress: Ingress, body: bytes) -> None:
    refused = ingress.send("PUT", "/v2/items", body, dry_run="true")
    assert refused.status_code == 400
    assert refused.json == ingress.send("PUT", "/v2/items", body).json


def test_nothing_is_stored(ingress: Ingress) -> None:
    before = ingress.rig.dump()
    for wait in ("0", "5"):
        headers = {"Idempotency-Key": "once"}
        ingress.send("PUT", "/v2/items", {"items": items("a")}, dry_run="true", wait=wait, headers=headers)
    assert ingress.rig.dump() == before
    assert ingress.doorbell.rung == []
    assert ingress.write("PUT", "/v2/items", {"items": items("b")}, headers={"Idempotency-Key": "once"}) == 1


def test_the_rules_are_those_of_the_write(ingress: Ingress) -> None:
    """A PATCH edits lists, one that may create does not."""
    body = {"items": [{"id": "a", "data": {"tags:add": ["x"]}}]}
    assert ingress.send("PATCH", "/v2/items", body, dry_run="true").json["entries_valid"] == 1
    assert ingress.send("PATCH", "/v2/items", body, dry_run="true", on_missing="CREATE").json["entries_valid"] == 0


def test_a_dry_run_is_a_write_to_those_who_may_only_read(ingress: Ingress) -> None:
    answer = ingress.send("PUT", "/v2/items", {"items": items("a")}, dry_run="true", token=READER_TOKEN)
    assert answer.status_code == 403


def test_it_tells_what_would_change_field_by_field_and_what_a_guard_would_say(ingress: Ingress) -> None:
    """The fields that change, the most changed first."""
    made = [{"id": f"i{i}", "name": "N", "data": {"price": 10 + i, "text": "x", "same": 1}} for i in range(150)]
    ingress.write("PUT", "/v2/items", {"items": made})
    ingress.rig.drain()
    rules = {"fields": {"data.price": {"factor": 2, "max_jumps": 0.5}}, "required": ["data.text"]}
    assert ingress.send("PUT", "/v1/guards/items", rules).status_code == 200
    sent = [{**item, "data": {"price": item["data"]["price"] * 3, "same": 1}} for item in made[:120]]
    before = ingress.rig.dump()
    answer = ingress.send("PUT", "/v2/items", {"items": [*sent, made[149], made[149]]}, dry_run="true").json
    planned = answer["planned"]["items"]
    assert (planned["stored"], planned["updated"], planned["unchanged"]) == (150, 120, 1)
    numbers = {"compared": 120, "changed": 120, "by_more_than_10_percent": 120, "by_more_than_double": 120}
    assert planned["fields"] == {
        "data.price": {"emptied": 0, "numbers": {**numbers, "by_more_than_tenfold": 0}},
        "data.text": {"emptied": 120},
    }
    assert planned["guard_version"] == 1
    assert (
        "data.price of 120 of the 121 items sent (99.2 %) would change by more than a factor of 2"
        in (answer["would_fail"])
    )
    assert "120 items have no data.text" in answer["would_fail"]
    forced = ingress.send("PUT", "/v2/items", {"items": [*sent, made[149]]}, dry_run="true", force="true").json
    assert "factor" not in forced["would_fail"]
    assert ingress.rig.dump() == before


def test_an_edit_of_what_is_no_list_would_fail(ingress: Ingress) -> None:
    ingress.rig.put({"id": "a", "name": "A", "data": {"tags": "no list"}})
    ingress.rig.drain()
    answer = ingress.send("PATCH", "/v2/items", {"items": [{"id": "a", "data": {"tags:add": ["x"]}}]}, dry_run="true")
    assert answer.status_code == 200
    assert "data.tags:add needs a list" in answer.json["would_fail"]
