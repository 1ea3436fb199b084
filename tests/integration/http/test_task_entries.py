"""Each entry of a task has an outcome, and what was sent can be read again."""

from __future__ import annotations

import gzip
import json
import random
from typing import Any

import pytest

from api.history import entry_changes
from shared.errors import TaskNotFound
from shared.model import OnMissing, Operation
from shared.tasks.reports import Reports
from tests.support.batches import items, make_batch, named
from tests.support.ingress import Ingress
from tests.support.rig import ACME, Rig


def entries(ingress: Ingress, task_id: int, **query: Any) -> list[tuple[Any, ...]]:
    """The lines of a report: id, outcome, and the reason if there is one."""
    found = ingress.get(f"/v1/tasks/{task_id}/entries", **query)["entries"]
    return [tuple(line[name] for name in ("id", "outcome", "reason") if name in line) for line in found]


def bodies(kind: str = "items", **fields: Any) -> dict[str, Any]:
    return {kind: [{"id": name, **fields} for name in "abc"]}


def test_created_and_updated_are_told_apart(ingress: Ingress) -> None:
    ingress.write("PUT", "/v2/items", {"items": items("b")})
    ingress.write("PUT", "/v2/items", {"items": [*items("a"), {"id": "b", "name": "new"}]})
    ingress.rig.drain()
    report = ingress.get("/v1/tasks/2/entries")
    assert report == {
        "entries": [
            {"index": 0, "id": "a", "outcome": "created"},
            {"index": 1, "id": "b", "outcome": "updated"},
        ],
        "total_count": 2,
        "outcome_counts": {"created": 1, "updated": 1, "unchanged": 0, "deleted": 0, "ignored": 0, "failed": 0},
    }


def test_a_patch_tells_what_changed_and_what_was_not_there(ingress: Ingress) -> None:
    ingress.write("PUT", "/v2/items", {"items": items("a", "b")})
    sent = [{"id": "a", "name": "new"}, *items("b"), {"id": "c"}]
    ingress.write("PATCH", "/v2/items", {"items": sent}, on_missing="IGNORE")
    ingress.rig.drain()
    assert entries(ingress, 2) == [("a", "updated"), ("b", "unchanged"), ("c", "ignored", "its id does not exist")]


def test_a_delete_tells_what_was_there(ingress: Ingress) -> None:
    ingress.write("PUT", "/v2/items", {"items": items("a")})
    ingress.write("DELETE", "/v2/items", {"items": named("a", "b")})
    ingress.rig.drain()
    assert entries(ingress, 2) == [("a", "deleted"), ("b", "ignored", "its id does not exist")]


def test_an_entry_that_comes_again_was_ignored(ingress: Ingress) -> None:
    ingress.write("PUT", "/v2/items", {"items": items("a", "b", "a")})
    ingress.rig.drain()
    reason = "a later entry of the batch has the same id"
    assert entries(ingress, 1) == [("a", "ignored", reason), ("b", "created"), ("a", "created")]


def test_a_task_that_failed_names_each_entry_that_is_to_blame(ingress: Ingress) -> None:
    ingress.write("PUT", "/v2/items", {"items": [{"id": "a", "name": "A", "data": {"tags": "text"}}, *items("b")]})
    sent = [{"id": "a", "data": {"tags:add": ["x"]}}, {"id": "b", "name": "new"}, {"id": "c"}]
    ingress.write("PATCH", "/v2/items", {"items": sent})
    ingress.rig.drain()
    reason = "data.tags:add needs a list under 'tags', but there is something else"
    assert ingress.get("/v1/tasks/2")["error"] == {"message": f"IngestionError: item 'a': {reason}"}
    assert entries(ingress, 2) == [
        ("a", "failed", reason),
        ("b", "ignored", "other entries made the task fail; nothing of it was applied"),
        ("c", "failed", "its id does not exist"),
    ]
    assert entries(ingress, 2, outcome="failed") == [("a", "failed", reason), ("c", "failed", "its id does not exist")]


