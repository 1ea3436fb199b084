"""extend, yield and release: only the owner can, and nothing is lost meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.partition.lease import Lease
from shared.partition.tail import RUNG_TTL_MS
from tests.support.batches import items
from tests.support.rig import Rig

OWNERS_STEPS: list[Callable[[Lease], bool]] = [Lease.extend, Lease.yield_, Lease.release]


@pytest.mark.parametrize("step", OWNERS_STEPS, ids=lambda step: step.__name__)
@pytest.mark.parametrize("taken_over", [False, True])
def test_who_has_lost_the_partition_changes_nothing(rig: Rig, step: Callable[[Lease], bool], taken_over: bool) -> None:
    """Whether somebody else has it already or not."""
    rig.put(*items("a"))
    grant = rig.acquire()
    rig.expire_lease()
    if taken_over:
        rig.acquire(holder="two")
    before = rig.dump()
    assert step(grant.lease) is False
    assert rig.dump() == before


def test_extending_holds_on_for_another_while(rig: Rig) -> None:
    rig.put(*items("a"))
    grant = rig.acquire()
    rig.client.pexpire(rig.keys().lease, 4000)
    before = rig.dump()
    assert grant.lease.extend()
    assert rig.client.pttl(rig.keys().lease) > 5000
    assert rig.dump() == before


def test_yielding_marks_the_partition_as_rung_for(rig: Rig) -> None:
    """So that nobody else rings until this ring must have arrived."""
    rig.put(*items("a"))
    grant = rig.acquire()
    assert grant.lease.yield_()
    assert not rig.client.exists(rig.keys().lease)
    assert 0 < rig.client.pttl(rig.keys().rung) <= RUNG_TTL_MS
    rig.acquire(holder="two")


def test_yielding_twice_does_no_harm(rig: Rig) -> None:
    """A repeat after a lost answer is told that it is no longer the owner, which is true."""
    rig.put(*items("a"))
    grant = rig.acquire()
    assert [grant.lease.yield_() for _ in range(2)] == [True, False]


def test_a_partition_with_work_is_not_released(rig: Rig) -> None:
    """The owner keeps it: a batch that came at the last moment is not left alone."""
    rig.put(*items("a"))
    grant = rig.acquire()
    before = rig.dump()
    assert not grant.lease.release()
    assert rig.dump() == before


def test_an_empty_partition_is_released(rig: Rig) -> None:
    rig.put(*items("a"))
    grant = rig.acquire()
    rig.cancel(1)
    assert grant.lease.release()
    assert not rig.client.exists(rig.keys().lease)
