"""The drain when something else happens in between: nothing is done twice, nothing is left lying."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from shared.catalog.successor import Successor
from shared.errors import StoreUnavailable
from shared.model import Kind, Operation, Part, Status
from shared.partition.grants import AcquireRefusal
from shared.partition.lease import Lease
from shared.partition.step_results import StepsTaken
from shared.partition.steps import Failure, Step
from tests.support.batches import Entry, items, make_batch, named, variations
from tests.support.interposed import Killed, interposed, killed
from tests.support.rig import ACME, Rig
from workers.drain.drainer import Drained


def send_some(rig: Rig, batches: int = 6) -> None:
    for number in range(batches):
        if number % 3 == 2:
            rig.delete(*named(f"i{number - 1}"))
        else:
            rig.put(*items("all", f"i{number}", n=number), chunk_entries=1)


def test_a_task_canceled_during_a_drain_has_no_effect(rig: Rig) -> None:
    """Although it was planned already; those before and behind it have theirs."""
    for name in ("a", "b", "c"):
        rig.put(*items(name))
    open_claim = interposed(rig, before_take=lambda: rig.cancel(2))
    assert rig.drainer(open_claim=open_claim).drain(ACME) is Drained.EMPTY
    assert rig.statuses() == {1: "DONE", 2: "CANCELED", 3: "DONE"}
    assert list(rig.bodies()) == ["a", "c"]
    rig.check_laws()


def test_a_head_canceled_before_it_begins_has_no_effect(rig: Rig) -> None:
    rig.put(*items("a", "b"), chunk_entries=1)
    rig.put(*items("c"))
    open_claim = interposed(rig, before_begin=lambda: rig.cancel(1))
    assert rig.drainer(open_claim=open_claim).drain(ACME) is Drained.EMPTY
    assert rig.statuses() == {1: "CANCELED", 2: "DONE"}
    rig.check_laws()


def test_the_only_task_canceled_leaves_the_partition_free(rig: Rig) -> None:
    rig.put(*items("a"))
    open_claim = interposed(rig, before_take=lambda: rig.cancel(1))
    assert rig.drainer(open_claim=open_claim).drain(ACME) is Drained.EMPTY
    assert not rig.client.exists(rig.keys().lease)


def test_a_batch_that_comes_at_the_last_moment_is_not_left_behind_a_lease(rig: Rig) -> None:
    """The owner saw nothing wait, then something did: it goes on, or gives the partition back."""
    rig.put(*items("a"))
    open_claim = interposed(rig, before_take=lambda: rig.cancel(1), before_release=lambda: rig.put(*items("b")))
    rig.drainer(open_claim=open_claim).drain(ACME)
    assert rig.statuses()[2] == "DONE" or not rig.client.exists(rig.keys().lease)


def test_who_lost_the_lease_midway_is_fenced(rig: Rig) -> None:
    """It slept past its lease, another drained meanwhile: its late commit changes nothing."""
    send_some(rig)

    def sleep_too_long() -> None:
        rig.expire_lease()
        assert rig.drainer(holder="two").drain(ACME) is Drained.EMPTY

    open_claim = interposed(rig, before_take=sleep_too_long)
    assert rig.drainer(open_claim=open_claim).drain(ACME) is Drained.LOST
    rig.check_laws()


def test_who_lost_the_lease_to_one_who_is_still_at_it_is_fenced(rig: Rig) -> None:
    """The new owner has planned the very same steps."""
    send_some(rig)
    taken = []

    def sleep_too_long() -> None:
        rig.expire_lease()
        grant = rig.acquire(holder="two")
        taken.append((grant, rig.plan(grant)))

    open_claim = interposed(rig, before_take=sleep_too_long)
    assert rig.drainer(open_claim=open_claim).drain(ACME) is Drained.LOST
    rig.take(*taken[0])
    rig.expire_lease()
    rig.drain()
    rig.check_laws()


def test_who_lost_the_lease_in_the_check_pass_stops(rig: Rig) -> None:
    rig.put(*items("a", "b", "c"))
    rig.drain()
    rig.patch(*({"id": entry_id, "name": "x"} for entry_id in "abc"), chunk_entries=1)
    open_claim = interposed(rig, before_extend=rig.expire_lease)
    assert rig.drainer(open_claim=open_claim).drain(ACME) is Drained.LOST
    assert rig.task(2).entries_done == 0
    rig.drain()
    rig.check_laws()


@pytest.mark.parametrize(
    ("operation", "kind", "entries"),
    [(Operation.SYNC, Kind.VARIATIONS, variations("a", "v", size=2)), (Operation.KEEP, Kind.ITEMS, named("a"))],
)
def test_who_lost_the_lease_while_it_looks_at_what_a_file_leaves_out_stops(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, operation: Operation, kind: Kind, entries: list[Entry]
) -> None:
    """Another has ended the task meanwhile, and what it looked at is gone: that is no error."""
    rig.put(*items("a", "b"))
    rig.put(*variations("a", "v", "w"), *variations("b", "x"), kind=Kind.VARIATIONS)
    rig.drain()
    batch, frames = make_batch(operation, entries, kind=kind)
    task_id = rig.submit_batch((replace(batch, parts=(Part(kind, batch.entries, batch.chunks),)), frames)).task_id
    page = Successor.page

    def sleep_too_long(self: Successor, offset: int, size: int) -> list[str]:
        ids = page(self, offset, size)
        if self._kind is Kind.VARIATIONS:
            monkeypatch.undo()
            rig.expire_lease()
            assert rig.drainer(holder="two").drain(ACME) is Drained.EMPTY
        return ids

    monkeypatch.setattr(Successor, "page", sleep_too_long)
    assert rig.drainer().drain(ACME) is Drained.LOST
    assert rig.task(task_id).status is Status.DONE
    assert list(rig.bodies(Kind.VARIATIONS)) == (["v"] if kind is Kind.VARIATIONS else ["v", "w"])


@pytest.mark.parametrize("moment", ["before_take", "after_take", "before_begin", "after_acquire", "after_begin"])
def test_a_killed_owner_costs_nothing_but_time(rig: Rig, moment: str) -> None:
    """Whenever it dies, once its lease has run out the next goes on from where it was."""
    send_some(rig)
    with pytest.raises(Killed):
        rig.drainer(open_claim=interposed(rig, **{moment: killed})).drain(ACME)
    assert rig.drainer(holder="two").drain(ACME) in (Drained.NOT_OWNER, Drained.EMPTY)
    rig.expire_lease()
    rig.drain()
    rig.check_laws()


def test_a_lease_that_runs_out_unnoticed_does_no_harm(rig: Rig) -> None:
    """Nobody else came: the owner is fenced all the same, and the next drain goes on."""
    send_some(rig)
    open_claim = interposed(rig, before_take=rig.expire_lease)
    assert rig.drainer(open_claim=open_claim).drain(ACME) is Drained.LOST
    assert rig.drain() is Drained.EMPTY
    rig.check_laws()


def test_a_lost_payload_fails_its_task_and_no_other(rig: Rig) -> None:
    """One chunk or many; never a loop."""
    rig.put(*items("a"))
    rig.put(*items("b"), excused=True)
    rig.put(*items("c", "d"), chunk_entries=1, excused=True)
    rig.put(*items("e"))
    for task_id in (2, 3):
        rig.client.delete(rig.keys().payload(task_id))
    assert rig.drain() is Drained.EMPTY
    assert rig.statuses() == {1: "DONE", 2: "FAILED", 3: "FAILED", 4: "DONE"}
    assert rig.task(2).error == "IngestionError: the payload of this task is lost; nothing of it was applied"
    rig.check_laws()


def test_a_payload_that_lost_a_part_fails_in_the_check_pass(rig: Rig) -> None:
    rig.put(*items("a", "b", "c"))
    rig.patch(*({"id": entry_id, "name": "x"} for entry_id in "abc"), chunk_entries=1, excused=True)
    rig.client.rpop(rig.keys().payload(2))
    rig.drain()
    assert rig.statuses() == {1: "DONE", 2: "FAILED"}
    rig.check_laws()


def test_a_lost_record_does_not_stop_those_behind_it(rig: Rig) -> None:
    rig.put(*items("a"))
    rig.put(*items("b"))
    rig.client.delete(rig.keys().task(1))
    assert rig.drain() is Drained.EMPTY
    assert rig.task(2).status == "DONE"
    assert list(rig.bodies()) == ["b"]
    assert rig.state().tasks == 0
    # Nobody else ever loses one: what the indexes still say of it is the matter of the next test.
    rig.client.flushdb()


def test_a_lost_record_is_not_counted_as_waiting_for_ever(rig: Rig) -> None:
    rig.put(*items("a"))
    rig.client.delete(rig.keys().task(1))
    rig.drain()
    assert rig.client.zcard(rig.keys().by_status("QUEUED")) == 0
    assert rig.client.zcard(rig.keys().tasks) == rig.client.zcard(rig.keys().ended)


def test_redis_being_away_is_nobodys_stall(rig: Rig) -> None:
    """A short one at least: the owner gives the partition back when it can."""

    def away() -> None:
        raise StoreUnavailable("gone for a moment")

    rig.put(*items("a"))
    for _ in range(rig.settings.max_stalls + 1):
        with pytest.raises(StoreUnavailable):
            rig.drainer(open_claim=interposed(rig, before_take=away)).drain(ACME)
        rig.expire_lease()
    rig.drain()
    assert rig.statuses() == {1: "DONE"}


def test_a_batch_that_breaks_its_workers_is_given_up_and_the_others_are_applied(rig: Rig) -> None:
    """An error nobody foresaw is raised, counts as a stall, and the next attempt is made a little later."""
    rig.put(*items("a"))
    rig.put(*items("bad"), excused=True)
    rig.put(*items("c"))
    rig.client.lset(rig.keys().payload(2), 0, b"this is no frame")
    failures = 0
    while rig.statuses()[3] != "DONE":
        try:
            rig.drainer().drain(ACME)
        # Whatever a frame of rubbish makes the decoder raise: a worker goes on after any of it.
        except Exception:
            failures += 1
            rig.expire_lease()
            assert failures < 20
    assert rig.statuses() == {1: "DONE", 2: "FAILED", 3: "DONE"}
    rig.check_laws()


def test_a_batch_that_kills_its_workers_is_found_quickly(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first death one batch a commit, until the place is passed where it happened."""
    for number in range(20):
        rig.put(*items(str(number)))
    rig.put(*items("killer"), excused=True)
    killer, deaths = len(rig.accepted[ACME]), 0

    take = Lease.take

    def deadly(lease: Lease, base: str, steps: Sequence[Step], **how: Any) -> StepsTaken:
        if any(step.work.task_id == killer and not isinstance(step, Failure) for step in steps):
            raise Killed
        return take(lease, base, steps, **how)

    monkeypatch.setattr(Lease, "take", deadly)
    drainer = rig.drainer()
    while rig.statuses()[killer] != "FAILED":
        try:
            drainer.drain(ACME)
        except Killed:
            deaths += 1
            rig.expire_lease()
    rig.check_laws()
    assert deaths <= rig.settings.max_stalls + 1


