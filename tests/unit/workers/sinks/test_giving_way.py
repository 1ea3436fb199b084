"""A sink's worker rests where processors are short while batches wait, and only there."""

from __future__ import annotations

import sys
import time

import pytest

from workers.sinks.giving_way import LONGEST_S, SHARE, GivingWay, thread_times_s


class Thread:
    """A thread that runs and waits by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.ran, self.waited = 100.0, 1.0, 1.0
        self.batches_wait = True
        self.rests: list[float] = []
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        self.way = GivingWay(lambda: self.batches_wait, self._rest, lambda: (self.ran, self.waited))
        self.way.step()

    def works(self, *, ran: float, waited: float, slept: float = 0.0) -> float:
        """Work, and take a step; returns how long it rested."""
        self.ran, self.waited, self.now = self.ran + ran, self.waited + waited, self.now + ran + waited + slept
        self.rests.clear()
        self.way.step()
        return sum(self.rests)

    def _rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.now += seconds


@pytest.fixture
def thread(monkeypatch: pytest.MonkeyPatch) -> Thread:
    return Thread(monkeypatch)


def test_who_waits_for_a_processor_works_a_small_share_of_the_time(thread: Thread) -> None:
    for _ in range(3):
        rested = thread.works(ran=0.01, waited=0.02, slept=0.01)
        assert 0.01 / (0.04 + rested) == pytest.approx(SHARE)


def test_a_rest_has_an_end(thread: Thread) -> None:
    assert thread.works(ran=5.0, waited=5.0) == LONGEST_S


def test_who_waited_long_enough_does_not_rest_as_well(thread: Thread) -> None:
    assert thread.works(ran=0.01, waited=3.0) == 0


def test_nobody_rests_where_there_is_room(thread: Thread) -> None:
    assert thread.works(ran=0.01, waited=0.002, slept=0.03) == 0


def test_nobody_rests_for_batches_that_are_not_there(thread: Thread) -> None:
    """Sinks that share the processors among themselves take all of them."""
    thread.batches_wait = False
    assert thread.works(ran=0.01, waited=0.02) == 0


def test_nobody_rests_where_the_system_does_not_tell() -> None:
    way = GivingWay(lambda: True, lambda _: pytest.fail("it rested"), lambda: None)
    way.step()
    way.step()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_linux_tells_how_long_this_thread_ran() -> None:
    before = thread_times_s()
    end = time.thread_time() + 0.02
    while time.thread_time() < end:
        pass
    after = thread_times_s()
    assert before is not None
    assert after is not None
    assert after[0] - before[0] >= 0.01
