"""Real clients' requests are understood, and the messages they match on are exact: contract, section 1."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import zstandard
from werkzeug.test import TestResponse

from api.services import EXTENSION
from shared.store.client import connect
from tests.support.batches import items, named
from tests.support.ingress import OTHER, READER_TOKEN, TOKEN, Ingress, basic
from tests.support.store_server import StoreServer

UNKNOWN_KEY = (
    "You have supplied an invalid `key` or `autocomplete_key`. "
    "You can find your key at app.constructor.io/dashboard/accounts/api_integration."
)
BAD_TOKEN = (
    "Invalid auth_token. If you've forgotten your token, you can generate a new one at app.constructor.io/dashboard"
)
ENTRY = {"id": "a", "name": "A"}


def refused(answer: TestResponse, status: int) -> str:
    """Read the message of a refusal, which is JSON like every answer."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/json"
    message = answer.json["message"]
    assert isinstance(message, str)
    return message


def write(ingress: Ingress, body: Any, *, method: str = "PUT", kind: str = "items", **query: Any) -> TestResponse:
    return ingress.send(method, f"/v2/{kind}", body, **query)


# -- what is sent ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["True", "true", "1"])
def test_force_is_understood_in_any_spelling(ingress: Ingress, spelling: str) -> None:
    write(ingress, {"items": items(*map(str, range(100)))})
    body = {"items": named(*map(str, range(60)))}
    tasks = [
        write(ingress, body, method="DELETE", force="False").json["task_id"],
        write(ingress, body, method="DELETE", force=spelling).json["task_id"],
    ]
    ingress.rig.drain()
    assert [ingress.get(f"/v1/tasks/{task_id}")["status"] for task_id in tasks] == ["FAILED", "DONE"]


