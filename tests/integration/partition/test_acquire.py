"""acquire_lease grants one owner at a time, and counts stalls where they happen."""

from __future__ import annotations

from dataclasses import replace

from shared.partition.grants import AcquireRefusal, Grant
from shared.partition.lease import PAUSE_MS
from tests.support.batches import items
from tests.support.rig import Rig
from workers.drain.drainer import Drained


def lose_owners(rig: Rig, times: int) -> None:
    """Let owners take the partition and die."""
    for _ in range(times):
        rig.acquire()
        rig.expire_lease()


def test_nothing_to_do_is_nothing_to_own(rig: Rig) -> None:
    """And a wake-up that was under way has arrived."""
    rig.put(*items("a"))
    rig.drain()
    rig.client.set(rig.keys().rung, 1, px=2000)
    assert rig.claim(nonce="n").acquire() is AcquireRefusal.EMPTY
    assert not rig.client.exists(rig.keys().lease, rig.keys().rung)


def test_there_is_one_owner(rig: Rig) -> None:
    """A second one is refused, and refusing costs the first nothing."""
    rig.put(*items("a"))
    rig.acquire(nonce="n")
    before = rig.dump()
    assert rig.claim(holder="two", nonce="m").acquire() is AcquireRefusal.OWNED
    assert rig.dump() == before


def test_a_lease_runs_out_by_itself(rig: Rig) -> None:
    """It lives for the time that is set, from each step on."""
    rig.put(*items("a"))
    rig.acquire()
    ttl_ms = rig.client.pttl(rig.keys().lease)
    assert 0.5 * rig.settings.lease_ttl_s * 1000 < ttl_ms <= rig.settings.lease_ttl_s * 1000


def test_no_two_owners_share_a_token(rig: Rig) -> None:
    """The counter grows, and the caller's nonce is part of it."""
    rig.put(*items("a"))
    tokens = []
    for nonce in ("n", "m", "n"):
        tokens.append(rig.acquire(nonce=nonce).lease.token)
        rig.expire_lease()
    assert tokens == ["1:n", "2:m", "3:n"]


def test_a_repeat_gets_the_same_token(rig: Rig) -> None:
    """A lost answer costs nothing: not a stall, not a new owner."""
    rig.put(*items("a"))
    first, again = (rig.acquire(nonce="n") for _ in range(2))
    assert again.lease.token == first.lease.token
    assert replace(again, lease=first.lease) == first
    assert again.stalls == 0


def test_a_repeat_is_handed_what_comes_next(rig: Rig) -> None:
    """An owner that lost its way looks again."""
    for name in ("a", "b"):
        rig.put(*items(name))
    grant = rig.acquire(nonce="n")
    rig.cancel(1)
    assert [work.task_id for work in rig.acquire(nonce="n").window] == [2]
    assert [work.task_id for work in grant.window] == [1, 2]


def test_who_takes_it_has_heard_the_bell(rig: Rig) -> None:
    rig.put(*items("a"))
    assert rig.client.exists(rig.keys().rung)
    rig.acquire()
    assert not rig.client.exists(rig.keys().rung)


def test_the_holder_is_shown(rig: Rig) -> None:
    rig.put(*items("a"))
    rig.acquire(holder="host:1")
    assert rig.state().holder == "host:1"


# -- windows ----------------------------------------------------------------------------------------------------------


def test_small_tasks_share_a_window(rig: Rig) -> None:
    """Up to 64, so that they share round trips."""
    for number in range(70):
        rig.put(*items(str(number)))
    assert [work.task_id for work in rig.acquire().window] == list(range(1, 65))


def test_a_window_ends_where_it_is_enough(rig: Rig) -> None:
    """At 4000 entries, in the middle of a task if need be."""
    rig.put(*items(*map(str, range(3000))), chunk_entries=1000)
    rig.put(*items(*map(str, range(3000))), chunk_entries=1000)
    assert [(work.task_id, len(work.frames)) for work in rig.acquire().window] == [(1, 3), (2, 1)]


# -- stalls -----------------------------------------------------------------------------------------------------------


def test_an_owner_lost_at_the_same_position_is_a_stall(rig: Rig) -> None:
    rig.put(*items("a"))
    for stalls in range(4):
        assert rig.acquire().stalls == stalls
        rig.expire_lease()


def test_progress_begins_the_count_anew(rig: Rig) -> None:
    """Those lost further on are counted from one again."""
    rig.put(*items("a", "b"), chunk_entries=1)
    lose_owners(rig, 3)
    grant = rig.acquire()
    rig.take(grant, rig.plan(grant))
    rig.expire_lease()
    assert rig.acquire().stalls == 1


