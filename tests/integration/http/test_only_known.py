"""Nothing of a request is ignored where it could change what is meant: a rule for all calls at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api.openapi.document import described_routes
from shared.model import Kind
from tests.integration.http.test_document import APP, OPERATIONS
from tests.support.batches import items
from tests.support.ingress import OTHER, Ingress

#: Path arguments that stand for something in any route.
_ARGUMENTS = {
    "task_id": "1",
    "entry_id": "a",
    "group_id": "a",
    "field_name": "a",
    "kind": "items",
    "cursor_name": "a",
    "webhook_id": "wh_0123456789ab",
}
#: A call that takes none of these would not be told from one that ignores them.
_OF_SOME_CALLS = ("on_missing", "patch_delta", "mode", "force", "dry_run", "notification_email", "item_id", "after")

_PRIVATE = sorted(
    f"{method.upper()} {path}"
    for path, method, _, described in described_routes(APP)
    if described and not described.public
)


def _at_once(call: str) -> dict[str, int]:
    """Nothing is applied here: a call that could wait for that must not."""
    return {"wait": 0} if "wait" in {parameter.get("name") for parameter in OPERATIONS[call]["parameters"]} else {}


def _ask(ingress: Ingress, call: str, **query: Any) -> tuple[int, str]:
    method, path = call.split()
    body = None if method == "GET" else b"{}"
    answer: Any = ingress.send(method, path.format(**_ARGUMENTS), body, **query)
    return answer.status_code, answer.text


@pytest.mark.parametrize("call", _PRIVATE)
def test_a_parameter_of_another_call_is_refused(ingress: Ingress, call: str) -> None:
    """Whatever the document does not list for a call; so a call that is added later has the rule too."""
    taken = {parameter.get("name") for parameter in OPERATIONS[call]["parameters"]}
    for name in set(_OF_SOME_CALLS) - taken:
        status, said = _ask(ingress, call, **{name: "1"})
        assert (status, json.loads(said)["errors"][0]["loc"]) == (400, name), said


@pytest.mark.parametrize("call", _PRIVATE)
def test_a_misspelt_parameter_is_refused(ingress: Ingress, call: str) -> None:
    """With the name that was meant."""
    for parameter in OPERATIONS[call]["parameters"]:
        name = parameter.get("name", "key")
        if parameter.get("in") == "query" and len(name) > 3:
            status, said = _ask(ingress, call, **{f"{name}_": "1"})
            assert (status, json.loads(said)["errors"][0]["loc"]) == (400, f"{name}_"), said
            assert f"did you mean {name!r}?" in json.loads(said)["message"]


@pytest.mark.parametrize("call", _PRIVATE)
def test_what_clients_send_of_their_own_is_ignored(ingress: Ingress, call: str) -> None:
    own = {"c": "ciojs-2", "_dt": "1700000000", "i": "x", "s": "1", "ui": "u", "us": ["a", "b"]}
    status, said = _ask(ingress, call, **own, **_at_once(call))
    assert not set(own).intersection(problem["loc"] for problem in json.loads(said or "{}").get("errors", ())), said
    assert status == _ask(ingress, call, **_at_once(call))[0]


@pytest.mark.parametrize(
    "call", [call for call in _PRIVATE if "requestBody" not in OPERATIONS[call] and call[0] != "G"]
)
def test_a_body_that_would_have_no_effect_is_refused(ingress: Ingress, call: str) -> None:
    """A list of groups sent to the call that deletes all of them names those that were meant."""
    method, path = call.split()
    answer: Any = ingress.send(method, path.format(**_ARGUMENTS), {"item_groups": [{"id": "a"}]})
    assert (answer.status_code, answer.json["errors"][0]["loc"]) == (400, "body")


def test_a_parameter_that_nobody_knows_is_ignored(ingress: Ingress) -> None:
    assert ingress.get("/v2/items", utm_source="mail", ключ="é")["total_count"] == 0


def test_one_parameter_with_two_values_is_refused(ingress: Ingress) -> None:
    """Either may be meant; the same value twice is no question."""
    refused: Any = ingress.send("PUT", "/v2/items", {"items": items("a")}, section=["One", "Two"])
    assert refused.json["message"] == "section: sent more than once, with different values"
    assert ingress.send("GET", "/v2/items", key=["acme", OTHER]).status_code == 400
    ingress.write("PUT", "/v2/items", {"items": items("a")}, section=["One", "One"])


# -- the names that V1 had -----------------------------------------------------------------------------------------


def test_the_key_may_have_its_name_of_v1(ingress: Ingress) -> None:
    answer: Any = ingress.send("GET", "/v2/items", key=[], autocomplete_key="acme")
    assert answer.status_code == 200
    assert ingress.send("GET", "/v2/items", key="acme", autocomplete_key=OTHER).status_code == 400


def test_the_section_may_have_its_name_of_v1(ingress: Ingress) -> None:
    """In a query of any call, and in the bodies of V1."""
    with ingress.draining():
        ingress.write("PUT", "/v2/items", {"items": items("a")}, autocomplete_section="Staging", wait=10)
        assert ingress.get("/v2/items", section="Staging")["total_count"] == 1
        for body in ({"item_name": "b", "autocomplete_section": "Staging"}, {"item_name": "c"}):
            query: dict[str, Any] = {} if len(body) > 1 else {"autocomplete_section": "Staging"}
            assert ingress.send("POST", "/v1/item", body, **query).status_code == 204
        call = {"items": [{"item_name": "d"}], "autocomplete_section": "Staging"}
        assert ingress.send("POST", "/v1/batch_items", call).status_code == 204
    assert ingress.get("/v2/items", section="Staging")["total_count"] == 4
    assert ingress.get("/v2/items")["total_count"] == 0


def test_a_delete_of_v1_deletes_in_the_section_that_is_meant(ingress: Ingress) -> None:
    """An item of the same name lies in the default section too."""
    item = {"item_name": "x", "url": "u", "metadata": {"a": 1}}
    with ingress.draining():
        for section in ("Products", "Search Suggestions"):
            assert ingress.send("POST", "/v1/item", {**item, "section": section}).status_code == 204
        there = {**item, "autocomplete_section": "Search Suggestions"}
        assert ingress.send("DELETE", "/v1/item", there).status_code == 204
    assert ingress.get("/v2/items")["total_count"] == 1
    assert ingress.get("/v2/items", section="Search Suggestions")["total_count"] == 0


@pytest.mark.parametrize(
    ("body", "query", "loc"),
    [
        ({"item_name": "x", "secton": "Staging"}, {}, "secton"),
        ({"item_name": "x", "section": "One", "autocomplete_section": "Two"}, {}, "section"),
        ({"item_name": "x", "section": "One"}, {"section": "Two"}, "section"),
        ({"item_name": "x"}, {"section": "One", "autocomplete_section": "Two"}, "section"),
    ],
)
def test_a_delete_of_v1_that_may_mean_another_section_is_refused(
    ingress: Ingress, body: dict[str, Any], query: dict[str, Any], loc: str
) -> None:
    answer: Any = ingress.send("DELETE", "/v1/item", body, **query)
    assert (answer.status_code, answer.json["errors"][0]["loc"]) == (400, loc)


@pytest.mark.parametrize("path", ["/v1/item_groups", "/v2/item_groups", "/v1/item_groups/a", "/v2/item_groups/a"])
def test_item_groups_have_no_section(ingress: Ingress, path: str) -> None:
    """Clients may name the default one; another would seem to be read."""
    assert ingress.send("GET", path, section="Products").status_code in (200, 404)
    for section in ("Content", ""):
        refused: Any = ingress.send("GET", path, section=section)
        assert refused.json["message"] == "section: item groups belong to the key, not to a section"


def test_variations_of_several_items_are_listed(ingress: Ingress) -> None:
    ingress.rig.put(*({"id": f"v-{one}", "item_id": one} for one in "abc"), kind=Kind.VARIATIONS)
    ingress.rig.drain()
    found = ingress.get("/v2/variations", item_id=["a", "b"])
    assert ([one["id"] for one in found["variations"]], found["total_count"]) == (["v-a", "v-b"], 2)
    assert ingress.send("GET", "/v2/variations", item_id=["a"] * 1001).status_code == 400


# -- members that come twice ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "loc"),
    [
        ("PUT", "/v2/items", b'{"items": [{"id": "a", "name": "A", "data": {"x": 1, "x": 2}}]}', "items[0].data.x"),
        ("PATCH", "/v2/items", b'{"items": [{"id": "a", "data": {"t:add": [1]}, "data": {}}]}', "items[0].data"),
        ("DELETE", "/v2/items", b'{"items": [{"id": "a", "id": "b"}]}', "items[0].id"),
        ("PUT", "/v2/item_groups", b'{"item_groups": [{"id": "a", "name": "A", "name": "B"}]}', "item_groups[0].name"),
        ("POST", "/v1/item", b'{"item_name": "a", "item_name": "b"}', "item_name"),
        ("DELETE", "/v1/item", b'{"item_name": "a", "section": "One", "section": "Two"}', "section"),
        ("POST", "/v1/batch_items", b'{"items": [{"item_name": "a"}], "section": "One", "section": "Two"}', "section"),
        ("PUT", "/v1/item_groups", b'{"item_groups": [{"id": "a", "name": "A", "id": "b"}]}', "item_groups[0].id"),
        ("PUT", "/v1/item_groups/a", b'{"name": "A", "name": "B"}', "name"),
        ("PATCH", "/v1/tasks/1", b'{"status": "CANCELED", "status": "QUEUED"}', "status"),
        ("POST", "/v1/webhooks", b'{"url": "https://a.example", "url": "https://b.example"}', "url"),
    ],
)
def test_a_member_that_comes_twice_is_refused(ingress: Ingress, method: str, path: str, body: bytes, loc: str) -> None:
    """Either may be meant."""
    answer: Any = ingress.send(method, path, body)
    problem = {"loc": loc, "msg": "this member occurs more than once"}
    assert (answer.status_code, answer.json["errors"]) == (400, [problem]), answer.text
