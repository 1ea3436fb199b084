"""A write may send its entries one a line."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import zstandard

from tests.support.batches import items, named
from tests.support.ingress import Ingress

NDJSON = {"Content-Type": "application/x-ndjson"}


def lines_of(entries: list[Any]) -> bytes:
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)


def refusal(ingress: Ingress, body: bytes) -> str:
    answer = ingress.send("PUT", "/v2/items", body, headers=NDJSON)
    assert answer.status_code == 400, answer.text
    return str(answer.json["message"])


def test_every_write_takes_lines(ingress: Ingress) -> None:
    ingress.write("PUT", "/v2/items", lines_of(items("a", "b")), headers=NDJSON)
    ingress.write("PUT", "/v2/variations", lines_of([{"id": "v", "item_id": "a"}]), headers=NDJSON)
    ingress.write("PUT", "/v2/item_groups", lines_of([{"id": "g", "name": "G"}]), headers=NDJSON)
    ingress.write("PATCH", "/v2/items", lines_of([{"id": "a", "name": "new"}]), headers=NDJSON)
    ingress.write("DELETE", "/v2/items", lines_of(named("b")), headers=NDJSON)
    ingress.rig.drain()
    assert {task["status"] for task in ingress.get("/v1/tasks")["tasks"]} == {"DONE"}
    assert {name: json.loads(body)["name"] for name, body in ingress.rig.bodies().items()} == {"a": "new"}


@pytest.mark.parametrize(
    "media_type", ["application/x-ndjson; charset=utf-8", "application/ndjson", "application/jsonl"]
)
def test_by_whatever_name_the_form_is_called(ingress: Ingress, media_type: str) -> None:
    assert ingress.write("PUT", "/v2/items", lines_of(items("a")), headers={"Content-Type": media_type}) == 1


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_lines_may_be_compressed(ingress: Ingress, encoding: str) -> None:
    body = lines_of(items("a", "b"))
    sent = gzip.compress(body) if encoding == "gzip" else zstandard.compress(body)
    ingress.write("PUT", "/v2/items", sent, headers={**NDJSON, "Content-Encoding": encoding})
    assert ingress.send("GET", "/v1/tasks/1/payload").data == body


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":"a","name":"A"}\n{"id":"b","name":"B"}',
        b'{"id":"a","name":"A"}\r\n{"id":"b","name":"B"}\r\n',
        b'\n\n  {"id":"a","name":"A"} \t\n\r\n \n{"id":"b","name":"B"}\n\n',
    ],
)
def test_blanks_and_line_ends_of_any_kind_are_kept_and_mean_nothing(ingress: Ingress, body: bytes) -> None:
    ingress.write("PUT", "/v2/items", body, headers=NDJSON)
    ingress.rig.drain()
    assert ingress.rig.bodies() == {"a": b'{"id":"a","name":"A"}', "b": b'{"id":"b","name":"B"}'}
    payload = ingress.send("GET", "/v1/tasks/1/payload")
    assert payload.data == body
    assert payload.headers["Content-Type"].startswith("application/x-ndjson")
    assert payload.headers["Content-Disposition"] == "attachment; filename=acme-task-1.ndjson"


def test_a_big_body_is_cut_at_its_lines(ingress: Ingress) -> None:
    sent = items(*map(str, range(2500)))
    ingress.write("PUT", "/v2/items", lines_of(sent), headers=NDJSON)
    ingress.rig.drain()
    assert ingress.rig.task(1).batch.chunks == 3
    assert len(ingress.rig.bodies()) == 2500
    assert ingress.send("GET", "/v1/tasks/1/payload").data == lines_of(sent)


def test_what_is_wrong_has_its_index_and_its_line(ingress: Ingress) -> None:
    body = b'{"id":"a","name":"A"}\n\n{"id":"b"}\n{"id":"c",\n17\n\xff\n' + b"[" * 5000
    assert refusal(ingress, body) == (
        "items[1].name: field required (line 3); "
        "items[2]: not valid JSON: input data was truncated (line 4); "
        "items[3]: value is not a valid dict (line 5); "
        "items[4]: not valid UTF-8 (byte 0) (line 6); "
        "items[5]: ensure this value is nested at most 64 levels deep (line 7)"
    )


def test_two_objects_in_a_line_are_no_entry(ingress: Ingress) -> None:
    assert refusal(ingress, b'{"id":"a","name":"A"} {"id":"b","name":"B"}').startswith("items[0]: not valid JSON: ")


@pytest.mark.parametrize("body", [b"", b"\n", b" \r\n\t\n"])
def test_no_entries_are_too_few(ingress: Ingress, body: bytes) -> None:
    assert refusal(ingress, body) == "items: ensure this value has at least 1 items"


def test_too_many_entries_are_refused(ingress: Ingress) -> None:
    assert refusal(ingress, b"1\n" * 10_001) == "items: ensure this value has at most 10000 items"
    assert ingress.write("PUT", "/v2/items", lines_of(items(*map(str, range(10_000)))), headers=NDJSON) == 1


def test_a_broken_line_may_be_skipped_like_any_entry(ingress: Ingress) -> None:
    body = b'{"id":"a","name":"A"}\n{"id":"b",\n{"id":"c","name":"C"}\n'
    ingress.write("PUT", "/v2/items", body, headers=NDJSON, on_invalid="SKIP")
    ingress.rig.drain()
    assert list(ingress.rig.bodies()) == ["a", "c"]
    [warning] = ingress.get("/v1/tasks/1")["result"]["ingestion_warnings"]
    assert warning == {
        "code": "INVALID_ENTRY",
        "message": "items[1]: not valid JSON: input data was truncated (line 2)",
        "data": {"id": None, "index": 1},
    }
    assert ingress.send("GET", "/v1/tasks/1/payload").data == body


def test_a_dry_run_takes_lines_too(ingress: Ingress) -> None:
    answer = ingress.send("PUT", "/v2/items", b'{"id":"a","name":"A"}\n{}', headers=NDJSON, dry_run="true")
    assert (answer.json["entries_total"], answer.json["entries_valid"]) == (2, 1)
    assert answer.json["errors"][0] == {"loc": "items[1].id", "msg": "field required (line 2)"}


def test_another_type_is_told_what_is_read_here(ingress: Ingress) -> None:
    refused = ingress.send("PUT", "/v2/items", b"id,name", headers={"Content-Type": "text/csv"})
    assert refused.status_code == 415
    assert refused.json["message"] == (
        "Content-Type 'text/csv' is not supported here; send application/json or application/x-ndjson."
    )
    refused = ingress.send("PATCH", "/v1/tasks", b"{}", headers=NDJSON)
    assert refused.status_code == 415
