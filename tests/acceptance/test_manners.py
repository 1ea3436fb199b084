"""Habits of clients are understood: their encodings, spellings and headers."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import re
from urllib.parse import urlsplit

import pytest
import zstandard

from tests.acceptance.customer import Customer
from tests.acceptance.site import Site

BODY = b'{"items": [{"id": "a", "name": "A", "data": {}}]}'


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "identity", "GZIP", "x-gzip"])
def test_a_body_may_come_compressed(encoding: str, customer: Customer) -> None:
    compress = {"gzip": gzip.compress, "zstd": zstandard.compress, "identity": bytes}[
        encoding.lower().removeprefix("x-")
    ]
    answer = customer.call("PUT", "/v2/items", body=compress(BODY), headers={"Content-Encoding": encoding})
    customer.done(answer.ok()["task_id"])
    assert customer.entries() == [("a", b'{"id": "a", "name": "A", "data": {}}')]


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_body_may_come_in_chunks(compress: type[bytes], customer: Customer) -> None:
    body = compress(BODY)
    headers = {} if body == BODY else {"Content-Encoding": "gzip"}
    pieces = (body[i : i + 7] for i in range(0, len(body), 7))
    customer.done(customer.call("PUT", "/v2/items", body=pieces, headers=headers).ok()["task_id"])
    assert customer.entries() == [("a", b'{"id": "a", "name": "A", "data": {}}')]


@pytest.mark.parametrize("content_type", ["", "application/json", "application/json; charset=utf-8", "text/json"])
def test_json_is_taken_however_it_is_called(content_type: str, customer: Customer) -> None:
    customer.call("PUT", "/v2/items", body=BODY, headers={"Content-Type": content_type}).ok()


@pytest.mark.parametrize(
    ("spelling", "forced"), [("True", True), ("true", True), ("1", True), ("False", False), ("false", False)]
)
def test_force_is_understood_as_the_clients_write_it(spelling: str, forced: bool, customer: Customer) -> None:
    items = [{"id": f"{i:03}", "name": "A"} for i in range(100)]
    customer.put(*items)
    gone = customer.wait_for(customer.delete(*({"id": item["id"]} for item in items), force=spelling))
    assert gone["status"] == ("DONE" if forced else "FAILED")
    customer.check_laws()


def test_a_task_is_found_with_its_slash_encoded(customer: Customer) -> None:
    task_id = customer.put({"id": "a", "name": "A"})
    customer.done(task_id)
    assert customer.call("GET", f"/v1/tasks%2F{task_id}").ok() == customer.task(task_id)


def test_parameters_nobody_knows_are_ignored_and_one_may_be_sent_twice(customer: Customer) -> None:
    strange = {"c": "ciojs-1", "_dt": 1, "i": "x", "s": 1, "ui": "u", "us": ["a", "b"], "ключ": "é"}
    task_id = customer.call("PUT", "/v2/items", body=BODY, section=["One", "One"], **strange).ok()["task_id"]
    assert list(customer.done(task_id)["result"]["changelog"]["sections"]) == ["One"]
    assert customer.task(task_id)["submitted_by"]["client"] == "ciojs-1"


def test_repeated_parameters_make_a_list(customer: Customer) -> None:
    customer.done(customer.put(*({"id": id_, "name": "A"} for id_ in "abcd")))
    found = customer.call("GET", "/v2/items", id=["c", "a", "x", "a"]).ok()
    assert ([item["id"] for item in found["items"]], found["total_count"]) == (["a", "c"], 2)
    assert customer.task_list(status=["DONE", "FAILED"], type=["ingestion", "catalog_export"])["total_count"] == 1


def test_a_list_may_name_a_thousand_long_ids(customer: Customer) -> None:
    ids = [f"{i:04}" + "é" * 120 for i in range(1000)]
    customer.done(customer.put(*({"id": id_, "name": "A"} for id_ in ids)))
    found = customer.call("GET", "/v2/items", id=ids, num_results_per_page=1000).ok()
    assert [item["id"] for item in found["items"]] == ids


@pytest.mark.parametrize("path", ["/v2/items", "/v1/tasks", "/health/live", "/nowhere"])
def test_a_request_id_is_given_back_or_made(path: str, customer: Customer) -> None:
    assert customer.call("GET", path, headers={"X-Request-Id": "my-id/7"}).headers["X-Request-Id"] == "my-id/7"
    made = {customer.call("GET", path).headers["X-Request-Id"] for _ in range(3)}
    assert len(made) == 3
    strange = customer.call("GET", path, headers={"X-Request-Id": "two words"}).headers["X-Request-Id"]
    assert re.fullmatch("[0-9a-f]{16}", strange)


def test_a_connection_goes_on_after_a_refusal_although_its_body_was_not_read(customer: Customer) -> None:
    connection = http.client.HTTPConnection(urlsplit(customer.url).netloc, timeout=30)
    with contextlib.closing(connection):
        own = {"Authorization": customer.authorization}
        statuses = []
        for content_type in ("text/csv", "application/json", "text/csv", "application/json"):
            body = BODY + b" " * 1_000_000
            connection.request(
                "PUT", f"/v2/items?key={customer.catalog_key}", body, own | {"Content-Type": content_type}
            )
            local = connection.sock.getsockname()
            answer = connection.getresponse()
            answer.read()
            statuses.append((answer.status, local))
    assert statuses == [(415, local), (200, local)] * 2


def test_health_and_version_need_no_token(site: Site) -> None:
    assert site.get("/health/live").ok() == {"status": "ok"}
    assert site.get("/health/ready").ok() == {"status": "ok", "store": "ok", "broker": "ok", "workers": 1}
    version = site.get("/version").ok()
    assert version["name"] == "sluice"
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", version["version"])


def test_a_write_answers_with_its_task_and_the_room_that_is_left(customer: Customer) -> None:
    answer = customer.send("PUT", [{"id": "a", "name": "A"}])
    task_id = answer.ok()["task_id"]
    assert task_id > 0
    assert answer.ok() == {"task_id": task_id, "task_status_path": f"/v1/tasks/{task_id}?key={customer.catalog_key}"}
    assert 0 <= int(answer.headers["X-RateLimit-Tasks-Remaining"]) < 1000