def test_a_failed_task_is_progress(rig: Rig) -> None:
    rig.patch({"id": "missing"})
    rig.put(*items("a"))
    lose_owners(rig, 3)
    grant = rig.acquire()
    rig.take(grant, rig.plan(grant))
    rig.expire_lease()
    assert rig.acquire().stalls <= 1


def test_an_owner_that_yields_is_no_stall(rig: Rig) -> None:
    rig.put(*items("a"))
    lose_owners(rig, 2)
    rig.acquire().lease.yield_()
    assert rig.acquire().stalls == 2


def test_an_owner_in_trouble_is_a_stall(rig: Rig) -> None:
    """It had no chance to die: an error was raised that would be raised again.  The next attempt waits a moment."""
    rig.put(*items("a"))
    rig.acquire().lease.yield_(troubled=True)
    assert rig.claim(holder="two", nonce="n").acquire() is AcquireRefusal.OWNED
    assert 0 < rig.client.pttl(rig.keys().lease) <= PAUSE_MS
    rig.expire_lease()
    assert rig.acquire().stalls == 1


def test_an_owner_that_releases_is_no_stall(rig: Rig) -> None:
    rig.put(*items("a"))
    lose_owners(rig, 2)
    grant = rig.acquire()
    rig.cancel(1)
    assert grant.lease.release()
    rig.put(*items("b"))
    assert rig.acquire().stalls == 0


def test_an_owner_that_empties_the_partition_is_no_stall(rig: Rig) -> None:
    rig.put(*items("a"))
    lose_owners(rig, 2)
    assert rig.drain() is Drained.EMPTY
    rig.put(*items("b"))
    assert rig.acquire().stalls == 0


def test_after_a_stall_one_chunk_is_handed_out_at_a_time(rig: Rig) -> None:
    """So that the batch which kills its workers can be told from those behind it."""
    rig.put(*items("a", "b"), chunk_entries=1)
    rig.put(*items("c"))
    assert [(work.task_id, len(work.frames)) for work in rig.acquire().window] == [(1, 2), (2, 1)]
    rig.expire_lease()
    assert [(work.task_id, len(work.frames)) for work in rig.acquire().window] == [(1, 1)]


def test_a_task_that_never_comes_to_an_end_is_given_up(rig: Rig) -> None:
    """FAILED, nothing of it applied, and the next one goes on."""
    rig.put(*items("killer"), excused=True)
    rig.put(*items("b"))
    lose_owners(rig, rig.settings.max_stalls)
    assert rig.drain() is Drained.EMPTY
    assert rig.statuses() == {1: "FAILED", 2: "DONE"}
    error = f"IngestionError: given up after {rig.settings.max_stalls} attempts, none of which finished"
    assert rig.task(1).error == error
    rig.check_laws()


def test_one_owner_less_and_it_is_tried_again(rig: Rig) -> None:
    rig.put(*items("a"))
    lose_owners(rig, rig.settings.max_stalls - 1)
    assert rig.drain() is Drained.EMPTY
    assert rig.statuses() == {1: "DONE"}


def test_what_has_begun_to_be_applied_is_left_to_an_operator(rig: Rig) -> None:
    """It can neither fail nor be skipped, so the partition is stuck, and shown as such, until somebody looked."""
    rig.put(*items("a", "b"), chunk_entries=1)
    rig.put(*items("c"))
    grant = rig.acquire()
    rig.take(grant, rig.plan(grant)[:1])
    rig.expire_lease()
    lose_owners(rig, rig.settings.max_stalls - 1)
    assert rig.claim(nonce="n").acquire() is AcquireRefusal.STUCK
    assert rig.drain() is Drained.STUCK
    assert rig.statuses() == {1: "IN_PROGRESS", 2: "QUEUED"}
    assert rig.state().stuck
    patient = rig.with_settings(max_stalls=100)
    assert isinstance(patient.claim(nonce="m").acquire(), Grant)
    assert not rig.state().stuck
    rig.expire_lease()
    patient.drain()
    rig.check_laws()


def test_a_head_that_was_canceled_takes_its_stalls_along(rig: Rig) -> None:
    """The next task is innocent: it is not given up for what its predecessor did."""
    rig.put(*items("killer"))
    rig.put(*items("b"))
    lose_owners(rig, rig.settings.max_stalls)
    rig.cancel(1)
    rig.drain()
    assert rig.statuses() == {1: "CANCELED", 2: "DONE"}