@pytest.mark.parametrize("form", ["json", "x-ndjson"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_byte_order_mark_is_no_part_of_a_body(ingress: Ingress, form: str, pack: Callable[[bytes], bytes]) -> None:
    """Programs on Windows put it before UTF-8; a second one is an error."""
    body = json.dumps({"items": [ENTRY]} if form == "json" else ENTRY).encode()
    headers = {"Content-Type": f"application/{form}"} | ({"Content-Encoding": "gzip"} if pack is not bytes else {})
    mark = b"\xef\xbb\xbf"
    assert write(ingress, pack(mark + body), headers=headers).status_code == 200
    assert write(ingress, pack(mark + mark + body), headers=headers).status_code == 400
    ingress.rig.drain()
    assert ingress.rig.bodies() == {"a": json.dumps(ENTRY).encode()}


@pytest.mark.parametrize("path", ["/v1/tasks%2F1", "/v1/tasks/1"])
def test_the_slash_before_an_id_may_be_encoded(ingress: Ingress, path: str) -> None:
    write(ingress, {"items": [ENTRY]})
    assert ingress.get(path)["id"] == 1
    assert ingress.send("PATCH", path, {"status": "CANCELED"}).json["status"] == "CANCELED"


def test_a_delete_has_a_body(ingress: Ingress) -> None:
    write(ingress, {"items": [ENTRY]})
    write(ingress, {"items": named("a")}, method="DELETE")
    ingress.rig.drain()
    assert ingress.get("/v2/items")["total_count"] == 0


@pytest.mark.parametrize("path", ["/v2/items", "/v2/variations", "/v1/tasks"])
def test_a_get_may_say_json_and_send_nothing(ingress: Ingress, path: str) -> None:
    answer = ingress.send("GET", path, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200


def test_repeated_parameters_are_lists(ingress: Ingress) -> None:
    write(ingress, {"items": items("a", "b", "c")}, notification_email=["x@example.com", "y@example.com"])
    ingress.rig.drain()
    assert [item["id"] for item in ingress.get("/v2/items", id=["a", "c"])["items"]] == ["a", "c"]
    assert ingress.get("/v1/tasks", type=["catalog_export", "ingestion"])["total_count"] == 1
    assert ingress.get("/v1/tasks", status=["QUEUED", "FAILED"])["total_count"] == 0
    assert ingress.rig.task(1).batch.notification_emails == ("x@example.com", "y@example.com")


def test_parameters_that_nobody_knows_are_ignored(ingress: Ingress) -> None:
    own = {"c": "ciojs-2", "_dt": "1700000000", "i": "x", "s": "1", "ui": "u", "us": ["a", "b"]}
    assert write(ingress, {"items": [ENTRY]}, **own).status_code == 200
    assert ingress.get("/v1/tasks", **own)["total_count"] == 1
    assert ingress.get("/v2/items", **own)["total_count"] == 0


def test_a_score_may_be_a_whole_float_and_reads_back_as_sent(ingress: Ingress) -> None:
    write(ingress, b'{"items": [{"id": "a", "name": "A", "suggested_score": 1337.0}]}')
    ingress.rig.drain()
    assert b'"suggested_score": 1337.0' in ingress.send("GET", "/v2/items/a").data


@pytest.mark.parametrize("spelling", ["New%20Arrivals", "New+Arrivals"])
def test_a_blank_may_be_a_plus(ingress: Ingress, spelling: str) -> None:
    headers = {"Authorization": basic(TOKEN), "Content-Type": "application/json"}
    data = json.dumps({"items": [ENTRY]})
    path = f"/v2/items?key=acme&section={spelling}"
    assert ingress.app.test_client().put(path, data=data, headers=headers).status_code == 200
    assert ingress.rig.task(1).batch.section == "New Arrivals"


@pytest.mark.parametrize("token", [basic(TOKEN), f"Bearer {TOKEN}", f"bearer {TOKEN}"])
def test_a_token_may_come_as_user_or_as_bearer(ingress: Ingress, token: str) -> None:
    assert ingress.send("GET", "/v1/tasks", headers={"Authorization": token}).status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "zstd", "identity"])
def test_a_body_may_be_compressed(ingress: Ingress, encoding: str) -> None:
    body = json.dumps({"items": [ENTRY]}).encode()
    packed = {"gzip": gzip.compress, "zstd": zstandard.compress}.get(encoding.lower(), bytes)(body)
    answer = ingress.send("PUT", "/v2/items", packed, headers={"Content-Encoding": encoding})
    assert answer.status_code == 200


# -- what is answered ------------------------------------------------------------------------------------------------

TEXTS = {
    "no member": ({}, "items: field required"),
    "null, as the Python client sends it": ({"items": None}, "items: none is not an allowed value"),
    "no list": ({"items": {}}, "items: value is not a valid list"),
    "empty": ({"items": []}, "items: ensure this value has at least 1 items"),
    "no object": ({"items": [1]}, "items[0]: value is not a valid dict"),
    "no name": ({"items": [{"id": "a"}]}, "items[0].name: field required"),
    "no id": ({"items": [{"name": "A"}]}, "items[0].id: field required"),
    "empty id": ({"items": [{**ENTRY, "id": ""}]}, "items[0].id: ensure this value has at least 1 characters"),
    "long id": (
        {"items": [{**ENTRY, "id": "x" * 251}]},
        "items[0].id: ensure this value has at most 250 characters",
    ),
    "unknown field": ({"items": [{**ENTRY, "price": 1}]}, "items[0].price: extra fields not permitted"),
    "low score": (
        {"items": [{**ENTRY, "suggested_score": -2}]},
        "items[0].suggested_score: ensure this value is greater than or equal to -1",
    ),
    "high score": (
        {"items": [{**ENTRY, "suggested_score": 500_000_001}]},
        "items[0].suggested_score: ensure this value is less than or equal to 500000000",
    ),
    "text score": (
        {"items": [{**ENTRY, "suggested_score": "1"}]},
        "items[0].suggested_score: value is not a valid integer",
    ),
    "data no object": ({"items": [{**ENTRY, "data": []}]}, "items[0].data: value is not a valid dict"),
}


@pytest.mark.parametrize("what", TEXTS)
def test_a_bad_body_is_refused_in_these_words(ingress: Ingress, what: str) -> None:
    body, message = TEXTS[what]
    answer = write(ingress, body)
    assert refused(answer, 400) == message
    loc, _, msg = message.partition(": ")
    assert answer.json["errors"] == [{"loc": loc, "msg": msg}]


def test_too_many_entries_are_refused_in_these_words(ingress: Ingress) -> None:
    answer = write(ingress, {"items": [ENTRY] * 10_001})
    assert refused(answer, 400) == "items: ensure this value has at most 10000 items"


@pytest.mark.parametrize("kind", ["variations", "item_groups"])
def test_other_kinds_are_refused_by_their_own_name(ingress: Ingress, kind: str) -> None:
    assert refused(write(ingress, {kind: None}, kind=kind), 400) == f"{kind}: none is not an allowed value"
    assert refused(write(ingress, {kind: []}, kind=kind), 400) == f"{kind}: ensure this value has at least 1 items"
    assert refused(write(ingress, {kind: "x"}, kind=kind), 400) == f"{kind}: value is not a valid list"


QUERIES = {
    "on_missing": (
        "PATCH",
        "/v2/items",
        {"on_missing": "create"},
        "on_missing: value is not a valid enumeration member; permitted: 'CREATE', 'IGNORE', 'FAIL'",
    ),
    "force": ("PUT", "/v2/items", {"force": "maybe"}, "force: value could not be parsed to a boolean"),
    "page": ("GET", "/v2/items", {"page": "one"}, "page: value is not a valid integer"),
    "page 0": ("GET", "/v1/tasks", {"page": "0"}, "page: ensure this value is greater than or equal to 1"),
    "size": (
        "GET",
        "/v1/tasks",
        {"num_results_per_page": "101"},
        "num_results_per_page: ensure this value is less than or equal to 100",
    ),
    "both": ("GET", "/v2/items", {"page": "1", "offset": "0"}, "offset, page are mutually exclusive"),
}


@pytest.mark.parametrize("what", QUERIES)
def test_a_bad_query_is_refused_in_these_words(ingress: Ingress, what: str) -> None:
    method, path, query, message = QUERIES[what]
    body = None if method == "GET" else {"items": [ENTRY]}
    assert refused(ingress.send(method, path, body, **query), 400) == message


def test_several_problems_are_joined_the_first_ten(ingress: Ingress) -> None:
    answer = write(ingress, {"items": [{"id": str(i)} for i in range(12)]})
    assert refused(answer, 400) == "; ".join(f"items[{i}].name: field required" for i in range(10))
    assert len(answer.json["errors"]) == 12


# -- who asks --------------------------------------------------------------------------------------------------------


def test_without_a_key_that_is_said_first(ingress: Ingress) -> None:
    for query in ({"key": ""}, {"key": None}):
        answer = ingress.send("GET", "/v1/tasks", token="nobody's", **query)
        assert refused(answer, 400) == "key: field required"


@pytest.mark.parametrize("token", [TOKEN, "nobody's"])
@pytest.mark.parametrize("key", ["nokey", "no key", "x" * 101])
def test_of_a_bad_key_and_a_bad_token_the_key_is_told(ingress: Ingress, key: str, token: str) -> None:
    answer = ingress.send("GET", "/v1/tasks", key=key, token=token)
    assert refused(answer, 401) == UNKNOWN_KEY
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Sluice"'


@pytest.mark.parametrize("header", [basic("nobody's"), basic(""), "Bearer x", "Digest x", "x", ""])
def test_a_bad_token_is_told(ingress: Ingress, header: str) -> None:
    answer = ingress.send("GET", "/v1/tasks", headers={"Authorization": header})
    assert refused(answer, 401) == BAD_TOKEN
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Sluice"'


def test_a_good_token_that_may_not_is_told_what_it_lacks(ingress: Ingress) -> None:
    assert "'other'" in refused(ingress.send("GET", "/v1/tasks", key=OTHER), 403)
    assert "scope 'rw'" in refused(write(ingress, {"items": [ENTRY]}, token=READER_TOKEN), 403)
    assert ingress.send("GET", "/v1/tasks", token=READER_TOKEN).status_code == 200


# -- errors of other kinds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2/items/nothing", 404),
        ("GET", "/v1/tasks/17", 404),
        ("GET", "/v1/tasks/seven", 400),
        ("POST", "/v2/items", 405),
        ("DELETE", "/v1/tasks/1", 405),
    ],
)
def test_every_error_is_json_with_a_message(ingress: Ingress, method: str, path: str, status: int) -> None:
    refused(ingress.send(method, path), status)


def test_a_full_queue_is_told_and_when_to_come_back(ingress: Ingress, store_server: StoreServer) -> None:
    full = Ingress(ingress.rig.with_settings(queue_tasks=1), store_server.url)
    first = write(full, {"items": [ENTRY]})
    assert first.headers["X-RateLimit-Tasks-Remaining"] == "0"
    answer = write(full, {"items": [ENTRY]})
    refused(answer, 429)
    assert int(answer.headers["Retry-After"]) > 0


def test_a_store_that_is_away_is_told_and_when_to_come_back(ingress: Ingress) -> None:
    away = connect("unix:///nowhere/store.sock")
    ingress.app.extensions[EXTENSION] = replace(ingress.app.extensions[EXTENSION], client=away)
    answer = write(ingress, {"items": [ENTRY]})
    refused(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
