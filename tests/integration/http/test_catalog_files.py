"""Catalogue files over HTTP: a sync replaces, a delta changes, all of it or nothing."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from api.files.upload import FileUpload
from api.services import EXTENSION
from shared.files.file_format import FileFormat
from shared.model import TERMINAL, Batch, Kind, OnMissing, Operation, Status
from shared.origin import Origin, Submitter
from shared.tasks.entry_history import History, Touch
from tests.support.batches import items, variations
from tests.support.files import MULTIPART, archive, multipart
from tests.support.ingress import Ingress
from tests.support.key_checker import check_keys


def send(ingress: Ingress, method: str, files: Any, **query: Any) -> Any:
    body = files if isinstance(files, bytes) else multipart(files)
    return ingress.send(method, "/v1/catalog", body, headers=MULTIPART, **query)


def upload(ingress: Ingress, method: str, files: Any, **query: Any) -> int:
    answer = send(ingress, method, files, **query)
    assert answer.status_code == 200, answer.text
    return int(answer.json["task_id"])


def ids(ingress: Ingress, kind: str = "items", **query: Any) -> list[str]:
    return [entry["id"] for entry in ingress.get(f"/v2/{kind}", **query)[kind]]


def test_a_sync_replaces_items_and_keeps_variations(ingress: Ingress) -> None:
    rig = ingress.rig
    rig.put(*items("old", "both"))
    upload(ingress, "PATCH", {"variations": "variation_id,item_id\nv,both\n"})
    task_id = upload(ingress, "PUT", {"items": "id,item_name,facet:Color\nboth,Both,red|blue\nnew,Näme,\n"})
    rig.put(*items("after"))
    rig.drain()
    assert ids(ingress) == ["after", "both", "new"]
    assert ids(ingress, "variations", item_id="both") == ["v"]
    assert ingress.get("/v2/items/both")["data"] == {"facets": {"Color": ["red", "blue"]}}
    task = ingress.get(f"/v1/tasks/{task_id}")
    assert task["result"]["changelog"] == {"sections": {"Products": {"items_updated": 2, "items_deleted": 1}}}
    assert task["filename"].startswith("acme_Products_sync_")
    check_keys(rig.client)


GROUPS = 'parent_id,id,name,data\n,All,All,\nAll,Sale,Säle,"{""a"": 1.50}"\n'


def test_all_three_kinds_in_one_archive_are_one_task(ingress: Ingress) -> None:
    """As the clients send it: one part, whose name is the file's."""
    files = {
        "items.csv": "id,item_name,keywords,active,suggested_score,metadata:json:n\na,A,x|y,TRUE,1337.0,[1.50]\n",
        "variations.csv": "variation_id,item_id,item_name\na-1,a,\nlost,nobody,\n",
        "item_groups.csv": GROUPS,
    }
    name = "acme_Products_sync_2026-01-01-00-00-00.tar.gz"
    task_id = upload(ingress, "PUT", multipart([(name, name, archive(files))]))
    ingress.rig.drain()
    task = ingress.get(f"/v1/tasks/{task_id}")
    assert task["result"]["changelog"] == {
        "sections": {
            "Products": {"items_updated": 1, "items_deleted": 0, "variations_updated": 2, "variations_deleted": 0}
        },
        "item_groups_updated": 2,
        "item_groups_deleted": 0,
    }
    [warning] = task["result"]["ingestion_warnings"]
    assert (warning["code"], warning["data"]) == ("ORPHAN_VARIATION", {"id": "lost"})
    rows = {"items.csv": 1, "variations.csv": 2, "item_groups.csv": 2}
    assert task["files"] == {
        file.split(".")[0]: {"rows": count, "name": f"{name}/{file}"} for file, count in rows.items()
    }
    assert ingress.rig.bodies()["a"] == (
        b'{"id":"a","name":"A","suggested_score":1337.0,"data":{"keywords":["x","y"],"active":true,"n":[1.50]}}'
    )
    assert ids(ingress, "variations", item_id="a") == ["a-1"]
    tree = ingress.get("/v1/item_groups")["item_groups"]
    assert [child["id"] for child in tree[0]["children"]] == ["Sale"]


def test_a_sync_of_item_groups_alone_replaces_them(ingress: Ingress) -> None:
    rig = ingress.rig
    rig.put({"id": "gone", "name": "G"}, {"id": "All", "name": "Before"}, kind=Kind.ITEM_GROUPS)
    rig.put(*items("a"))
    upload(ingress, "PUT", {"item_groups": GROUPS})
    rig.put({"id": "later", "name": "L"}, kind=Kind.ITEM_GROUPS)
    rig.drain()
    assert ids(ingress, "item_groups") == ["All", "Sale", "later"]
    assert ids(ingress) == ["a"]


