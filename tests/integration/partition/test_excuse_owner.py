"""excuse_owner: an outage of the store counts as no batch's stall, however late it is reported."""

from __future__ import annotations

import pytest

from shared.errors import StoreUnavailable
from tests.support.batches import items
from tests.support.interposed import interposed
from tests.support.rig import ACME, Rig
from workers.drain.drainer import Drained, Drainer


def away() -> None:
    raise StoreUnavailable("gone for a moment")


def interrupted(rig: Rig, moment: str = "before_take") -> Drainer:
    """A drainer that has just lost sight of the store, also when it wanted to say so."""
    open_claim = interposed(rig, holder="away", **{moment: away, "before_excuse": away})
    drainer = rig.drainer(open_claim=open_claim)
    with pytest.raises(StoreUnavailable):
        drainer.drain(ACME)
    return drainer


def test_it_is_taken_out_of_the_count_after_the_next_owner_came(rig: Rig) -> None:
    """The count is that of the others."""
    rig.put(*items("a"))
    rig.acquire(nonce="died")
    rig.expire_lease()
    rig.acquire(nonce="away")
    rig.expire_lease()
    assert rig.acquire(nonce="next").stalls == 2
    rig.claim(nonce="away").excuse()
    assert rig.state().stalls == 1
    assert rig.state().holder == "one", "the owner of now keeps it"


def test_it_is_not_counted_if_nobody_came_meanwhile(rig: Rig) -> None:
    rig.put(*items("a"))
    rig.acquire(nonce="away")
    rig.expire_lease()
    rig.claim(nonce="away").excuse()
    assert rig.acquire().stalls == 0


def test_the_lease_is_given_back_if_it_still_runs(rig: Rig) -> None:
    """Nobody has to wait until it has run out."""
    rig.put(*items("a"))
    rig.acquire(nonce="away")
    rig.claim(nonce="away").excuse()
    assert rig.acquire().stalls == 0


def test_a_repeat_changes_nothing(rig: Rig) -> None:
    """Nor does an excuse of somebody who never owned anything."""
    rig.put(*items("a"))
    for nonce in ("one", "two", "three"):
        rig.acquire(nonce=nonce)
        rig.expire_lease()
    for nonce in ("one", "one", "stranger"):
        rig.claim(nonce=nonce).excuse()
    assert rig.acquire().stalls == 2


def test_a_drain_excuses_itself_as_soon_as_the_store_is_back(rig: Rig) -> None:
    """At the latest when it drains again, whichever partition that is."""
    rig.put(*items("a"))
    rig.put(*items("a"), catalog_key="other")
    drainer = interrupted(rig)
    assert rig.state().holder == "away"
    assert drainer.drain("other") is Drained.EMPTY
    assert rig.state().holder is None
    assert rig.acquire().stalls == 0


def test_an_owner_that_never_heard_that_it_is_one_is_excused(rig: Rig) -> None:
    """The answer to acquire was lost."""
    rig.put(*items("a"))
    drainer = interrupted(rig, "after_acquire")
    assert drainer.drain(ACME) is Drained.EMPTY
    assert rig.statuses() == {1: "DONE"}


def test_a_partition_that_was_stuck_for_that_alone_goes_on(rig: Rig) -> None:
    """The last straw was the store's own."""
    fragile = rig.with_settings(max_stalls=1)
    rig.put(*items("a", "b"), chunk_entries=1)
    grant = rig.acquire()
    rig.take(grant, rig.plan(grant)[:1])
    grant.lease.yield_()
    drainer = interrupted(fragile)
    rig.expire_lease()
    assert fragile.drainer().drain(ACME) is Drained.STUCK
    assert drainer.drain(ACME) is Drained.EMPTY
    rig.check_laws()


def test_owners_lost_with_the_server_are_not_counted(rig: Rig) -> None:
    """It died and came back, perhaps on another machine, and so may have all that were connected to it."""
    rig.put(*items("a"))
    rig.acquire()
    rig.expire_lease()
    rig.acquire()
    rig.client.hset(rig.keys().position, "run", "of the server that died")
    rig.expire_lease()
    assert rig.acquire().stalls == 1
    rig.expire_lease()
    assert rig.acquire().stalls == 2
