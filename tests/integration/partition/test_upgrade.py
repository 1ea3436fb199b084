"""Processes of two versions at work on one store: the older one leaves alone what it would misread."""

from __future__ import annotations

import json

import pytest

from shared import codec
from shared.codec import RECORD_VERSION
from shared.origin import Origin, Submitter
from shared.tasks.records import Tasks
from tests.support.batches import items
from tests.support.ingress import Ingress
from tests.support.rig import ACME, Rig
from workers.drain.drainer import Drained

#: What a later version might write: an operation, and a field, that nobody here knows.
LATER = {"version": RECORD_VERSION + 1, "operation": "REPLACE_PRICES", "currency": "EUR"}


def make_later(rig: Rig, task_id: int, catalog_key: str = ACME, **facts: object) -> None:
    """Turn a waiting task into one that a later version has accepted."""
    record = rig.keys(catalog_key).task(task_id)
    before = rig.client.hget(record, "batch")
    assert before is not None
    rig.client.hset(record, "batch", json.dumps({**json.loads(before), **(facts or LATER)}))


def upgrade(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "RECORD_VERSION", RECORD_VERSION + 1)


def test_an_older_worker_leaves_a_newer_task_to_a_newer_worker(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it looks: that is no stall of the batch, and what is behind keeps its place."""
    rig.put(*items("a"))
    later = rig.put(*items("b"))
    rig.put(*items("c"))
    make_later(rig, later, version=RECORD_VERSION + 1)
    for _ in range(rig.settings.max_stalls + 1):
        assert rig.drain() is Drained.TOO_NEW
    assert list(rig.bodies()) == ["a"]
    upgrade(monkeypatch)
    assert rig.drain() is Drained.EMPTY
    assert set(rig.statuses().values()) == {"DONE"}
    rig.check_laws()


def test_even_one_whose_words_it_does_not_know(rig: Rig) -> None:
    make_later(rig, rig.put(*items("a"), excused=True))
    assert rig.drain() is Drained.TOO_NEW
    rig.sweep().once()
    assert rig.backlog.size() == 1


def test_other_catalogs_go_on_beside_it(rig: Rig) -> None:
    catalog_keys = ["one", "two", "three"]
    for catalog_key in catalog_keys:
        rig.put(*items("a"), catalog_key=catalog_key)
    make_later(rig, 1, "two", version=RECORD_VERSION + 1)
    drainer = rig.drainer()
    for catalog_key in drainer.drain_together(catalog_keys).left:
        drainer.drain(catalog_key)
    assert [list(rig.bodies(catalog_key=key)) for key in catalog_keys] == [["a"], [], ["a"]]


def test_an_older_ingress_says_that_it_cannot_tell(rig: Rig, ingress: Ingress) -> None:
    make_later(rig, rig.put(*items("a"), excused=True))
    for path in ("/v1/tasks/1", "/v1/tasks"):
        answer = ingress.send("GET", path)
        assert (answer.status_code, "newer version" in answer.json["message"]) == (503, True)
        assert answer.headers["Retry-After"]


def test_a_record_of_before_there_were_versions_is_read(rig: Rig) -> None:
    task_id = rig.put(*items("a"))
    record = rig.keys().task(task_id)
    facts = json.loads(rig.client.hget(record, "batch") or b"")
    del facts["version"]
    rig.client.hset(record, "batch", json.dumps(facts))
    rig.drain()
    assert list(rig.bodies()) == ["a"]


def test_who_sent_a_task_is_known_after_an_upgrade(rig: Rig) -> None:
    """Until version 2 sender, request and trace stood among the batch's own facts."""
    task_id = rig.put(*items("a"))
    sender = {"token_name": "pim", "client": "requests", "address": "10.0.0.7"}
    make_later(rig, task_id, version=2, submitter=sender, request_id="r-1", traceparent="")
    rig.client.hset(rig.keys().task(task_id), "batch", b"%s" % json.dumps(_without_origin(rig, task_id)).encode())
    task = Tasks(rig.client, ACME).get(task_id)
    assert task is not None
    assert task.batch is not None
    assert task.batch.origin == Origin(Submitter("pim", "requests", "10.0.0.7"), "r-1")


def _without_origin(rig: Rig, task_id: int) -> dict[str, object]:
    stored = rig.client.hget(rig.keys().task(task_id), "batch")
    assert stored is not None
    return {name: value for name, value in json.loads(stored).items() if name != "origin"}
