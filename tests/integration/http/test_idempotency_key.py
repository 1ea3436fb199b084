"""A write that is sent again under its Idempotency-Key is not done again."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from werkzeug.test import TestResponse

from shared.idempotency import IDEMPOTENCY_TTL_MS
from tests.support.ingress import Ingress
from tests.support.rig import ACME
from tests.support.store_server import StoreServer

BODY = {"items": [{"id": "a", "name": "Item a"}]}


def put(ingress: Ingress, body: Any = BODY, *, name: str = "once", **how: Any) -> TestResponse:
    return ingress.send("PUT", how.pop("path", "/v2/items"), body, headers={"Idempotency-Key": name}, **how)


def tasks(ingress: Ingress) -> int:
    return ingress.get("/v1/tasks")["total_count"]


def test_a_repeat_is_answered_with_the_first_task(ingress: Ingress) -> None:
    first, second = put(ingress), put(ingress)
    assert first.json == second.json == {"task_id": 1, "task_status_path": "/v1/tasks/1?key=acme"}
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert tasks(ingress) == 1


def test_without_a_key_each_request_is_a_task(ingress: Ingress) -> None:
    assert [ingress.write("PUT", "/v2/items", BODY) for _ in range(2)] == [1, 2]


@pytest.mark.parametrize(
    "other",
    [
        {"body": {"items": [{"id": "b", "name": "Item b"}]}},
        {"section": "Content"},
        {"force": "true"},
        {"notification_email": "a@example.com"},
    ],
)
def test_the_key_of_another_request_is_refused(ingress: Ingress, other: dict[str, Any]) -> None:
    put(ingress)
    refused = put(ingress, **other)
    assert refused.status_code == 409
    assert refused.json == {"message": "This Idempotency-Key was used for another request."}
    assert tasks(ingress) == 1


def test_on_missing_is_part_of_what_is_asked(ingress: Ingress) -> None:
    headers = {"Idempotency-Key": "once"}
    assert ingress.send("PATCH", "/v2/items", BODY, headers=headers).status_code == 200
    assert ingress.send("PATCH", "/v2/items", BODY, headers=headers, on_missing="FAIL").status_code == 200
    assert ingress.send("PATCH", "/v2/items", BODY, headers=headers, on_missing="IGNORE").status_code == 409


def test_how_it_is_sent_is_no_part_of_it(ingress: Ingress) -> None:
    put(ingress)
    headers = {"Idempotency-Key": "once", "Content-Encoding": "gzip"}
    body = gzip.compress(json.dumps(BODY).encode())
    again = ingress.send("PUT", "/v2/items", body, headers=headers, force="False", c="a-client", _dt="17")
    assert again.json == {"task_id": 1, "task_status_path": "/v1/tasks/1?key=acme"}


def test_a_key_belongs_to_method_path_and_catalog(ingress: Ingress) -> None:
    put(ingress)
    headers = {"Idempotency-Key": "once"}
    variations = {"variations": [{"id": "a", "item_id": "b"}]}
    answers = [
        ingress.send("PATCH", "/v2/items", BODY, headers=headers),
        ingress.send("PUT", "/v2/variations", variations, headers=headers),
        ingress.send("PUT", "/v2/items", BODY, headers=headers, key="other", token="tok-other"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [answer.json["task_id"] for answer in answers] == [2, 3, 1]


def test_a_repeat_gets_its_answer_while_the_queue_is_full(ingress: Ingress, store_server: StoreServer) -> None:
    full = Ingress(ingress.rig.with_settings(queue_tasks=1), store_server.url)
    put(full)
    assert full.send("PUT", "/v2/items", BODY).status_code == 429
    assert put(full).json["task_id"] == 1
    assert put(full, force="true").status_code == 409


def test_a_repeat_gets_its_answer_after_the_task_has_ended(ingress: Ingress) -> None:
    put(ingress)
    ingress.rig.drain()
    assert put(ingress).json["task_id"] == 1


def test_repeats_at_once_are_one_task(ingress: Ingress) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: put(ingress), range(24)))
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json["task_id"] for answer in answers} == {1}
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert tasks(ingress) == 1


def test_a_refused_request_leaves_its_key_free(ingress: Ingress) -> None:
    assert put(ingress, {"items": []}).status_code == 400
    assert put(ingress).status_code == 200


def test_a_key_is_remembered_for_a_day(ingress: Ingress) -> None:
    put(ingress)
    [found] = ingress.rig.client.scan_iter(match=f"sluice:{{{ACME}}}:idempotency:*")
    assert 0 <= IDEMPOTENCY_TTL_MS - ingress.rig.client.pttl(found) < 60_000
    assert IDEMPOTENCY_TTL_MS == 24 * 3600 * 1000


@pytest.mark.parametrize("name", ["", "x" * 256, "two words", "tab\t", "é"])
def test_a_key_that_is_none_is_refused(ingress: Ingress, name: str) -> None:
    refused = put(ingress, name=name)
    assert refused.status_code == 400
    assert refused.json["message"] == "Idempotency-Key: a key has 1 to 255 visible ASCII characters"
    assert tasks(ingress) == 0


@pytest.mark.parametrize("name", ["x", "x" * 255, '"8e03978e-40d5-43e8-bc93-6894a57f9324"', "~!"])
def test_a_key_may_be_any_visible_characters(ingress: Ingress, name: str) -> None:
    assert put(ingress, name=name).json == put(ingress, name=name).json