def test_a_big_task_that_failed_names_those_of_all_chunks(ingress: Ingress) -> None:
    """The check pass goes on behind the first chunk with something wrong, and the error counts them all."""
    ingress.write("PUT", "/v2/items", {"items": items(*map(str, range(0, 2500, 100)))})
    ingress.write("PATCH", "/v2/items", {"items": named(*map(str, range(2500)))})
    ingress.rig.drain()
    task = ingress.get("/v1/tasks/2")
    assert task["status"] == "FAILED"
    assert task["error"]["message"].startswith("IngestionError: items not found: '1', '2', ")
    assert task["error"]["message"].endswith(f" and {2475 - 10} more")
    report = ingress.get("/v1/tasks/2/entries", outcome="failed", num_results_per_page="1000", page="3")
    assert report["total_count"] == 2475
    assert [line["id"] for line in report["entries"]][:2] == ["2021", "2022"]
    assert report["entries"][-1] == {
        "index": 2499,
        "id": "2499",
        "outcome": "failed",
        "reason": "its id does not exist",
    }


def test_a_task_that_failed_as_a_whole_blames_no_single_entry(ingress: Ingress) -> None:
    ingress.write("PUT", "/v2/items", {"items": items(*map(str, range(200)))})
    ingress.write("DELETE", "/v2/items", {"items": named(*map(str, range(150)))})
    ingress.rig.drain()
    report = ingress.get("/v1/tasks/2/entries", num_results_per_page="1")
    assert report["outcome_counts"]["failed"] == 150
    assert report["entries"][0]["reason"] == ingress.get("/v1/tasks/2")["error"]["message"]


def test_a_canceled_task_ignored_its_entries(ingress: Ingress) -> None:
    ingress.write("PUT", "/v2/items", {"items": items("a")})
    ingress.send("PATCH", "/v1/tasks/1", {"status": "CANCELED"})
    assert entries(ingress, 1) == [("a", "ignored", "the task was canceled")]


def test_a_task_that_waits_has_no_outcomes_yet(ingress: Ingress) -> None:
    ingress.write("PUT", "/v2/items", {"items": items("a")})
    report = ingress.get("/v1/tasks/1/entries")
    assert (report["entries"], report["total_count"], set(report["outcome_counts"].values())) == ([], 0, {0})


def test_pages_run_over_chunks_of_any_size(ingress: Ingress) -> None:
    """Chunks end at 1,000 entries or 2 MB, whichever comes first."""
    long = "x" * 3500
    sent = [{"id": f"{i}", "name": "n", "data": {"text": long if i < 1200 else ""}} for i in range(3000)]
    ingress.write("PUT", "/v2/items", {"items": sent})
    ingress.rig.drain()
    assert ingress.rig.task(1).batch.chunks == 4
    first, second = (entries(ingress, 1, num_results_per_page="1000", page=page) for page in "12")
    third = entries(ingress, 1, num_results_per_page="1000", offset="2000")
    assert [line[0] for line in first + second + third] == [entry["id"] for entry in sent]
    assert entries(ingress, 1, offset="3000") == []


def test_once_the_payload_is_gone_the_outcomes_remain(rig: Rig, ingress: Ingress) -> None:
    ingress.write("PUT", "/v2/items", {"items": items("a")})
    ingress.write("PATCH", "/v2/items", {"items": named("a", "b")})
    rig.drain()
    rig.clock.advance(8 * 24 * 3600 * 1000)
    rig.retention().retire(now_ms=rig.clock(), limit=100)
    assert entries(ingress, 1) == [(None, "created")]
    assert entries(ingress, 2, outcome="failed") == [(None, "failed", "its id does not exist")]
    gone = ingress.send("GET", "/v1/tasks/1/payload")
    assert (gone.status_code, gone.json) == (404, {"message": "the payload of task 1 is no longer kept"})


@pytest.mark.parametrize("text", ['{"items":[{"id":"a","name":"A"}]}', ' {\n"items" : [ {"name":"é", "id":"b"} ]}\n'])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_payload_is_what_was_sent_byte_for_byte(ingress: Ingress, text: str, encoding: str) -> None:
    body = text.encode()
    sent = gzip.compress(body) if encoding == "gzip" else body
    ingress.write("PUT", "/v2/items", sent, headers={"Content-Encoding": encoding})
    for _ in range(2):
        answer = ingress.send("GET", "/v1/tasks/1/payload")
        assert answer.data == body
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Content-Disposition"] == "attachment; filename=acme-task-1.json"
        ingress.rig.drain()


def test_a_big_payload_is_joined_from_its_chunks(ingress: Ingress) -> None:
    body = json.dumps({"items": items(*map(str, range(4321)))}, indent=1).encode()
    ingress.write("PUT", "/v2/items", body)
    assert ingress.send("GET", "/v1/tasks/1/payload").data == body


