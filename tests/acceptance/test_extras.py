"""Additions to the public contract, over real HTTP and with real workers."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.acceptance.customer import Customer, send_request
from tests.acceptance.site import Site


def put(customer: Customer, body: bytes, *, headers: dict[str, str] | None = None, **query: Any) -> Any:
    return customer.call("PUT", "/v2/items", body=body, headers=headers, **query).ok()


def body_of(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"items": entries}, indent=1).encode()


def test_a_write_sent_eight_times_at_once_under_one_key_is_one_task(customer: Customer) -> None:
    body, headers = body_of({"id": "a", "name": "A"}), {"Idempotency-Key": "once"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: put(customer, body, headers=headers, wait=20), range(8)))
    assert {answer["task_id"] for answer in answers} == {1}
    assert customer.task_list()["total_count"] == 1


def test_a_waited_write_is_answered_once_it_can_be_read(customer: Customer) -> None:
    answer = put(customer, body_of({"id": "a", "name": "A"}), wait=20)
    assert answer["task"]["status"] == "DONE"
    assert [entry_id for entry_id, _ in customer.entries()] == ["a"]


def test_every_entry_of_a_big_batch_is_told_of_and_the_payload_comes_back_whole(customer: Customer) -> None:
    entries: list[dict[str, Any]] = [{"id": f"{i:04}", "name": "x" * (i % 300)} for i in range(5000)]
    body = body_of(*entries)
    task = put(customer, body, on_invalid="SKIP", wait=20)["task"]
    assert task["status"] == "DONE"
    report = customer.call("GET", f"/v1/tasks/{task['id']}/entries", outcome="failed", num_results_per_page=1000).ok()
    empty = [i for i, entry in enumerate(entries) if not entry["name"]]
    too_long = [i for i, entry in enumerate(entries) if len(entry["name"]) > 250]
    assert [line["index"] for line in report["entries"]] == sorted(empty + too_long)
    payload = customer.call("GET", f"/v1/tasks/{task['id']}/payload")
    assert (payload.status, payload.body) == (200, body)


def test_lines_are_applied_like_any_other_batch(customer: Customer) -> None:
    lines = b"".join(b'{"id": "%d", "name": "A"}\n' % i for i in range(10))
    answer = put(customer, lines, headers={"Content-Type": "application/x-ndjson"}, wait=20)
    assert answer["task"]["status"] == "DONE"
    assert [entry_id for entry_id, _ in customer.entries()] == [str(i) for i in range(10)]


def test_a_dry_run_leaves_nothing(customer: Customer) -> None:
    assert put(customer, body_of({"id": "a"}), dry_run="true")["entries_valid"] == 0
    assert customer.task_list()["total_count"] == 0


def test_the_document_and_its_page_are_there_without_a_token(site: Site) -> None:
    document = send_request(site.url, "GET", "/openapi.json", headers={}).ok()
    assert document["openapi"] == "3.1.0"
    page = send_request(site.url, "GET", "/docs", headers={})
    assert (page.status, page.headers.get_content_type()) == (200, "text/html")
    assert b"</html>" in page.body