def test_two_that_race_share_the_work(rig: Rig) -> None:
    """Threads take each other's place at every slice; a third keeps sending; the laws hold."""
    racing = rig.with_settings(slice_s=0.0)
    wrong: list[BaseException] = []
    done = threading.Event()

    def race(holder: str) -> None:
        try:
            drainer = racing.drainer(holder=holder)
            while not done.is_set() or racing.backlog.waiting(skip=0):
                drainer.drain(ACME)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=race, args=(f"worker-{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    send_some(racing, 60)
    done.set()
    for thread in threads:
        thread.join(30)
    assert wrong == []
    assert racing.drain() is Drained.EMPTY
    racing.check_laws()


def test_two_that_cannot_agree_on_who_owns_it_still_do_everything_once(rig: Rig) -> None:
    """Leases run out at random moments under both: worse than any pause or clock could do."""
    racing = rig.with_settings(slice_s=0.0, max_stalls=10_000)
    send_some(racing, 40)
    done = threading.Event()

    def race(holder: str) -> None:
        drainer = racing.drainer(holder=holder)
        while not done.is_set():
            drainer.drain(ACME)

    threads = [threading.Thread(target=race, args=(f"worker-{number}",)) for number in range(2)]
    for thread in threads:
        thread.start()
    while isinstance(racing.claim(holder="nobody", nonce="x").acquire(), AcquireRefusal) and racing.backlog.waiting(
        skip=0
    ):
        racing.expire_lease()
    done.set()
    for thread in threads:
        thread.join(30)
    racing.expire_lease()
    assert racing.drain() is Drained.EMPTY
    racing.check_laws()
