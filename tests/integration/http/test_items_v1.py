"""``/v1/item`` and ``/v1/batch_items``: 204 once committed, in one order with everything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from api.waiters import Waiters
from shared.errors import StoreUnavailable
from shared.model import Kind
from tests.support.batches import items, named, variations
from tests.support.ingress import Ingress
from tests.support.rig import Rig

ITEM, BATCH = "/v1/item", "/v1/batch_items"


@pytest.fixture
def drained(ingress: Ingress) -> Iterator[Ingress]:
    """An ingress whose batches are applied as they come in."""
    with ingress.draining():
        yield ingress


def done(ingress: Ingress, method: str, path: str, body: Any, **query: Any) -> None:
    answer = ingress.send(method, path, body, **query)
    assert (answer.status_code, answer.data) == (204, b""), answer.text


def refused(ingress: Ingress, method: str, path: str, body: Any, **query: Any) -> tuple[int, str]:
    answer = ingress.send(method, path, body, **query)
    return answer.status_code, answer.json["message"]


def stored(ingress: Ingress, kind: Kind = Kind.ITEMS, section: str = "Products") -> dict[str, Any]:
    """Read entries, without their times and an empty data."""
    entries = ingress.get(f"/v2/{kind}", section=section)[kind]
    return {
        entry.pop("id"): {name: value for name, value in entry.items() if name != "updated_at" and value != {}}
        for entry in entries
    }


# -- one item ---------------------------------------------------------------------------------------------------------


def test_an_item_is_there_once_it_is_answered(drained: Ingress) -> None:
    """V2 reads it as if it had been sent there."""
    done(drained, "POST", ITEM, {"item_name": "Poodle", "url": "u", "section": "Dogs"})
    assert stored(drained, section="Dogs") == {"Poodle": {"name": "Poodle", "data": {"url": "u"}}}
    assert stored(drained) == {}


def test_a_header_names_the_task_also_of_a_write_that_conflicts(drained: Ingress) -> None:
    answers = [drained.send("POST", ITEM, {"item_name": "Poodle"}) for _ in range(2)]
    assert [(answer.status_code, answer.headers["X-Task-Id"]) for answer in answers] == [(204, "1"), (409, "2")]


def test_a_post_of_an_item_that_is_there_is_refused(drained: Ingress) -> None:
    done(drained, "POST", ITEM, {"item_name": "Poodle"})
    assert refused(drained, "POST", ITEM, {"item_name": "Poodle", "url": "u"}) == (
        409, "IngestionError: item 'Poodle': it exists already (task 2)",
    )  # fmt: skip
    assert stored(drained) == {"Poodle": {"name": "Poodle"}}
    done(drained, "POST", ITEM, {"item_name": "Poodle", "id": "other"})


def test_a_put_modifies(drained: Ingress) -> None:
    """All but a score that was not sent."""
    done(drained, "POST", ITEM, {"item_name": "Poodle", "id": "p", "suggested_score": 7, "metadata": {"animal": "dog"}})
    done(drained, "PUT", ITEM, {"item_name": "Pudel", "id": "p", "url": "u"})
    assert stored(drained) == {"p": {"suggested_score": 7, "data": {"url": "u"}, "name": "Pudel"}}
    done(drained, "PUT", ITEM, {"item_name": "Pudel", "id": "p", "new_item_name": "Caniche"})
    assert stored(drained)["p"]["name"] == "Caniche"


def test_a_put_of_an_item_that_is_not_there_is_refused_or_forced(drained: Ingress) -> None:
    item = {"item_name": "Poodle"}
    assert refused(drained, "PUT", ITEM, item) == (409, "IngestionError: items not found: 'Poodle' (task 1)")
    done(drained, "PUT", ITEM, item, force="1")
    done(drained, "PUT", ITEM, {**item, "url": "u"}, force="1")
    assert stored(drained) == {"Poodle": {"name": "Poodle", "data": {"url": "u"}}}


def test_a_patch_changes_what_is_sent(drained: Ingress) -> None:
    """Not the name, which tells whom it is about; an item that is not there stays away."""
    done(drained, "POST", ITEM, {"item_name": "Poodle", "id": "p", "url": "u", "metadata": {"a": 1, "b": 2}})
    done(drained, "PATCH", ITEM, {"item_name": "Other", "id": "p", "image_url": "i", "metadata": {"b": None}})
    assert stored(drained) == {"p": {"name": "Poodle", "data": {"a": 1, "url": "u", "image_url": "i"}}}
    done(drained, "PATCH", ITEM, {"item_name": "Setter", "url": "u"})
    assert list(stored(drained)) == ["p"]


def test_a_delete_takes_an_item_by_id_or_name(drained: Ingress) -> None:
    """Its variations go along; what is not there is no error."""
    done(drained, "POST", ITEM, {"item_name": "Poodle", "id": "p", "variations": [{"id": "v"}]})
    done(drained, "POST", ITEM, {"item_name": "Setter"})
    done(drained, "DELETE", ITEM, {"item_name": "Poodle"})
    assert list(stored(drained)) == ["Setter", "p"]
    done(drained, "DELETE", ITEM, {"id": "p"})
    done(drained, "DELETE", ITEM, {"item_name": "Setter", "section": "Products"})
    assert stored(drained) == stored(drained, Kind.VARIATIONS) == {}


def test_variations_are_committed_with_their_item(drained: Ingress) -> None:
    """In one task: whoever sees the one sees the other."""
    brown, black = {"id": "brown", "facets": {"Color": ["Brown"]}}, {"id": "black", "item_name": "Black Poodle"}
    done(drained, "POST", ITEM, {"item_name": "Poodle", "id": "p", "variations": [brown, black]})
    assert drained.get("/v1/tasks")["total_count"] == 1
    assert stored(drained, Kind.VARIATIONS) == {
        "black": {"item_id": "p", "name": "Black Poodle"},
        "brown": {"item_id": "p", "data": {"facets": {"Color": ["Brown"]}}},
    }
    done(drained, "PATCH", ITEM, {"item_name": "Poodle", "id": "p", "url": "u"})
    assert list(stored(drained, Kind.VARIATIONS)) == ["black", "brown"]
    done(drained, "PUT", ITEM, {"item_name": "Poodle", "id": "p", "variations": [black, {"id": "grey"}]})
    assert list(stored(drained, Kind.VARIATIONS)) == ["black", "grey"]
    sections = drained.get("/v1/tasks/3")["result"]["changelog"]["sections"]
    assert sections == {
        "Products": {
            "items_updated": 1,
            "items_deleted": 0,
            "variations_updated": 2,
            "variations_unchanged": 1,
            "variations_deleted": 1,
        }
    }


# -- many items -------------------------------------------------------------------------------------------------------


def test_many_items_go_in_one_call(drained: Ingress) -> None:
    sent = [{"item_name": "a", "section": "Dogs"}, {"item_name": "B", "id": "b", "variations": [{"id": "v"}]}]
    done(drained, "POST", BATCH, {"items": sent, "section": "Dogs"})
    assert list(stored(drained, section="Dogs")) == ["a", "b"]
    done(drained, "PUT", BATCH, {"items": [{"item_name": "a", "url": "u"}], "section": "Dogs"})
    done(drained, "PUT", BATCH, {"items": [{"item_name": "c"}]}, section="Dogs", force="1")
    assert list(stored(drained, section="Dogs")) == ["a", "b", "c"]
    done(drained, "DELETE", BATCH, {"items": [{"item_name": "a"}, {"id": "b"}, {"id": "x"}], "section": "Dogs"})
    assert list(stored(drained, section="Dogs")) == ["c"]
    assert stored(drained, Kind.VARIATIONS, section="Dogs") == {}


def test_many_items_are_added_or_none(drained: Ingress) -> None:
    done(drained, "POST", ITEM, {"item_name": "b"})
    assert refused(drained, "POST", BATCH, {"items": [{"item_name": "a"}, {"item_name": "b"}]})[0] == 409
    assert refused(drained, "PUT", BATCH, {"items": [{"item_name": "b", "url": "u"}, {"item_name": "c"}]})[0] == 409
    assert stored(drained) == {"b": {"name": "b"}}


def test_more_than_one_chunk_is_added_or_none(drained: Ingress) -> None:
    """All of it is looked at before the first commit."""
    many = [{"item_name": f"i{number:04}", "variations": [{"id": f"v{number:04}"}]} for number in range(1200)]
    done(drained, "POST", ITEM, {"item_name": "i1199"})
    assert refused(drained, "POST", BATCH, {"items": many})[0] == 409
    assert list(stored(drained)) == ["i1199"]
    done(drained, "PUT", BATCH, {"items": many}, force="1")
    assert drained.get("/v2/items", num_results_per_page=1)["total_count"] == 1200
    assert drained.get("/v2/variations", num_results_per_page=1)["total_count"] == 1200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "body: value is not a valid dict"),
        ({}, "items: field required"),
        ({"items": None}, "items: none is not an allowed value"),
        ({"items": {}}, "items: value is not a valid list"),
        ({"items": []}, "items: ensure this value has at least 1 items"),
        ({"items": [{"item_name": "a"}], "force": 1}, "force: extra fields not permitted"),
        ({"items": [{"item_name": "a"}], "section": ""}, "section: ensure this value has at least 1 characters"),
        ({"items": [{"item_name": "a"}], "section": 7}, "section: str type expected"),
        ({"items": [{"item_name": "a"}, {"url": "u"}]}, "items[1].item_name: field required"),
    ],
)
def test_a_bad_batch_is_refused(ingress: Ingress, body: Any, message: str) -> None:
    assert refused(ingress, "POST", BATCH, body) == (400, message)


def test_more_than_a_batch_may_hold_is_refused(rig: Rig, store_server: Any) -> None:
    few = Ingress(rig.with_settings(max_entries=3), store_server.url)
    assert refused(few, "POST", BATCH, {"items": [{"item_name": f"i{number}"} for number in range(4)]}) == (
        400, "items: ensure this value has at most 3 items",
    )  # fmt: skip
    item = {"item_name": "i", "variations": [{"id": f"v{number}"} for number in range(3)]}
    assert refused(few, "POST", BATCH, {"items": [item]}) == (
        400, "items: ensure this value has at most 3 items and variations",
    )  # fmt: skip


def test_what_is_wrong_with_one_item_is_named_without_a_list(ingress: Ingress) -> None:
    assert refused(ingress, "POST", ITEM, []) == (400, "body: value is not a valid dict")
    assert refused(ingress, "POST", ITEM, {"section": "x" * 101})[1] == (
        "section: ensure this value has at most 100 characters"
    )
    item = {"item_name": "a", "price": 7, "variations": [{}]}
    assert refused(ingress, "POST", ITEM, item) == (
        400, "price: extra fields not permitted; variations[0].id: field required",
    )  # fmt: skip


def test_a_body_that_is_too_long_is_refused(ingress: Ingress) -> None:
    assert refused(ingress, "POST", ITEM, b'{"item_name": "%s"}' % (b"x" * 2_000_000))[0] == 413


# -- order and time ---------------------------------------------------------------------------------------------------


def test_v1_and_v2_are_one_line(rig: Rig, ingress: Ingress) -> None:
    """It meets what was accepted before it, and nothing of what came later."""
    rig.put(*items("a", "b"))
    rig.put(*variations("a", "v"), kind=Kind.VARIATIONS)
    rig.delete(*named("b"))
    with ingress.draining():
        assert refused(ingress, "POST", ITEM, {"item_name": "A", "id": "a"})[0] == 409
        done(ingress, "POST", ITEM, {"item_name": "B", "id": "b"})
        done(ingress, "PUT", ITEM, {"item_name": "A", "id": "a", "variations": []})
    assert (stored(ingress)["b"]["name"], stored(ingress, Kind.VARIATIONS)) == ("B", {})


def test_when_the_wait_runs_out_the_write_is_still_queued(rig: Rig, ingress: Ingress) -> None:
    answer = ingress.send("POST", ITEM, {"item_name": "a"}, wait="1")
    assert (answer.status_code, answer.json["task_id"]) == (504, 1)
    assert answer.json["message"].startswith("The write is still queued as task 1 ")
    rig.drain()
    assert list(stored(ingress)) == ["a"]


def test_a_store_that_goes_away_meanwhile_does_not_hide_that_the_write_was_accepted(
    rig: Rig, ingress: Ingress, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(Waiters, "wait_for_end", away)
    answer = ingress.send("POST", ITEM, {"item_name": "a"})
    assert (answer.status_code, answer.json["task_id"]) == (504, 1)
    rig.drain()
    assert list(stored(ingress)) == ["a"]


def test_the_safeguard_guards_v1_too(drained: Ingress, rig: Rig) -> None:
    rig.put(*items(*(f"i{number:03}" for number in range(200))))
    gone = {"items": [{"id": f"i{number:03}"} for number in range(150)]}
    status, message = refused(drained, "DELETE", BATCH, gone)
    assert (status, "this would delete 150 of the 200 items" in message) == (409, True)
    done(drained, "DELETE", BATCH, gone, force="1")


def test_the_task_of_a_v1_write(drained: Ingress) -> None:
    """Its payload is what we made of the item."""
    done(drained, "POST", ITEM, b'{"item_name": "a", "metadata": {"price": 19.90}, "variations": [{"id": "v"}]}')
    payload = drained.send("GET", "/v1/tasks/1/payload").data
    assert payload == (
        b'{"items":[{"id":"a","data":{"price":19.90},"name":"a","variations":[{"id":"v","item_id":"a"}]}]}'
    )
    again = drained.send("PATCH", "/v1/tasks/1", {"status": "QUEUED"})
    assert again.json["retry_of"] == 1
    assert json.loads(drained.send("GET", f"/v1/tasks/{again.json['id']}", wait="10").data)["status"] == "FAILED"


def test_a_repeat_with_the_same_key_is_answered_alike(drained: Ingress) -> None:
    """Idempotency-Key: without it the second would be refused."""
    headers = {"Idempotency-Key": "k"}
    for _ in range(2):
        assert drained.send("POST", ITEM, {"item_name": "a"}, headers=headers).status_code == 204
    assert drained.get("/v1/tasks")["total_count"] == 1
