"""Files whose bad rows are left out, and files that are only tried."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.model import Kind
from tests.support.batches import items
from tests.support.files import MULTIPART, multipart
from tests.support.ingress import Ingress
from tests.support.key_checker import check_keys

ROWS = "id,item_name,metadata:n\na,A,1\nb,,2\nc,C,3\nd,D,4,5\n"


def test_bad_rows_are_left_out_and_named(ingress: Ingress) -> None:
    task_id = ingress.write("PATCH", "/v1/catalog", multipart({"items": ROWS}), headers=MULTIPART, on_invalid="SKIP")
    ingress.rig.drain()
    task = ingress.get(f"/v1/tasks/{task_id}")
    assert (task["status"], list(ingress.rig.bodies())) == ("DONE", ["a", "c"])
    assert task["result"]["changelog"]["sections"]["Products"]["items_updated"] == 2
    assert [(one["code"], one["message"]) for one in task["result"]["ingestion_warnings"]] == [
        ("INVALID_ENTRY", "items.csv, line 3, column 'item_name': field required"),
        ("INVALID_ENTRY", "items.csv, line 5: 4 cells, but the first line names 3 columns"),
    ]
    report = ingress.get(f"/v1/tasks/{task_id}/entries", outcome="failed")
    assert [(one["index"], one["id"]) for one in report["entries"]] == [(1, "b"), (3, None)]
    check_keys(ingress.rig.client)


def test_of_files_with_no_good_row_nothing_is_left_to_apply(ingress: Ingress) -> None:
    """Not even a sync, which would delete all there is."""
    ingress.rig.put(*items("there"))
    body = multipart({"items": "id,item_name\na,\n"})
    task_id = ingress.write("PUT", "/v1/catalog", body, headers=MULTIPART, on_invalid="SKIP")
    ingress.rig.drain()
    assert ingress.get(f"/v1/tasks/{task_id}")["status"] == "FAILED"
    assert list(ingress.rig.bodies()) == ["there"]


def test_more_bad_rows_than_anybody_reads_are_counted(ingress: Ingress) -> None:
    rows = "id,item_name\ngood,G\n" + "".join(f"i{i},\n" for i in range(12_000))
    task_id = ingress.write("PUT", "/v1/catalog", multipart({"items": rows}), headers=MULTIPART, on_invalid="SKIP")
    ingress.rig.drain()
    assert ingress.get(f"/v1/tasks/{task_id}")["status"] == "DONE"
    assert (
        ingress.get(f"/v1/tasks/{task_id}/entries", outcome="failed", num_results_per_page=1)["total_count"] == 12_000
    )


def tried(ingress: Ingress, method: str, files: dict[str, bytes | str], **query: Any) -> Any:
    before = ingress.rig.dump()
    answer = ingress.send(method, "/v1/catalog", multipart(files), headers=MULTIPART, dry_run=True, **query)
    assert answer.status_code == 200, answer.text
    assert ingress.rig.dump() == before
    return answer.json


def counted(file: dict[str, Any]) -> dict[str, int]:
    return {name: count for name, count in file.items() if count and name not in ("name", "rows")}


def test_a_dry_run_counts_what_would_become_of_all_and_stores_nothing(ingress: Ingress) -> None:
    """As the sync does it then."""
    ingress.rig.put({"id": "a", "name": "A", "data": {"n": "1"}}, {"id": "b", "name": "B"}, {"id": "gone", "name": "G"})
    ingress.rig.drain()
    files: dict[str, bytes | str] = {
        "items": "id,item_name,metadata:n\na,First,\nb,Other,\nnew,N,\na,A,1\n",
        "item_groups": "parent_id,id,name\n,g,G\n",
    }
    said = tried(ingress, "PUT", files)
    assert (said["entries_total"], said["entries_valid"], said["would_fail"]) == (5, 5, None)
    assert counted(said["files"]["items"]) == {"created": 1, "updated": 1, "unchanged": 1, "deleted": 1, "ignored": 1}
    assert counted(said["files"]["item_groups"]) == {"created": 1}
    task_id = ingress.write("PUT", "/v1/catalog", multipart(files), headers=MULTIPART)
    ingress.rig.drain()
    changelog = ingress.get(f"/v1/tasks/{task_id}")["result"]["changelog"]["sections"]["Products"]
    assert changelog["items_deleted"] == 1


def test_a_dry_run_of_a_patch(ingress: Ingress) -> None:
    ingress.rig.put({"id": "a", "name": "A", "data": {"n": "1"}}, {"id": "b", "name": "B"})
    ingress.rig.drain()
    rows = "id,metadata:n\na,1\nb,2\nnone,3\n"
    said = tried(ingress, "PATCH", {"items": rows}, patch_delta=True)
    assert counted(said["files"]["items"]) == {"unchanged": 1, "updated": 1, "failed": 1}
    assert said["would_fail"] == "1 items do not exist"
    said = tried(ingress, "PATCH", {"items": rows}, patch_delta=True, on_missing="IGNORE")
    assert (counted(said["files"]["items"]), said["would_fail"]) == ({"unchanged": 1, "updated": 1, "ignored": 1}, None)


def test_a_dry_run_finds_what_would_fail(ingress: Ingress) -> None:
    said = tried(ingress, "PUT", {"items": ROWS})
    assert said["would_fail"].startswith("items.csv, line 3, column 'item_name': field required; ")
    assert [error["loc"] for error in said["errors"]] == ["items.csv, line 3, column 'item_name'", "items.csv, line 5"]
    assert counted(said["files"]["items"]) == {"created": 2, "failed": 2}


@pytest.mark.parametrize("kind", list(Kind))
def test_a_dry_run_knows_the_safeguard_and_lists_of_ids(ingress: Ingress, kind: Kind) -> None:
    made = [{"id": f"e{i}", "name": "E", **({"item_id": "x"} if kind is Kind.VARIATIONS else {})} for i in range(120)]
    ingress.rig.put(*made, kind=kind)
    ingress.rig.drain()
    text = "\n".join(map(json.dumps, made[:59]))
    said = tried(ingress, "PUT", {kind: text}, format="jsonl", mode="ids")
    assert said["would_fail"] == f"61 of the 120 {kind.many} would be deleted; send force=true if that is meant"
    assert counted(said["files"][kind]) == {"unchanged": 59, "deleted": 61}
    assert tried(ingress, "PUT", {kind: text}, format="jsonl", force=True)["would_fail"] is None
