"""A dry run says what is wrong with a write and stores nothing."""

from __future__ import annotations

import pytest

from tests.support.batches import items
from tests.support.ingress import READER_TOKEN, Ingress


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_is_valid_is_said_to_be(ingress: Ingress, method: str) -> None:
    answer = ingress.send(method, "/v2/items", {"items": items("a", "b")}, dry_run="true")
    assert answer.status_code == 200
    assert answer.json == {"dry_run": True, "entries_total": 2, "entries_valid": 2, "errors": []}


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
    assert ingress.bell.rung == []
    assert ingress.write("PUT", "/v2/items", {"items": items("b")}, headers={"Idempotency-Key": "once"}) == 1


def test_the_rules_are_those_of_the_write(ingress: Ingress) -> None:
    """A PATCH that creates needs a name, one that does not, does not."""
    body = {"items": [{"id": "a"}]}
    assert ingress.send("PATCH", "/v2/items", body, dry_run="true").json["entries_valid"] == 1
    assert ingress.send("PATCH", "/v2/items", body, dry_run="true", on_missing="CREATE").json["entries_valid"] == 0


def test_a_dry_run_is_a_write_to_those_who_may_only_read(ingress: Ingress) -> None:
    answer = ingress.send("PUT", "/v2/items", {"items": items("a")}, dry_run="true", token=READER_TOKEN)
    assert answer.status_code == 403
