"""Steps that are taken while those after them are worked out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.effects import Effects
from shared.leases import Answer
from shared.steps import Plan, Step
from shared.tasks import Tasks
from shared.waiting import wait_until
from tests.support.batches import items
from tests.support.rig import ACME, Rig
from tests.support.store_server import StoreServer
from workers import applier
from workers.drain import Drained

#: Ids of so many items are more than is kept back to be sent with others.
MANY = [f"{number:020}" for number in range(1000)]


def test_a_commit_has_its_effect_while_the_next_is_worked_out(rig: Rig, store_server: StoreServer) -> None:
    for _ in range(2):
        rig.put(*items(*MANY))
    grant = rig.acquire()
    first, second = rig.plan(grant)

    def work_out() -> Iterator[Step]:
        yield first
        with store_server.connect() as another:
            wait_until(lambda: Tasks(another, ACME).get(1).status == "DONE", "the first is committed", timeout_s=5)
        yield second

    progress = rig.take(grant, Plan(work_out(), most=2), wants_more=True)
    assert (progress.answer, progress.done, progress.released) == (Answer.OK, 2, True)
    rig.check_laws()


def test_only_the_last_step_asks_for_more(rig: Rig) -> None:
    """However early that comes: it is a failure here, before the end of what could be taken together."""
    rig.put(*items("a"))
    rig.drain()
    for entry_id in ("a", "missing", "a"):
        rig.patch({"id": entry_id, "name": "new"})
    grant = rig.acquire()
    steps = rig.planner().plan(grant, now_ms=rig.clock())
    progress = rig.take(grant, steps, wants_more=True)
    assert progress.done == 2
    assert [work.task_id for work in progress.window or ()] == [4]
    rig.expire_lease()
    rig.drain()
    rig.check_laws()


def test_a_script_that_the_server_does_not_know_is_loaded_on_the_way(rig: Rig) -> None:
    """All that was sent is sent again, and what was not yet worked out is so once."""
    for name in ("a", "b", "c"):
        rig.put(*items(name, *MANY[1:]))
    grant = rig.acquire()
    steps = rig.planner().plan(grant, now_ms=rig.clock())
    rig.client.script_flush()
    assert rig.take(grant, steps, wants_more=True).released
    rig.check_laws()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_error_halfway_leaves_nothing_half_done(rig: Rig, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Steps before it have their effect or not; the drain raises, and the next one goes on from there."""
    for name in ("a", "b", "a"):
        rig.put(*items(name, *MANY[1:]))
    apply, calls = applier.apply, list[int]()

    def broken(*args: object) -> Effects:
        calls.append(1)
        if len(calls) == number:
            raise RuntimeError("broken")
        return apply(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(applier, "apply", broken)
    with pytest.raises(RuntimeError, match="broken"):
        rig.drainer().drain(ACME)
    rig.expire_lease()
    assert rig.drain() is Drained.EMPTY
    rig.check_laws()
