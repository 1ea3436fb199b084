"""A store without memory left takes no more batches, and lets everything else go on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from shared.errors import StoreFull
from shared.model import Operation, Status
from tests.support.batches import items, make_batch
from tests.support.rig import ACME, Rig
from workers.drain import Drained


@pytest.fixture
def full(client: redis.Redis, rig: Rig) -> Iterator[Rig]:
    """Two batches wait, and then memory is full."""
    rig.put(*items("a"))
    rig.put(*items("b"))
    room = client.config_get("maxmemory")["maxmemory"]
    client.config_set("maxmemory", 1)
    yield rig
    client.config_set("maxmemory", room)


def test_a_batch_is_refused_and_nothing_of_it_stays(full: Rig) -> None:
    before = full.dump()
    with pytest.raises(StoreFull):
        full.submit_batch(make_batch(Operation.PUT, items("c")))
    assert full.dump() == before


def test_what_waits_is_applied(full: Rig) -> None:
    """Only that makes room again."""
    assert full.drainer().drain(ACME) is Drained.EMPTY
    assert full.statuses() == {1: "DONE", 2: "DONE"}


def test_retention_goes_on(full: Rig) -> None:
    full.drain()
    full.clock.advance(full.settings.task_retention_s * 1000 + 1)
    assert full.partition().retire(now_ms=full.clock(), limit=10) > 0


def test_a_waiting_task_can_be_canceled(full: Rig) -> None:
    """Which is what somebody would do who filled it."""
    full.cancel(2)
    assert full.task(2).status is Status.CANCELED


def test_an_ended_task_cannot_be_run_again(full: Rig) -> None:
    """That would take more of what there is none of."""
    full.drain()
    before = full.dump()
    with pytest.raises(StoreFull):
        full.rerun(1)
    assert full.dump() == before


def test_the_sweep_goes_on(full: Rig) -> None:
    full.client.delete(full.keys().rung)
    full.sweep().once()
    assert full.statuses() == {1: "DONE", 2: "DONE"}


def test_a_spent_slice_is_yielded_and_rung_for(full: Rig) -> None:
    assert full.with_settings(slice_s=0.0).drainer().drain(ACME) is Drained.YIELDED
    assert full.bell.rung == [ACME]
