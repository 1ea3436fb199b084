"""Logs: a line for every accepted batch, for every change somebody wished and for every ended task, with the ids."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest

from tests.support.batches import items
from tests.support.ingress import TOKEN, Ingress
from tests.support.pages import Pages
from tests.support.rig import ACME, Rig

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Lines:
    """What was logged, read from where it goes."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def new(self, action: str) -> list[dict[str, Any]]:
        """The lines since the last look; each line is one JSON object."""
        lines = [json.loads(line) for line in self._capfd.readouterr().err.splitlines()]
        return [line for line in lines if line.get("action") == action]


@pytest.fixture
def lines(ingress: Ingress, capfd: pytest.CaptureFixture[str]) -> Lines:
    return Lines(capfd)


def test_an_accepted_batch_is_one_line_with_all_ids(ingress: Ingress, lines: Lines) -> None:
    headers = {"X-Request-Id": "mine-1", "traceparent": TRACE}
    task_id = ingress.write("PUT", "/v2/items", {"items": items("a", "b")}, headers=headers)
    [line] = lines.new("submit")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line.pop("timestamp"))
    assert line.pop("bytes") > 0
    assert line == {
        "event": "batch accepted", "level": "info", "action": "submit", "request_id": "mine-1", "traceparent": TRACE,
        "catalog_key": ACME, "task_id": task_id, "kind": "items", "operation": "put", "section": "Products",
        "entries": 2,
    }  # fmt: skip


def test_the_worker_names_the_request_and_the_trace_of_what_it_ended(rig: Rig, ingress: Ingress, lines: Lines) -> None:
    """Stored with the task, so that both processes' lines can be found together."""
    headers = {"X-Request-Id": "mine-1", "traceparent": TRACE}
    task_id = ingress.write("PUT", "/v2/items", {"items": items("a")}, headers=headers)
    rig.drain()
    [line] = lines.new("end_task")
    wanted = {"task_id": task_id, "catalog_key": ACME, "status": "DONE", "request_id": "mine-1", "traceparent": TRACE}
    assert wanted.items() <= line.items()
    assert "error" not in line


def test_a_failed_task_says_why(rig: Rig, ingress: Ingress, lines: Lines) -> None:
    ingress.write("PATCH", "/v2/items", {"items": items("none")})
    rig.drain()
    [line] = lines.new("end_task")
    assert line["status"] == "FAILED"
    assert line["error"].startswith("IngestionError: items not found: 'none'")
    assert len(line["request_id"]) == 16
    assert "traceparent" not in line


def test_many_small_tasks_are_a_line_each(rig: Rig, ingress: Ingress, lines: Lines) -> None:
    sent = [ingress.write("PUT", "/v2/items", {"items": items(str(number))}) for number in range(5)]
    rig.drain()
    assert [line["task_id"] for line in lines.new("end_task")] == sent


@pytest.mark.parametrize(
    "bad",
    ["", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "ff" + TRACE[2:], TRACE.upper(), TRACE + "-x", '"}\n{"a":"b'],
)
def test_a_trace_that_is_none_is_left_out(ingress: Ingress, lines: Lines, bad: str) -> None:
    ingress.write("PUT", "/v2/items", {"items": items("a")}, headers={"traceparent": bad.replace("\n", " ")})
    [line] = lines.new("submit")
    assert "traceparent" not in line


def test_cancel_and_re_run_say_who(ingress: Ingress, lines: Lines) -> None:
    task_id = ingress.write("PUT", "/v2/items", {"items": items("a")})
    ingress.send("PATCH", f"/v1/tasks/{task_id}", {"status": "CANCELED"})
    [line] = lines.new("cancel")
    assert line["task_id"] == task_id
    assert line["who"].startswith("settings-")
    new_id = ingress.send("PATCH", f"/v1/tasks/{task_id}", {"status": "QUEUED"}).json["id"]  # type: ignore[index]
    [line] = lines.new("rerun")
    assert (line["task_id"], line["retry_of"]) == (new_id, task_id)


def test_no_token_is_ever_logged(ingress: Ingress, capfd: pytest.CaptureFixture[str]) -> None:
    ingress.write("PUT", "/v2/items", {"items": items("a")})
    ingress.send("PUT", "/v2/items", {"items": items("a")}, token=TOKEN + "x")
    assert TOKEN not in capfd.readouterr().err


def test_what_libraries_log_is_json_too(lines: Lines, capfd: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("kombu").warning("cannot reach %s", "it", extra={"action": "connect"})
    err = capfd.readouterr().err
    [line] = [json.loads(line) for line in err.splitlines()] or [{}]
    assert (line["event"], line["logger"], line["action"]) == ("cannot reach it", "kombu", "connect")


def test_a_store_that_takes_no_writes_is_told_in_the_log(rig: Rig, ingress: Ingress, lines: Lines) -> None:
    """A master that became a replica: whoever looks for the reason of each 503 finds it, of the page's too."""
    pages = Pages(ingress)
    pages.sign_in()
    task_id = ingress.write("PUT", "/v2/items", {"items": items("a")})
    csrf = pages.csrf()
    lines.new("store_refused")
    rig.client.replicaof("127.0.0.1", 1)
    answer = ingress.send("PUT", "/v2/items", {"items": items("b")})
    page = pages.post(f"/c/{ACME}/updates/{task_id}/cancel", csrf=csrf)
    told = lines.new("store_refused")
    assert (answer.status_code, page.status_code) == (503, 503)
    assert ["read only replica" in line["error"] for line in told] == [True, True]