def test_a_delta_replaces_entries_whole_and_leaves_the_others(ingress: Ingress) -> None:
    ingress.rig.put(*items("a", "b", data={"x": 1}))
    upload(ingress, "PATCH", {"items": '{"id": "b", "name": "B"}\n\n{"id": "c", "name": "C"}'}, format="jsonl")
    ingress.rig.drain()
    assert ids(ingress) == ["a", "b", "c"]
    assert ingress.rig.bodies()["b"] == b'{"id": "b", "name": "B"}'


def test_a_patch_delta_changes_only_what_is_given(ingress: Ingress) -> None:
    ingress.rig.put(*items("a", data={"x": "1", "y": "2"}))
    rows = "id,item_name,metadata:y,metadata:z\na,,,3\nb,B,,\n"
    failing = upload(ingress, "PATCH", {"items": rows}, patch_delta=True)
    ignoring = upload(ingress, "PATCH", {"items": rows}, patch_delta="True", on_missing="IGNORE")
    ingress.rig.drain()
    error = ingress.get(f"/v1/tasks/{failing}")["error"]["message"]
    assert error == "IngestionError: items not found: 'b'"
    assert ingress.get("/v2/items")["items"][0]["data"] == {"x": "1", "y": "2", "z": "3"}
    assert ids(ingress) == ["a"]
    assert "_patchdeltaignore_" in ingress.get(f"/v1/tasks/{ignoring}")["filename"]
    creating = upload(ingress, "PATCH", {"items": "id,item_name\na,A\nb,B\n"}, patch_delta=1, on_missing="CREATE")
    nameless = upload(ingress, "PATCH", {"items": "id\nc\n"}, patch_delta=1, on_missing="CREATE")
    ingress.rig.drain()
    error = ingress.get(f"/v1/tasks/{nameless}")["error"]["message"]
    assert error == "IngestionError: item 'c': it is not there, and cannot be created without 'name'"
    assert ids(ingress) == ["a", "b"]
    assert ingress.get(f"/v1/tasks/{creating}")["status"] == "DONE"


@pytest.mark.parametrize("on_missing", OnMissing)
@pytest.mark.parametrize("kind", Kind)
def test_a_long_patch_delta_is_applied_whole_or_not_at_all(ingress: Ingress, kind: Kind, on_missing: OnMissing) -> None:
    """Whatever its last row cannot be: created without a name, or longer than an entry may get."""
    parent = {"item_id": "x"} if kind is Kind.VARIATIONS else {}
    most = 5_000 if kind is Kind.ITEM_GROUPS else 200_000
    ingress.rig.put({"id": "long", "name": "L", **parent, "data": {"a": "x" * (most - 100)}}, kind=kind)
    good = [{"id": f"i{i}", "name": "N", **parent, "data": {"n": 1}} for i in range(2500)]
    ingress.rig.put(*good, kind=kind)
    ingress.rig.drain()
    before = ingress.rig.bodies(kind)
    for last in ({"id": "long", "data": {"b": "y" * 200}}, {"id": "none", "data": {"n": 1}}):
        lines = "\n".join(json.dumps({**entry, "name": "Other"}) for entry in good) + "\n" + json.dumps(last)
        wish = {"patch_delta": True, "on_missing": on_missing, "format": "jsonl"}
        task_id = upload(ingress, "PATCH", {kind: lines}, **wish)
        ingress.rig.drain()
        task = ingress.get(f"/v1/tasks/{task_id}")
        if last["id"] == "none" and on_missing is OnMissing.IGNORE:
            assert task["status"] == "DONE"
        else:
            assert (task["status"], ingress.rig.bodies(kind)) == ("FAILED", before), task


def test_a_sync_of_ids_keeps_entries_as_they_are(ingress: Ingress) -> None:
    rig = ingress.rig
    rig.put(*items("a", "b", "c"))
    rig.put(*variations("a", "a-1", "a-2"), kind=Kind.VARIATIONS)
    rig.drain()
    before = ingress.get("/v2/items/b")
    rig.clock.advance(60_000)
    task_id = upload(ingress, "PUT", {"variations": "variation_id,x\na-2,\n", "items": "id\nb\nnone\n"}, mode="ids")
    rig.drain()
    assert ids(ingress) == ["b"]
    assert ingress.get("/v2/items/b") == before
    assert ids(ingress, "variations", item_id="a") == ["a-2"]
    found = ingress.get(f"/v1/tasks/{task_id}/entries")["entries"]
    assert [(entry["kind"], entry["id"], entry["outcome"]) for entry in found] == [
        ("variations", "a-2", "unchanged"),
        ("items", "b", "unchanged"),
        ("items", "none", "ignored"),
    ]


