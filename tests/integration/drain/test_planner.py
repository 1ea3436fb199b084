"""Steps that share a round trip: each holds only after the one before it."""

from __future__ import annotations

import pytest

from shared.catalog.effects import Effects
from tests.support.batches import items
from tests.support.rig import ACME, Rig
from workers.apply import applier
from workers.drain.drainer import Drained

#: Ids of so many items that a commit is long.
MANY = [f"{number:020}" for number in range(1000)]


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
    """All that was sent is sent again."""
    for name in ("a", "b", "c"):
        rig.put(*items(name, *MANY[1:]))
    grant = rig.acquire()
    steps = rig.planner().plan(grant, now_ms=rig.clock())
    rig.client.script_flush()
    assert rig.take(grant, steps, wants_more=True).released
    rig.check_laws()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_error_halfway_leaves_nothing_half_done(rig: Rig, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The drain raises, and the next one begins with the step that was next."""
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
