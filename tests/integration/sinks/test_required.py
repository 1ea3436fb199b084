"""Where sinks are required, a task's index is built once they have it, and a request may wait for that."""

from __future__ import annotations

from typing import Any

import pytest

from shared.model import Kind
from tests.support.batches import items
from tests.support.ingress import Ingress
from tests.support.postgres_sink import SinkRig
from tests.support.sinks import NAME, running

BODY = {"items": items("a")}


def built(ingress: Ingress, task_id: int) -> bool:
    [listed] = [task for task in ingress.get("/v1/tasks")["tasks"] if task["id"] == task_id]
    shown: bool = ingress.get(f"/v1/tasks/{task_id}")["result"]["index_built"]
    assert listed["result"]["index_built"] is shown
    return shown


def test_an_index_is_built_once_every_required_sink_has_the_task(sink: SinkRig, ingress: Ingress) -> None:
    """Not while it is copied the first time, nor while a later copy still lacks the task."""
    first = sink.rig.put(*items("a"))
    sink.rig.drain()
    assert built(ingress, first), "there is none"
    sink.add(required=True)
    assert not built(ingress, first)
    sink.settle()
    assert built(ingress, first)
    second = sink.rig.put(*items("b"))
    other = sink.rig.put(*items("c"), section="Other")
    groups_task = sink.rig.put({"id": "g", "name": "G"}, kind=Kind.ITEM_GROUPS)
    sink.rig.drain()
    assert [built(ingress, each) for each in (first, second, other, groups_task)] == [True, False, True, True]
    sink.sinks.resync(NAME.name)
    assert sink.turn(budget_s=0) == "delivered"
    assert sink.state().phase == "copying"
    assert not built(ingress, second)
    sink.settle()
    assert built(ingress, second)


def test_a_sink_that_is_not_required_is_not_waited_for(sink: SinkRig, ingress: Ingress) -> None:
    sink.add()
    with ingress.draining():
        answer = ingress.send("PUT", "/v2/items", BODY, wait="indexed")
    assert answer.json["task"]["result"]["index_built"] is True


@pytest.mark.parametrize("path", ["write", "task", "v1"])
def test_a_request_waits_until_the_required_sink_has_the_task(sink: SinkRig, ingress: Ingress, path: str) -> None:
    sink.add(required=True)
    sink.settle()
    seen = list[Any]()

    def deliver() -> None:
        # The task has ended for a while before it is delivered.
        ended = ingress.get("/v1/tasks")["status_counts"]["DONE"]
        seen.extend(sink.rows() for _ in range(ended))
        if len(seen) > 20:
            sink.turn()

    with ingress.draining(), running(deliver):
        if path == "v1":
            sent = {"id": "a", "item_name": "A"}
            assert ingress.send("POST", "/v1/item", sent, wait="indexed").status_code == 204
        else:
            answer = ingress.send("PUT", "/v2/items", BODY, **({"wait": "indexed"} if path == "write" else {}))
            task = answer.json.get("task") or ingress.get(f"/v1/tasks/{answer.json['task_id']}", wait="indexed")
            assert (task["status"], task["result"]["index_built"]) == ("DONE", True)
        assert list(sink.rows()) == ["a"]
    assert seen[0] == {}


def test_v1_answers_alike_when_the_time_is_up(sink: SinkRig, ingress: Ingress, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write is applied; that the sinks do not have it yet, the task says that the answer names."""
    monkeypatch.setattr("api.schemas.wait.MAX_WAIT_S", 1)
    sink.add(required=True)
    sink.settle()
    with ingress.draining():
        answer = ingress.send("POST", "/v1/item", {"id": "a", "item_name": "A"}, wait="indexed")
    task = ingress.get(f"/v1/tasks/{answer.headers['X-Task-Id']}")
    assert (answer.status_code, task["status"], task["result"]["index_built"]) == (204, "DONE", False)


def test_a_task_that_failed_is_not_waited_for(sink: SinkRig, ingress: Ingress) -> None:
    sink.add(required=True)
    with ingress.draining():
        answer = ingress.send("PATCH", "/v2/items", {"items": [{"id": "a"}]}, wait="indexed")
    assert answer.json["task"]["status"] == "FAILED"
