"""With on_invalid=SKIP the valid entries go ahead, and the others are named in the task."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.batches import items, named
from tests.support.ingress import Ingress
from tests.support.rig import Rig

SENT: list[Any] = [*items("a"), {"id": "b"}, 17, {"id": "c", "name": "C", "price": 1}, *items("d")]
REASONS = [
    "items[1].name: field required",
    "items[2]: value is not a valid dict",
    "items[3].price: extra fields not permitted",
]


def send(ingress: Ingress, entries: list[Any] = SENT, *, method: str = "PUT", kind: str = "items", **query: Any) -> Any:
    """Send a write, apply it, and return its task."""
    task_id = ingress.write(method, f"/v2/{kind}", {kind: entries}, on_invalid="SKIP", **query)
    ingress.rig.drain()
    return ingress.get(f"/v1/tasks/{task_id}")


def outcomes(ingress: Ingress, task_id: int = 1) -> list[tuple[Any, Any]]:
    report = ingress.get(f"/v1/tasks/{task_id}/entries", num_results_per_page="1000")
    return [(line["id"], line["outcome"]) for line in report["entries"]]


def test_the_valid_entries_go_ahead(ingress: Ingress) -> None:
    task = send(ingress)
    assert task["status"] == "DONE"
    assert task["result"]["changelog"]["sections"]["Products"]["items_updated"] == 2
    assert task["progress"] == {"entries_total": 5, "entries_applied": 5}
    assert list(ingress.rig.bodies()) == ["a", "d"]


def test_the_refused_ones_are_named_in_the_task(ingress: Ingress) -> None:
    warnings = send(ingress)["result"]["ingestion_warnings"]
    assert warnings == [
        {"code": "INVALID_ENTRY", "message": REASONS[0], "data": {"id": "b", "index": 1}},
        {"code": "INVALID_ENTRY", "message": REASONS[1], "data": {"id": None, "index": 2}},
        {"code": "INVALID_ENTRY", "message": REASONS[2], "data": {"id": "c", "index": 3}},
    ]


def test_the_report_has_them_as_failed(ingress: Ingress) -> None:
    send(ingress)
    assert outcomes(ingress) == [("a", "created"), ("b", "failed"), (None, "failed"), ("c", "failed"), ("d", "created")]
    failed = ingress.get("/v1/tasks/1/entries", outcome="failed")
    assert [line["reason"] for line in failed["entries"]] == REASONS


def test_the_payload_stays_what_was_sent(ingress: Ingress) -> None:
    body = json.dumps({"items": SENT}, indent=2).encode()
    ingress.write("PUT", "/v2/items", body, on_invalid="SKIP")
    assert ingress.send("GET", "/v1/tasks/1/payload").data == body


def test_without_it_the_whole_request_is_refused(ingress: Ingress) -> None:
    for query in ({}, {"on_invalid": "REJECT"}):
        refused = ingress.send("PUT", "/v2/items", {"items": SENT}, **query)
        assert (refused.status_code, refused.json["message"]) == (400, "; ".join(REASONS))
    assert ingress.get("/v1/tasks")["total_count"] == 0


def test_if_none_is_valid_the_request_is_refused(ingress: Ingress) -> None:
    refused = ingress.send("PUT", "/v2/items", {"items": SENT[1:4]}, on_invalid="SKIP")
    assert refused.status_code == 400
    assert len(refused.json["errors"]) == 3
    assert ingress.get("/v1/tasks")["total_count"] == 0


def test_what_is_valid_changes_nothing(ingress: Ingress) -> None:
    task = send(ingress, items("a"))
    assert task["result"]["ingestion_warnings"] == []


def test_a_refused_entry_replaces_no_other_of_its_id(ingress: Ingress) -> None:
    """The last of several with one id wins, of those that are valid."""
    task = send(ingress, [{"id": "a", "name": "first"}, {"id": "a", "name": "second"}, {"id": "a", "name": ""}])
    assert json.loads(ingress.rig.bodies()["a"])["name"] == "second"
    assert [warning["code"] for warning in task["result"]["ingestion_warnings"]] == ["INVALID_ENTRY", "DUPLICATE_ITEM"]
    assert outcomes(ingress) == [("a", "ignored"), ("a", "created"), ("a", "failed")]


def test_a_patch_skips_too(ingress: Ingress) -> None:
    send(ingress, items("a"))
    task = send(ingress, [{"id": "a", "name": "new"}, {"id": "a" * 251}], method="PATCH")
    assert task["result"]["changelog"]["sections"]["Products"]["items_updated"] == 1
    assert outcomes(ingress, 2) == [("a", "updated"), ("a" * 250, "failed")]


@pytest.mark.parametrize("kind", ["items", "variations", "item_groups"])
def test_a_delete_skips_too(ingress: Ingress, kind: str) -> None:
    put: list[Any] = [{"id": name, "name": name, **({"item_id": "i"} if kind == "variations" else {})} for name in "ab"]
    send(ingress, put, kind=kind)
    task = send(ingress, [*named("a"), {"id": ""}, {"name": "b"}, *named("c")], method="DELETE", kind=kind)
    assert [warning["data"] for warning in task["result"]["ingestion_warnings"]] == [
        {"id": "", "index": 1},
        {"id": None, "index": 2},
    ]
    assert outcomes(ingress, 2) == [("a", "deleted"), ("", "failed"), (None, "failed"), ("c", "ignored")]


def test_variations_skip_with_their_parents(ingress: Ingress) -> None:
    send(ingress, items("i"))
    sent: list[Any] = [{"id": "v", "item_id": "i"}, {"id": "w", "item_id": ""}, {"id": "x", "item_id": "i"}]
    task = send(ingress, sent, kind="variations")
    assert [warning["code"] for warning in task["result"]["ingestion_warnings"]] == ["INVALID_ENTRY"]
    assert list(ingress.rig.catalog().variation_ids("Products", "i")) == ["v", "x"]


def test_skipped_entries_of_all_chunks_are_found(ingress: Ingress) -> None:
    """Indexes are those of the batch; of each chunk a hundred are named, the report has all."""
    sent: list[Any] = [{"id": str(i), "name": "x" if i % 2 else ""} for i in range(2500)]
    task = send(ingress, sent)
    warnings = task["result"]["ingestion_warnings"]
    assert [warning["data"]["index"] for warning in warnings[98:102]] == [196, 198, 1000, 1002]
    assert len(warnings) == 300
    assert task["result"]["changelog"]["sections"]["Products"]["items_updated"] == 1250
    failed = ingress.get("/v1/tasks/1/entries", outcome="failed", num_results_per_page="1000", page="2")
    assert failed["total_count"] == 1250
    assert failed["entries"][-1]["index"] == 2498
    assert failed["entries"][-1]["reason"] == "items[2498].name: ensure this value has at least 1 characters"


@pytest.mark.parametrize("count", [2, 2001])
def test_a_task_that_fails_blames_the_skipped_too(ingress: Ingress, count: int) -> None:
    sent: list[Any] = [{"id": "missing"}, *({"id": ""} for _ in range(count - 1))]
    task = send(ingress, sent, method="PATCH")
    assert (task["status"], task["error"]["message"]) == ("FAILED", "IngestionError: items not found: 'missing'")
    report = ingress.get("/v1/tasks/1/entries", offset=str(count - 2))
    assert report["outcome_counts"]["failed"] == count
    wrong = f"items[{count - 1}].id: ensure this value has at least 1 characters"
    assert report["entries"][-1] == {"index": count - 1, "id": "", "outcome": "failed", "reason": wrong}


def test_a_rerun_skips_again(rig: Rig, ingress: Ingress) -> None:
    send(ingress)
    ingress.send("PATCH", "/v1/tasks/1", {"status": "QUEUED"})
    rig.drain()
    assert [outcome for _, outcome in outcomes(ingress, 2)] == ["unchanged", "failed", "failed", "failed", "unchanged"]


def test_what_is_said_of_an_entry_is_bounded(ingress: Ingress) -> None:
    task = send(ingress, [{"id": "x" * 100_000, "name": "x", **{f"{i}" * 50: 0 for i in range(1000)}}, *items("a")])
    [warning] = task["result"]["ingestion_warnings"]
    assert len(warning["message"]) == 500
    assert len(warning["data"]["id"]) == 250


def test_on_invalid_must_be_one_of_two(ingress: Ingress) -> None:
    refused = ingress.send("PUT", "/v2/items", {"items": items("a")}, on_invalid="IGNORE")
    assert refused.json["message"] == (
        "on_invalid: value is not a valid enumeration member; permitted: 'REJECT', 'SKIP'"
    )


def test_it_is_part_of_what_an_idempotency_key_names(ingress: Ingress) -> None:
    headers = {"Idempotency-Key": "once"}
    assert ingress.write("PUT", "/v2/items", {"items": SENT}, on_invalid="SKIP", headers=headers) == 1
    assert ingress.write("PUT", "/v2/items", {"items": SENT}, on_invalid="SKIP", headers=headers) == 1
    assert ingress.send("PUT", "/v2/items", {"items": items("a")}, headers=headers).status_code == 409