def test_a_sync_that_leaves_out_too_much_fails_and_leaves_nothing(ingress: Ingress) -> None:
    rig = ingress.rig
    rig.put(*items(*(f"i{i:03d}" for i in range(120))))
    rig.drain()
    before = rig.bodies()
    rows = "id,item_name\n" + "".join(f"i{i:03d},New\n" for i in range(59))
    refused_id = upload(ingress, "PUT", {"items": rows, "variations": "variation_id,item_id\nv,i001\n"})
    rig.drain()
    task = ingress.get(f"/v1/tasks/{refused_id}")
    assert task["status"] == "FAILED"
    assert "delete 61 of the 120 items" in task["error"]["message"]
    assert task["progress"] == {"entries_total": 60, "entries_applied": 0}
    assert rig.bodies() == before
    check_keys(rig.client)
    assert not [change for change in ingress.get("/v1/changes", after=1)["changes"] if change["task_id"] == refused_id]
    upload(ingress, "PUT", {"items": rows}, force=True)
    rig.drain()
    assert len(rig.bodies()) == 59


def test_an_id_that_comes_again_counts_once_and_the_last_wins(ingress: Ingress) -> None:
    rows = "id,item_name\nx,First\n" + "".join(f"i{i},Item {i}\n" for i in range(2500)) + "x,Last\n"
    task_id = upload(ingress, "PUT", {"items": rows})
    ingress.rig.drain()
    task = ingress.get(f"/v1/tasks/{task_id}")
    assert task["result"]["changelog"]["sections"]["Products"]["items_updated"] == 2501
    assert [warning["data"]["id"] for warning in task["result"]["ingestion_warnings"]] == ["x"]
    assert ingress.get("/v2/items/x")["name"] == "Last"


def test_the_change_feed_and_the_history_know_what_a_sync_did(ingress: Ingress) -> None:
    rig = ingress.rig
    rig.put(*items("gone", "kept"))
    rig.put(*variations("kept", "v"), kind=Kind.VARIATIONS)
    files = {"items": "id,item_name\nnew,New\nkept,Kept\n", "variations": "variation_id,item_id\nw,new\n"}
    task_id = upload(ingress, "PUT", files)
    rig.drain()
    feed = ingress.get("/v1/changes", after=2)["changes"]
    assert {(change["task_id"], change["kind"], change["section"]) for change in feed} == {
        (task_id, "items", "Products"),
        (task_id, "variations", "Products"),
    }
    assert {(entry["id"], entry["outcome"]) for change in feed for entry in change["entries"]} == {
        ("new", "created"), ("kept", "updated"), ("gone", "deleted"), ("w", "created"), ("v", "deleted"),
    }  # fmt: skip
    history = History(rig.client, "acme")
    assert history.find("kept")[0] == Touch(task_id, 1)
    assert history.find("w")[0] == Touch(task_id, 2)
    assert history.find("gone")[0] == Touch(task_id, None)


def test_a_worker_that_dies_at_any_commit_is_followed_by_one_that_goes_on(ingress: Ingress) -> None:
    """Readers see the old items to the last, and then the new ones."""
    rig = ingress.rig
    rig.put(*items(*(f"old-{i}" for i in range(2100))))
    rig.drain()
    rows = "id,item_name\n" + "".join(f"new-{i},New\n" for i in range(2100))
    task_id = upload(ingress, "PUT", {"items": rows}, force=1)
    seen = set()
    while rig.task(task_id).status not in TERMINAL:
        grant = rig.acquire()
        rig.take(grant, rig.plan(grant)[:1])
        rig.expire_lease()
        rig.client.hdel(rig.keys().position, "lost", "held")
        check_keys(rig.client)
        page = ingress.get("/v2/items", num_results_per_page=1)
        seen.add((page["items"][0]["id"].split("-")[0], page["total_count"]))
    assert seen == {("old", 2100), ("new", 2100)}
    assert rig.task(task_id).counts["items_deleted"] == 2100


def test_a_sync_that_kills_its_workers_fails_and_leaves_nothing(ingress: Ingress) -> None:
    """Nobody has to decide about it: readers have seen nothing of it yet.  Run again, it is tried again."""
    rig = ingress.rig
    rig.put(*items("a"))
    rig.drain()
    task_id = upload(ingress, "PUT", {"items": "id,item_name\nb,B\n", "variations": "variation_id,item_id\nv,b\n"})
    for _ in range(2):
        grant = rig.acquire()
        rig.take(grant, rig.plan(grant)[:1])
        assert rig.task(task_id).entries_done == 1
        for _ in range(rig.settings.max_stalls):
            rig.expire_lease()
            rig.acquire()
        rig.expire_lease()
        rig.drain()
        assert (rig.task(task_id).status, rig.task(task_id).entries_done) == (Status.FAILED, 0)
        task_id = ingress.send("PATCH", f"/v1/tasks/{task_id}", {"status": "QUEUED"}).json["id"]
    assert ids(ingress) == ["a"]
    check_keys(rig.client)
    rig.drain()
    assert ids(ingress) == ["b"]