@pytest.mark.parametrize("what", ["entries", "payload"])
@pytest.mark.parametrize(("task_id", "status"), [("17", 404), ("9999999999999", 404), ("seven", 400), ("٣", 400)])
def test_a_task_that_is_none(ingress: Ingress, what: str, task_id: str, status: int) -> None:
    assert ingress.send("GET", f"/v1/tasks/{task_id}/{what}").status_code == status


@pytest.mark.parametrize("what", ["entries", "payload"])
def test_the_slashes_may_be_encoded(ingress: Ingress, what: str) -> None:
    ingress.write("PUT", "/v2/items", {"items": items("a")})
    assert ingress.send("GET", f"/v1/tasks%2F1%2F{what}").status_code == 200


@pytest.mark.parametrize("path", ["/v1/tasks/1/entries/", "/v1/tasks/1/entries/2", "/v1/tasks/1/", "/v1/tasks/1/x"])
def test_other_paths_are_no_task(ingress: Ingress, path: str) -> None:
    refused = ingress.send("GET", path)
    assert (refused.status_code, refused.json["message"]) == (400, "task_id: value is not a valid integer")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            {"outcome": "lost"},
            "outcome: value is not a valid enumeration member; permitted: "
            "'created', 'updated', 'unchanged', 'deleted', 'ignored', 'failed'",
        ),
        ({"num_results_per_page": "1001"}, "num_results_per_page: ensure this value is less than or equal to 1000"),
        ({"page": "1", "offset": "1"}, "offset, page are mutually exclusive"),
    ],
)
def test_a_bad_question_is_refused(ingress: Ingress, query: dict[str, str], message: str) -> None:
    refused = ingress.send("GET", "/v1/tasks/1/entries", **query)
    assert (refused.status_code, refused.json["message"]) == (400, message)


def test_a_rerun_reports_for_itself(rig: Rig, ingress: Ingress) -> None:
    rig.submit_batch(make_batch(Operation.PUT, items("a")))
    rig.drain()
    ingress.send("PATCH", "/v1/tasks/1", {"status": "QUEUED"})
    rig.drain()
    assert [entries(ingress, task_id) for task_id in (1, 2)] == [[("a", "created")], [("a", "unchanged")]]


def test_a_task_that_goes_while_its_entries_are_read_is_not_found(ingress: Ingress) -> None:
    """It had entries: a report without any would not be true."""
    rig = ingress.rig.with_settings(task_retention_s=1, payload_retention_s=0)
    task_id = rig.put(*items("a", "b"))
    rig.drain()
    task = rig.task(task_id)
    rig.clock.advance(2_000)
    rig.retention().retire(now_ms=rig.clock(), limit=10)
    with pytest.raises(TaskNotFound):
        Reports(rig.client, ACME).page(task, only=None, offset=0, size=10)


def test_it_says_what_changed_in_updated_entries(rig: Rig, ingress: Ingress) -> None:
    """As the entry was before, whole or by its parts; with the digits that were sent, and only if asked for."""
    rig.put(b'{"id":"a","name":"A","data":{"price":19.90,"size":"m"}}', b'{"id":"b","name":"B"}', chunk_entries=1)
    rig.patch(b'{"id":"a","data":{"price":18.50}}')
    rig.put(*items("c"))
    rig.put(b'{"id":"b","name":"Bee"}', b'{"id":"c","name":"c"}', b'{"id":"a","name":"A","data":{"price":17.50}}')
    rig.patch(b'{"id":"a","data":{"price":null}}', b'{"id":"a","data":{"price":16}}')
    rig.drain()
    told = ingress.send("GET", "/v1/tasks/4/entries", changes="true").text
    assert '"changes":[{"field":"data.price","before":18.50,"after":17.50},{"field":"data.size","before":"m"}]' in told
    found = {each["id"]: each for each in json.loads(told)["entries"]}
    assert found["b"]["changes"] == [{"field": "name", "before": "B", "after": "Bee"}]
    assert found["c"]["before_known"]
    assert "changes" not in ingress.get("/v1/tasks/4/entries")["entries"][0]
    assert "changes" not in ingress.get("/v1/tasks/1/entries", changes="true")["entries"][0]
    replaced, counted = ingress.get("/v1/tasks/5/entries", changes="true")["entries"]
    assert ("changes" in replaced, counted["changes"]) == (
        False,
        [{"field": "data.price", "before": 17.5, "after": 16}],
    )


