"""Retention deletes nothing before its time, and never what is still queued."""

from __future__ import annotations

import re

import pytest

from shared.model import Status
from shared.tasks.records import TaskFilter, Tasks
from tests.support.batches import items
from tests.support.rig import ACME, Rig


def kept(rig: Rig, name: str) -> list[int]:
    """The numbers of the keys of one name that are there."""
    keys = rig.client.scan_iter(match=f"*:{name}:*")
    return sorted(int(re.search(rb"\d+$", key)[0]) for key in keys)  # type: ignore[index]


def retire(rig: Rig, limit: int = 100) -> int:
    return rig.retention().retire(now_ms=rig.clock(), limit=limit)


@pytest.fixture
def brief(rig: Rig) -> Rig:
    """Tasks are kept for an hour, payloads for a minute; five have ended, one each second, and one waits."""
    brief = rig.with_settings(task_retention_s=3600, payload_retention_s=60)
    for number in range(5):
        brief.put(*items(str(number)))
        if number == 3:
            brief.cancel(4)
        brief.drain()
        brief.clock.advance(1000)
    brief.put(*items("waits"))
    return brief


def test_nothing_goes_before_its_time(brief: Rig) -> None:
    brief.clock.advance(54_999)
    before = brief.dump()
    assert retire(brief) == 0
    assert brief.dump() == before


def test_payloads_go_first_one_by_one(brief: Rig) -> None:
    """Their tasks stay, with their reports."""
    brief.clock.advance(57_001)
    assert retire(brief) == 3
    assert kept(brief, "payload") == [4, 5, 6]
    assert kept(brief, "task") == [1, 2, 3, 4, 5, 6]
    assert kept(brief, "report") == [1, 2, 3, 5]


def test_tasks_go_with_everything_that_is_theirs(brief: Rig) -> None:
    """What waits stays, however long; ids go on where they were."""
    brief.clock.advance(3_600_000)
    assert retire(brief) > 0
    assert retire(brief) == 0
    for name in ("task", "payload"):
        assert kept(brief, name) == [6]
    assert kept(brief, "report") == []
    page = Tasks(brief.client, ACME).page(TaskFilter(), offset=0, size=10)
    assert ([task.id for task in page.tasks], page.total) == ([6], 1)
    assert page.by_status == {**dict.fromkeys(Status, 0), Status.QUEUED: 1}
    assert brief.put(*items("next")) == 7


def test_a_call_takes_a_few_at_a_time(brief: Rig) -> None:
    brief.clock.advance(3_600_000)
    taken = []
    while step := retire(brief, limit=2):
        taken.append(step)
    assert max(taken) <= 4
    assert kept(brief, "task") == [6]


def test_a_task_may_go_before_its_payload_would(rig: Rig) -> None:
    """Its payload goes with it then, and is counted out."""
    odd = rig.with_settings(task_retention_s=1, payload_retention_s=3600)
    odd.put(*items("a"))
    odd.drain()
    odd.clock.advance(1001)
    assert retire(odd) == 1
    assert kept(odd, "payload") == []


def test_payloads_above_the_cap_go_oldest_first(rig: Rig) -> None:
    """With the end of each task; the newest is kept as long as it fits."""
    rig.put(*items("a"))
    size = rig.state().bytes
    narrow = rig.with_settings(payload_bytes=2 * size)
    for name in ("b", "c", "d"):
        narrow.put(*items(name))
        narrow.clock.advance(1)
        narrow.drain()
    assert kept(narrow, "payload") == [3, 4]
    assert kept(narrow, "task") == [1, 2, 3, 4]


def test_a_lowered_cap_is_reached_by_and_by(rig: Rig) -> None:
    """Each end of a task lets go of more than it adds."""
    for number in range(8):
        rig.put(*items(str(number)))
    rig.drain()
    none = rig.with_settings(payload_bytes=0)
    for number in range(3):
        none.put(*items(str(number)))
        none.drain()
    assert kept(none, "payload") == []


def test_a_payload_that_is_gone_is_no_loss_to_those_that_wait(rig: Rig) -> None:
    """The cap is for what has ended."""
    none = rig.with_settings(payload_bytes=0)
    for number in range(3):
        none.put(*items(str(number)))
    grant = none.acquire()
    none.take(grant, none.plan(grant)[:1])
    assert kept(none, "payload") == [2, 3]
    none.expire_lease()
    none.drain()
    none.check_laws()
