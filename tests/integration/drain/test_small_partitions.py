"""Small partitions drained in step: the same effects, fewer round trips, and nobody suffers for a neighbour."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared import keys
from shared.errors import StoreUnavailable
from shared.partition.claim import acquire_together
from shared.partition.lease import take_together
from shared.partition.step_calls import MANY_VALUES
from shared.store import scripts
from tests.support.batches import items
from tests.support.interposed import Killed
from tests.support.rig import Rig
from workers.drain import small_partitions

KEYS = ["one", "two", "three", "four"]


@pytest.fixture
def laden(rig: Rig) -> Rig:
    """A rig with an entry in each catalog."""
    for catalog_key in KEYS:
        rig.put(*items("a"), catalog_key=catalog_key)
    return rig


def assert_done(rig: Rig, *catalog_keys: str) -> None:
    for catalog_key in catalog_keys:
        assert set(rig.statuses(catalog_key).values()) == {"DONE"}
        rig.check_laws(catalog_key)


def test_they_share_round_trips(laden: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take over, read, commit; whoever looks for more strikes them off the list with the same look."""
    trips, exchange = [], scripts.exchange
    monkeypatch.setattr(scripts, "exchange", lambda *args: trips.append(1) or exchange(*args))
    drained = laden.drainer().drain_together(KEYS)
    assert (drained.empty, drained.left) == (KEYS, [])
    assert len(trips) == 3
    assert laden.backlog.unowned(emptied=drained.empty, now_ms=1, stay_awake=True) == ([], 0)
    assert len(trips) == 4
    assert_done(laden, *KEYS)


@pytest.mark.parametrize("number", range(3))
def test_they_may_be_few_or_none(laden: Rig, number: int) -> None:
    assert laden.drainer().drain_together(KEYS[:number]).left == []
    assert_done(laden, *KEYS[:number])
    assert all(laden.statuses(catalog_key) == {1: "QUEUED"} for catalog_key in KEYS[number:])


def test_one_batch_of_them_may_be_long(laden: Rig) -> None:
    """Others write so many values by a transaction; here all share one round trip."""
    laden.put(*items(*map(str, range(2 * MANY_VALUES))), catalog_key="two")
    assert laden.drainer().drain_together(KEYS).left == []
    assert_done(laden, *KEYS)
    assert laden.statuses("two") == {1: "DONE", 2: "DONE"}


def ended_by(error: BaseException, call: Callable[..., object]) -> Callable[..., None]:
    """Make of a call one that has its effect, and then raises."""

    def ended(*args: object, **how: object) -> None:
        call(*args, **how)
        raise error

    return ended


def test_what_is_more_than_a_window_is_left(laden: Rig) -> None:
    """Given back, to be drained by itself."""
    for _ in range(70):
        laden.put(*items("b"), catalog_key="two")
    assert laden.drainer().drain_together(KEYS).left == ["two"]
    assert_done(laden, "one", "three", "four")
    laden.drain("two")
    assert_done(laden, "two")


def test_what_somebody_drains_is_left_to_them(laden: Rig) -> None:
    laden.acquire("two", holder="other")
    assert laden.drainer().drain_together(KEYS).left == []
    assert laden.statuses("two") == {1: "QUEUED"}


def test_after_a_worker_died_each_is_drained_by_itself(laden: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the next death tells which of them it was."""
    with monkeypatch.context() as patched:
        patched.setattr(small_partitions, "take_together", ended_by(Killed(), take_together))
        with pytest.raises(Killed):
            laden.drainer().drain_together(KEYS[:2])
    for catalog_key in KEYS[:2]:
        laden.put(*items("b"), catalog_key=catalog_key)
        laden.acquire(catalog_key)
        laden.expire_lease(catalog_key)
    assert laden.drainer().drain_together(KEYS).left == ["one", "two"]
    assert_done(laden, "three", "four")
    for catalog_key in KEYS[:2]:
        laden.drain(catalog_key)
    assert_done(laden, *KEYS)


def test_a_broken_neighbour_holds_nobody_up(laden: Rig) -> None:
    """All are given back at once, without blame, and drained by themselves."""
    laden.client.delete(laden.keys("two").waiting)
    laden.client.set(laden.keys("two").waiting, "broken")
    assert laden.drainer().drain_together(KEYS).left == KEYS
    for catalog_key in ("one", "three", "four"):
        laden.put(*items("b"), catalog_key=catalog_key)
        assert laden.acquire(catalog_key, nonce="n").stalls == 0
        laden.claim(catalog_key, nonce="n").excuse()
        laden.drain(catalog_key)
    assert_done(laden, "one", "three", "four")
    laden.client.delete(keys.RESERVED, *laden.client.keys("*{two}*"))


def test_nobody_is_blamed_when_the_store_was_away(laden: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = ended_by(StoreUnavailable("gone"), acquire_together)
    monkeypatch.setattr(small_partitions, "acquire_together", gone)
    with pytest.raises(StoreUnavailable):
        laden.drainer().drain_together(KEYS)
    for catalog_key in KEYS:
        assert laden.acquire(catalog_key, holder="next", nonce="n").stalls == 0
