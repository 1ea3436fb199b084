"""Pulling: a worker that goes through the backlog needs no ringing, and overlooks nothing when it stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from shared import keys
from shared.doorbell import Doorbell
from shared.errors import StoreUnavailable
from shared.model import Operation
from shared.partition.backlog import AWAKE_MS, Backlog, Unowned
from shared.partition.claim import Claim
from shared.waiting import wait_until
from tests.support.batches import items, make_batch
from tests.support.interposed import interposed
from tests.support.rig import ACME, Rig
from workers.drain import puller
from workers.drain.drainer import Drained, Drainer
from workers.drain.puller import SMALL_ENTRIES, Puller
from workers.drain.small_partitions import GroupResult


def make_puller(
    rig: Rig, drainer: Drainer | None = None, backlog: Backlog | None = None, *, linger_s: float = 0.01
) -> Puller:
    bell = cast(Doorbell, rig.bell)
    return Puller(drainer or rig.drainer(), backlog or rig.backlog, bell, clock=rig.clock, linger_s=linger_s)


def soon() -> float:
    return time.monotonic() + 5


class HookedBacklog(Backlog):
    """A backlog whose reader is about to say that it falls asleep when something happens."""

    def __init__(self, rig: Rig, hook: Callable[[], object]) -> None:
        super().__init__(rig.client)
        self._hook: Callable[[], object] | None = hook

    def fall_asleep(self) -> None:
        if hook := self._hook:
            self._hook = None
            hook()
        super().fall_asleep()


def test_everything_that_waits_is_drained_and_nobody_rung_for(rig: Rig) -> None:
    for catalog_key in ("one", "two", "three"):
        rig.put(*items("a"), catalog_key=catalog_key)
    make_puller(rig).pull(until=soon())
    assert all(rig.statuses(catalog_key) == {1: "DONE"} for catalog_key in ("one", "two", "three"))
    assert rig.bell.rung == []
    assert not rig.backlog.is_watched()


def test_whoever_pulls_says_so(rig: Rig) -> None:
    """Once it is certain to look again; for a moment only, so that its death goes unnoticed for no longer than that."""
    rig.put(*items(*map(str, range(SMALL_ENTRIES + 1))), catalog_key="one")
    rig.put(*items("a"), catalog_key="two")
    seen = []

    class Watched(Backlog):
        def stay_awake(self) -> None:
            seen.append("awake")
            super().stay_awake()
            assert 0 < rig.client.pttl("{sluice}:awake") <= AWAKE_MS or not self.is_watched()

    def open_claim(catalog_key: str) -> Claim:
        seen.append("drain")
        return rig.claim(catalog_key)

    make_puller(rig, rig.drainer(open_claim=open_claim), Watched(rig.client)).pull(until=soon())
    assert seen[:3] == ["drain", "awake", "drain"]


def test_nobody_rings_for_a_worker_that_is_awake(rig: Rig) -> None:
    """Whoever sends learns of it with the answer of the store, for any catalog; later, rings are wanted again."""
    made = make_batch(Operation.PUT, items("a"))
    # For longer than a worker says it: a busy machine takes its time to submit.
    rig.client.set(keys.AWAKE, 1)
    assert not rig.submit_batch(made).ring
    rig.backlog.fall_asleep()
    assert rig.submit_batch(made, catalog_key="other").ring


def test_what_comes_while_another_is_drained_is_found(rig: Rig) -> None:
    """Whoever sent it did not ring, since somebody was awake."""
    rig.put(*items("a"))
    open_claim = interposed(rig, before_take=lambda: rig.put(*items("a"), catalog_key="late"))
    make_puller(rig, rig.drainer(open_claim=open_claim)).pull(until=soon())
    assert rig.statuses("late") == {1: "DONE"}


def test_what_comes_at_the_last_moment_is_found(rig: Rig) -> None:
    """After the last look, and before it was said that nobody looks any more."""
    rig.put(*items("a"))
    backlog = HookedBacklog(rig, lambda: rig.put(*items("a"), catalog_key="late"))
    make_puller(rig, backlog=backlog).pull(until=soon())
    assert rig.statuses("late") == {1: "DONE"}


@pytest.fixture
def only_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lingers looks again when called, and otherwise long after the test."""
    monkeypatch.setattr(puller, "LISTEN_S", 100.0)


class LateBacklog(Backlog):
    """A backlog to one of whose catalogs something comes just before it is removed as empty."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig.client)
        self._rig = rig

    def unowned(self, *, emptied: Sequence[str] = (), **how: Any) -> tuple[list[Unowned], int]:
        if emptied and self._rig.statuses("one") == {1: "DONE"}:
            self._rig.put(*items("late"), catalog_key="one")
        return super().unowned(emptied=emptied, **how)


def test_what_comes_to_a_catalog_that_was_just_emptied_is_found_at_once(rig: Rig, only_called: None) -> None:
    """Whoever sent it did not ring, and its call went to nobody."""
    for catalog_key in ("one", "two"):
        rig.put(*items("a"), catalog_key=catalog_key)
    up = make_puller(rig, backlog=LateBacklog(rig), linger_s=100)
    thread = threading.Thread(target=up.pull, kwargs={"until": time.monotonic() + 4})
    thread.start()
    wait_until(lambda: rig.statuses("one") == {1: "DONE", 2: "DONE"}, "it is done", timeout_s=3)
    rig.backlog.linger(0.001)
    thread.join()
    assert rig.backlog.size() == 0


def test_what_comes_to_a_catalog_that_was_emptied_last_is_rung_for(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks any more when the time is up."""
    for catalog_key in ("one", "two"):
        rig.put(*items("a"), catalog_key=catalog_key)
    drainer, until = rig.drainer(), time.monotonic() + 5
    together = drainer.drain_together

    def last(catalog_keys: Sequence[str]) -> GroupResult:
        monkeypatch.setattr(puller.time, "monotonic", lambda: until)
        return together(catalog_keys)

    monkeypatch.setattr(drainer, "drain_together", last)
    make_puller(rig, drainer, LateBacklog(rig)).pull(until=until)
    assert rig.statuses("one") == {1: "DONE", 2: "QUEUED"}
    assert rig.bell.rung == ["one"]


