"""A request may wait for its task to end, and is answered when it has, or when the time is up."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from api.services import EXTENSION
from api.waiters import Waiters
from shared.errors import StoreUnavailable
from shared.waiting import wait_until
from tests.support.batches import items
from tests.support.ingress import Ingress
from tests.support.rig import Rig

BODY = {"items": items("a")}


def test_a_waited_write_is_answered_with_its_ended_task(ingress: Ingress) -> None:
    with ingress.draining():
        answer = ingress.send("PUT", "/v2/items", BODY, wait="10")
    assert answer.status_code == 200
    assert answer.json["task_id"] == 1
    assert answer.json["task_status_path"] == "/v1/tasks/1?key=acme"
    assert answer.json["task"] == ingress.get("/v1/tasks/1")
    assert answer.json["task"]["status"] == "DONE"


def test_a_task_that_failed_has_ended_too(ingress: Ingress) -> None:
    with ingress.draining():
        answer = ingress.send("PATCH", "/v2/items", {"items": [{"id": "a"}]}, wait="10")
    assert (answer.status_code, answer.json["task"]["status"]) == (200, "FAILED")


def test_when_the_time_is_up_the_task_is_shown_as_it_is(ingress: Ingress) -> None:
    begin = time.monotonic()
    answer = ingress.send("PUT", "/v2/items", BODY, wait="1")
    assert time.monotonic() - begin >= 1
    assert answer.json["task"]["status"] == "QUEUED"
    assert answer.json["task"]["queue_position"] == 1


def test_without_wait_there_is_no_task_in_the_answer(ingress: Ingress) -> None:
    assert "task" not in ingress.send("PUT", "/v2/items", BODY).json
    assert ingress.send("PUT", "/v2/items", BODY, wait="0").json["task"]["id"] == 2


def test_a_task_may_be_waited_for(rig: Rig, ingress: Ingress) -> None:
    task_id = rig.put(*items("a"))
    with ingress.draining():
        assert ingress.get(f"/v1/tasks/{task_id}", wait="10")["status"] == "DONE"


def test_an_unknown_task_is_not_waited_for(ingress: Ingress) -> None:
    begin = time.monotonic()
    assert ingress.send("GET", "/v1/tasks/17", wait="30").status_code == 404
    assert time.monotonic() - begin < 25


def test_a_repeat_waits_for_the_task_of_the_first(ingress: Ingress) -> None:
    headers = {"Idempotency-Key": "once"}
    ingress.send("PUT", "/v2/items", BODY, headers=headers)
    with ingress.draining():
        answer = ingress.send("PUT", "/v2/items", BODY, headers=headers, wait="10")
    assert (answer.json["task_id"], answer.json["task"]["status"]) == (1, "DONE")


@pytest.mark.parametrize(
    ("wait", "message"),
    [
        ("31", "wait: ensure this value is less than or equal to 30"),
        ("-1", "wait: ensure this value is greater than or equal to 0"),
        ("soon", "wait: value is not a valid integer"),
        ("", "wait: value is not a valid integer"),
    ],
)
def test_a_wait_that_is_none_is_refused(ingress: Ingress, wait: str, message: str) -> None:
    for method, path, body in (("PUT", "/v2/items", BODY), ("GET", "/v1/tasks/1", None)):
        refused = ingress.send(method, path, body, wait=wait)
        assert (refused.status_code, refused.json["message"]) == (400, message)
    assert ingress.get("/v1/tasks")["total_count"] == 0


def test_when_too_many_wait_the_next_is_answered_at_once(ingress: Ingress) -> None:
    """Waiting requests hold a thread each: some have to be left for the others."""
    waiters = Waiters(threads=2)  # so one of them may wait
    ingress.app.extensions[EXTENSION] = replace(ingress.app.extensions[EXTENSION], waiters=waiters)
    ingress.write("PUT", "/v2/items", BODY)
    first = threading.Thread(target=lambda: ingress.send("GET", "/v1/tasks/1", wait="30"))
    first.start()
    try:
        wait_until(lambda: waiters._seats._value == 0, "the first waits", timeout_s=5, every_s=0.005)  # type: ignore[attr-defined]
        begin = time.monotonic()
        assert ingress.get("/v1/tasks/1", wait="30")["status"] == "QUEUED"
        assert time.monotonic() - begin < 25
    finally:
        ingress.rig.drain()
        first.join()


def test_a_store_that_goes_away_meanwhile_does_not_hide_that_the_batch_was_accepted(
    ingress: Ingress, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(Waiters, "wait_for_end", away)
    answer = ingress.send("PUT", "/v2/items", BODY, wait="10")
    assert answer.status_code == 200
    assert answer.json == {"task_id": 1, "task_status_path": "/v1/tasks/1?key=acme"}
