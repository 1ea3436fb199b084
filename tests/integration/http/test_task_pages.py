"""Pages of tasks: each is true to one moment, and a walk through them is complete whatever comes and goes."""

from __future__ import annotations

import random

import pytest

from shared.model import Status
from shared.tasks.records import Task, TaskFilter, Tasks
from tests.support.batches import items, named
from tests.support.ingress import Ingress
from tests.support.rig import ACME, Rig

EXPORTS = (None, True, False)


@pytest.fixture
def mixed(ingress: Ingress) -> list[Task]:
    """Tasks of all statuses, some of them exports, several of them submitted at one moment."""
    rig, rnd = ingress.rig, random.Random(5)
    for number in range(60):
        match rnd.randrange(4):
            case 0:
                rig.patch(*named("missing"))
            case 1:
                ingress.send("POST", "/v1/tasks", {"type": "catalog_export", "catalog_part": "items"})
            case 2:
                rig.cancel(rig.put(*items("a")))
            case _:
                rig.put(*items("a"))
        rig.clock.advance(rnd.choice([0, 0, 1, 700]))
        if number < 48 and rnd.randrange(3) == 0:
            rig.drain()
        if number == 48:
            rig.drain()
            rig.put(*items("a", "b", "c"), chunk_entries=1)
    grant = rig.acquire()
    rig.take(grant, rig.plan(grant)[:1])
    newest = int(rig.client.get(rig.keys().seq) or 0)
    found = Tasks(rig.client, ACME).get_many(range(newest, 0, -1))
    assert {task.status for task in found if task} == set(Status)
    return [task for task in found if task]


def test_a_page_is_what_a_look_at_every_task_gives(rig: Rig, mixed: list[Task]) -> None:
    """By any filter, from any place on, in any size."""
    tasks, rnd = Tasks(rig.client, ACME), random.Random(6)
    for _ in range(400):
        moments = sorted(rnd.choice(mixed).submitted_ms for _ in range(2))
        only = TaskFilter(
            statuses=rnd.choice([None, frozenset(rnd.sample(list(Status), rnd.randrange(1, 4)))]),
            from_ms=rnd.choice([None, moments[0]]),
            before_ms=rnd.choice([None, moments[1]]),
            exports=rnd.choice(EXPORTS),
        )
        before = rnd.choice([None, None, rnd.randrange(1, len(mixed) + 5)])
        offset, size = rnd.choice([0, 0, 1, rnd.randrange(70)]), rnd.choice([0, 1, 3, 20, 100])
        of_time = [
            task
            for task in mixed
            if (only.from_ms is None or task.submitted_ms >= only.from_ms)
            and (only.before_ms is None or task.submitted_ms < only.before_ms)
            and only.exports in (None, task.batch.export is not None)
        ]
        should = [task for task in of_time if only.statuses is None or task.status in only.statuses]
        page = tasks.page(only, offset=offset, size=size, before=before)
        listed = [task for task in should if before is None or task.id < before][offset : offset + size]
        assert page.tasks == listed, (only, offset, size, before)
        assert page.total == len(should)
        assert page.by_status == {status: sum(task.status is status for task in of_time) for status in Status}


def test_a_walk_from_newest_to_oldest_has_every_task_once(ingress: Ingress) -> None:
    """While tasks arrive, end, and are let go of; the last page of all is empty."""
    rig = ingress.rig.with_settings(task_retention_s=60, payload_retention_s=0)
    for _ in range(90):
        rig.put(*items("a"))
    rig.drain()
    rig.clock.advance(40_000)
    for number in range(30):
        rig.put(*items("a"))
        if number % 3 == 0:
            rig.cancel(rig.put(*items("a")))
    rig.drain()
    still = {task.id for task in Tasks(rig.client, ACME).page(TaskFilter(), size=100).tasks if task.id > 90}
    found: list[int] = []
    before: dict[str, int] = {}
    while page := ingress.get("/v1/tasks", num_results_per_page=7, status=["DONE", "CANCELED"], **before)["tasks"]:
        found += [task["id"] for task in page]
        before = {"before": found[-1]}
        rig.put(*items("a"))
        rig.drain()
        rig.clock.advance(1_500)
        rig.retention().retire(now_ms=rig.clock(), limit=20)
    assert found == sorted(set(found), reverse=True)
    assert set(found) >= still


def test_a_walk_says_where_to_go_on_in_one_way_only(ingress: Ingress) -> None:
    answer = ingress.send("GET", "/v1/tasks", before=3, page=1)
    assert (answer.status_code, answer.json["message"]) == (400, "before, page are mutually exclusive")