def test_a_patch_says_what_changed_though_nothing_before_is_kept(rig: Rig, ingress: Ingress) -> None:
    """From its payload alone; a PUT then says nothing, since all its fields would seem changed."""
    rig.put({"id": "a", "name": "A", "data": {"price": 19.9}})
    rig.put({"id": "a", "name": "B", "data": {"price": 19.9}})
    rig.patch({"id": "a", "data": {"price": 17.5}})
    rig.drain()
    rig.client.delete(rig.keys().payload(1), rig.keys().payload(2))
    [patched] = ingress.get("/v1/tasks/3/entries", changes="true")["entries"]
    assert patched["changes"] == [{"field": "data.price", "after": 17.5}]
    assert patched["before_known"] is False
    [put] = ingress.get("/v1/tasks/2/entries", changes="true")["entries"]
    assert "changes" not in put
    rig.client.delete(rig.keys().payload(3))
    assert "changes" not in ingress.get("/v1/tasks/3/entries", changes="true")["entries"][0]


def test_what_changed_is_the_same_as_the_history_of_each_entry_says(rig: Rig, ingress: Ingress) -> None:
    """Over batches at random, also of several sections, with what failed and was deleted between them."""
    chance = random.Random(22)
    for _ in range(40):
        ids = chance.sample("abcdef", 3)
        section = chance.choice(["Products", "Content"])
        sent = [{"id": each, "name": each, "data": {"n": chance.randrange(3)}} for each in ids]
        act = chance.choice([rig.put, rig.put, rig.patch, rig.delete])
        how = {"on_missing": OnMissing.IGNORE} if act is rig.patch else {}
        act(*(named(*ids) if act is rig.delete else sent), section=section, **how)
    rig.drain()
    compared = 0
    for task_id in range(1, 41):
        for entry in ingress.get(f"/v1/tasks/{task_id}/entries", changes="true")["entries"]:
            for section in ("Products", "Content"):
                steps = ingress.get(f"/v1/history/items/{entry['id']}", section=section)["history"]
                for step in steps:
                    if step["task_id"] == task_id and entry["outcome"] == "updated" and step["before_known"]:
                        assert entry["changes"] == step["changes"], (task_id, entry)
                        compared += 1
    assert compared > 20


def test_what_many_entries_were_before_is_not_looked_up_at_once(ingress: Ingress) -> None:
    ingress.write("PUT", "/v2/items", {"items": items("a")})
    answer = ingress.send("GET", "/v1/tasks/1/entries", changes="true", num_results_per_page=101)
    assert (answer.status_code, "100 with `changes`" in answer.text) == (400, True)


def test_changes_are_told_up_to_so_many_bytes(ingress: Ingress) -> None:
    """Long lists before and after each small edit would be far more than was ever sent."""
    rig, words = ingress.rig, [f"word-{number:06}" for number in range(11_000)]
    ids = [f"i{number:02}" for number in range(40)]
    for some in (ids[:20], ids[20:]):
        rig.put(*({"id": each, "name": each, "data": {"words": words}} for each in some))
    rig.patch(*({"id": each, "data": {"words:add": ["new"]}} for each in ids))
    rig.drain()
    answer = ingress.send("GET", "/v1/tasks/3/entries", changes="true", num_results_per_page=100)
    assert len(answer.data) < entry_changes.TOLD_BYTES + 1024 * 1024
    told = ["changes" in entry for entry in answer.json["entries"]]
    assert (len(told), told) == (40, sorted(told, reverse=True))
    assert 10 < told.count(True) < 40


def test_what_was_before_is_read_up_to_so_many_bytes(ingress: Ingress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every chunk of an earlier task counts; what a PATCH changed is told all the same."""
    rig = ingress.rig
    rig.put(*items(*(f"i{number:04}" for number in range(2500))))
    rig.patch(*({"id": f"i{number:04}", "name": "new"} for number in (0, 1200, 2400)))
    rig.drain()
    told = [entry["changes"] for entry in ingress.get("/v1/tasks/2/entries", changes="true")["entries"]]
    assert [change["before"] for [change] in told] == ["Item i0000", "Item i1200", "Item i2400"]
    monkeypatch.setattr(entry_changes, "READ_BYTES", 1)
    told = [entry["changes"] for entry in ingress.get("/v1/tasks/2/entries", changes="true")["entries"]]
    assert told == [
        [{"field": "name", "before": "Item i0000", "after": "new"}],
        *2 * [[{"field": "name", "after": "new"}]],
    ]