def test_readers_begin_again_when_a_sync_takes_its_place_under_them(ingress: Ingress) -> None:
    """Just before a page is read of what counted until then."""
    rig = ingress.rig
    rig.put(*items("a", "b"))
    rig.drain()
    upload(ingress, "PUT", {"items": "id,item_name\nb,Other\nc,Other\n"})
    catalog = rig.catalog()
    plain = catalog._replied

    def late(*how: Any) -> Any:
        rig.drain()
        return plain(*how)

    catalog._replied = late  # type: ignore[method-assign]
    page = catalog.page(Kind.ITEMS, "Products", offset=0, size=10)
    assert ([entry.id for entry in page.entries], page.total) == (["b", "c"], 2)


def test_what_was_sent_can_be_read_as_lines(ingress: Ingress) -> None:
    task_id = upload(ingress, "PATCH", {"items": "id,item_name\na,A\n", "item_groups": "parent_id,id,name\n,g,G\n"})
    sent = ingress.send("GET", f"/v1/tasks/{task_id}/payload")
    assert sent.data == b'{"id":"a","name":"A"}\n{"id":"g","name":"G"}\n'


def test_files_may_come_compressed(ingress: Ingress) -> None:
    body = gzip.compress(multipart({"items": "\ufeffid,item_name\r\na,A\r\n"}))
    answer = ingress.send("PUT", "/v1/catalog", body, headers={**MULTIPART, "Content-Encoding": "gzip"})
    assert answer.status_code == 200, answer.text
    ingress.rig.drain()
    assert ids(ingress) == ["a"]


def test_files_sent_again_under_their_key_are_one_task(ingress: Ingress) -> None:
    """However they are packed; other files under it are refused, and nothing of them stays."""
    text = "id,item_name\na,A\n"
    headers = {**MULTIPART, "Idempotency-Key": "daily"}

    def put(body: bytes) -> TestResponse:
        return ingress.send("PUT", "/v1/catalog", body, headers=headers)

    first = put(multipart({"items": text}))
    again = put(multipart([("x.tar.gz", "x.tar.gz", archive({"items.csv": text}))]))
    assert (first.status_code, again.json["task_id"]) == (200, first.json["task_id"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert put(multipart({"items": text + "b,B\n"})).status_code == 409
    ingress.rig.drain()
    assert ids(ingress) == ["a"]
    assert not list(ingress.rig.client.scan_iter("*:upload:*"))


def test_while_the_queue_is_full_no_row_is_looked_at(ingress: Ingress) -> None:
    """But what an Idempotency-Key named before is answered, and so is a dry run."""
    files, headers = multipart({"items": "id,item_name\na,A\n"}), {**MULTIPART, "Idempotency-Key": "daily"}
    first = ingress.send("PUT", "/v1/catalog", files, headers=headers)
    ingress.rig.client.hset(ingress.rig.keys().waiting, "tasks", ingress.rig.settings.queue_tasks)
    broken = ingress.send("PUT", "/v1/catalog", multipart({"prices": "x"}), headers=MULTIPART)
    assert (broken.status_code, broken.headers["X-RateLimit-Tasks-Remaining"]) == (429, "0")
    assert "Retry-After" in broken.headers
    again = ingress.send("PUT", "/v1/catalog", files, headers=headers)
    assert (again.status_code, again.json["task_id"]) == (200, first.json["task_id"])
    assert ingress.send("PUT", "/v1/catalog", files, headers=MULTIPART, dry_run=True).status_code == 200
    ingress.rig.client.hset(ingress.rig.keys().waiting, "tasks", 1)


def test_files_come_in_without_a_request_too(ingress: Ingress) -> None:
    """As another protocol hands them over: here, what is to be deleted."""
    rig, tools = ingress.rig, ingress.app.extensions[EXTENSION]
    rig.put(*items("a", "b"))
    rig.put(*variations("a", "v"), kind=Kind.VARIATIONS)
    batch = Batch(Kind.ITEMS, Operation.DELETE, "Products", 0, 0, 0, protocol="ftp", origin=Origin(Submitter("ann")))
    with FileUpload(tools, "acme", batch) as upload:
        upload.take(Kind.ITEMS, FileFormat.CSV, [b"id,item_na", b"me\na,A\nnone,\n"])
        accepted = upload.submit()
    rig.drain()
    task = ingress.get(accepted.task_status_path.split("?")[0])
    assert (task["status"], task["protocol"]) == ("DONE", "ftp")
    assert task["filename"].startswith("acme_Products_delete_")
    assert task["result"]["changelog"]["sections"]["Products"] == {
        "items_updated": 0,
        "items_deleted": 1,
        "variations_deleted": 1,
    }
    assert ids(ingress) == ["b"]