def test_who_lingers_after_a_ring_is_called(rig: Rig, only_called: None) -> None:
    """What comes soon after is seen at once, and not at the next look."""
    up = make_puller(rig, linger_s=100)
    rig.put(*items("a"))
    assert up.drain(ACME) is Drained.EMPTY
    # What was put before called somebody too, who was not lingering yet.
    rig.client.delete(keys.CALL)
    thread = threading.Thread(target=up.pull, kwargs={"until": time.monotonic() + 4})
    thread.start()
    wait_until(rig.backlog.is_watched, "somebody lingers", timeout_s=0.5)
    rig.put(*items("a"), catalog_key="other")
    wait_until(lambda: rig.statuses("other") == {1: "DONE"}, "it is done", timeout_s=3)
    thread.join()


def test_who_has_done_nothing_does_not_linger(rig: Rig, only_called: None) -> None:
    make_puller(rig, linger_s=100).pull(until=soon())
    assert not rig.backlog.is_watched()


def test_who_is_called_knows_for_which_catalog(rig: Rig, only_called: None) -> None:
    """It applies that before it looks at the backlog."""
    seen = []

    class Watched(Backlog):
        def unowned(self, **how: Any) -> tuple[list[Unowned], int]:
            seen.append(rig.client.xlen(keys.CatalogKeys("other").stream))
            return super().unowned(**how)

    up = make_puller(rig, backlog=Watched(rig.client), linger_s=100)
    rig.put(*items("a"))
    up.drain(ACME)
    thread = threading.Thread(target=up.pull, kwargs={"until": time.monotonic() + 1})
    thread.start()
    wait_until(rig.backlog.is_watched, "somebody lingers", timeout_s=0.5)
    rig.put(*items("a"), catalog_key="other")
    thread.join()
    assert not any(seen)
    assert rig.statuses("other") == {1: "DONE"}


def test_a_call_that_nobody_heard_is_heard_later_once(rig: Rig) -> None:
    """However often the catalog called meanwhile."""
    rig.put(*items("a"))
    rig.put(*items("b"))
    assert rig.backlog.linger(100) == ACME
    assert not rig.client.exists(keys.CALL)


def test_who_looks_at_the_backlog_has_heard_all_calls(rig: Rig) -> None:
    rig.put(*items("a"))
    rig.put(*items("a"), catalog_key="other")
    assert len(rig.backlog.unowned()[0]) == 2
    assert rig.backlog.linger(0.001) is None


def test_what_is_given_back_with_work_left_is_for_who_lingers(rig: Rig) -> None:
    """A second worker need not wait for its next look to share a long queue's turns with others."""
    rig.put(*items("a"))
    rig.client.delete(keys.CALL)
    rig.backlog.move_back(ACME, 1)
    assert rig.client.exists(keys.CALL)


def test_who_lingers_is_believed_no_longer_than_that(rig: Rig) -> None:
    """If it dies meanwhile, rings are wanted again soon; and if it gets to work, that may take a while."""
    rig.backlog.linger(0.001)
    assert 0 <= rig.client.pttl(keys.AWAKE) <= AWAKE_MS or not rig.backlog.is_watched()


def test_when_the_time_is_up_somebody_else_is_rung_for(rig: Rig) -> None:
    """After it said that it looks no longer: the ring must not be taken for needless."""
    rig.put(*items("a"))
    make_puller(rig).pull(until=0)
    assert rig.statuses() == {1: "QUEUED"}
    assert rig.bell.rung == [ACME]
    assert not rig.backlog.is_watched()


def test_what_comes_when_the_time_is_up_is_rung_for(rig: Rig) -> None:
    backlog = HookedBacklog(rig, lambda: rig.put(*items("a"), catalog_key="late"))
    make_puller(rig, backlog=backlog).pull(until=0)
    assert rig.bell.rung == ["late"]


def test_a_partition_rung_for_is_drained_first(rig: Rig) -> None:
    rig.put(*items("a"))
    assert make_puller(rig).drain(ACME) is Drained.EMPTY


def test_when_the_store_is_away_there_is_nothing_to_pull(rig: Rig) -> None:
    """The error goes to whoever decides when to try again."""

    def away() -> None:
        raise StoreUnavailable("gone")

    rig.put(*items("a"))
    with pytest.raises(StoreUnavailable):
        make_puller(rig, rig.drainer(open_claim=interposed(rig, before_take=away))).pull(until=soon())
