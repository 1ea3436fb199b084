"""The sweep: what waits is found, whatever became of the wake-up."""

from __future__ import annotations

import contextlib

import pytest

from shared.model import Operation
from shared.partition.backlog import PAGE
from shared.partition.claim import Claim
from shared.partition.grants import Grant
from shared.partition.heartbeats import ALIVE_MS, FORGOTTEN_MS, Heartbeats
from shared.store import scripts
from tests.support.batches import items, make_batch
from tests.support.interposed import interposed
from tests.support.rig import ACME, Rig


def forget_rings(rig: Rig, *catalog_keys: str) -> None:
    """Let so much time pass that a wake-up must have arrived."""
    for catalog_key in catalog_keys:
        rig.client.delete(rig.keys(catalog_key).rung)


def test_a_lost_wake_up_is_made_up_for(rig: Rig) -> None:
    """Without any ring: the sweep drains in place."""
    rig.put(*items("a"))
    forget_rings(rig, ACME)
    rig.sweep().once()
    assert rig.statuses() == {1: "DONE"}
    assert rig.bell.rung == []
    assert rig.backlog.waiting(skip=0) == []


def test_what_somebody_drains_is_left_alone(rig: Rig) -> None:
    for catalog_key in ("owned", "free"):
        rig.put(*items("a"), catalog_key=catalog_key)
    forget_rings(rig, "owned", "free")
    rig.acquire("owned")
    rig.sweep().once()
    assert [rig.statuses(catalog_key)[1] for catalog_key in ("owned", "free")] == ["QUEUED", "DONE"]


def test_the_longest_waiting_comes_first(rig: Rig) -> None:
    """A later batch does not move its catalog up or down."""
    for catalog_key in ("c", "a", "b"):
        rig.put(*items("x"), catalog_key=catalog_key)
        rig.clock.advance(10)
    rig.put(*items("y"), catalog_key="c")
    forget_rings(rig, "a", "b", "c")
    drained = []

    def open_claim(catalog_key: str) -> Claim:
        drained.append(catalog_key)
        return rig.claim(catalog_key)

    rig.sweep(rig.drainer(open_claim=open_claim)).once()
    assert drained == ["c", "a", "b"]


def test_more_catalogs_than_a_page_are_all_found(rig: Rig) -> None:
    """Also behind a page of those that somebody drains."""
    catalog_keys = [f"c{number:03}" for number in range(PAGE + 10)]
    for catalog_key in catalog_keys:
        rig.put(*items("x"), catalog_key=catalog_key)
        rig.clock.advance(1)
    forget_rings(rig, *catalog_keys)
    for catalog_key in catalog_keys[:PAGE]:
        rig.acquire(catalog_key)
    rig.sweep().once()
    ended = [rig.statuses(catalog_key)[1] == "DONE" for catalog_key in catalog_keys]
    assert ended == [False] * PAGE + [True] * 10
    for catalog_key in catalog_keys[:PAGE]:
        rig.expire_lease(catalog_key)
    rig.sweep().once()
    assert all(rig.statuses(catalog_key)[1] == "DONE" for catalog_key in catalog_keys)


def test_a_stuck_partition_does_not_hold_up_the_others(rig: Rig) -> None:
    rig.put(*items("a", "b"), chunk_entries=1)
    grant = rig.acquire()
    rig.take(grant, rig.plan(grant)[:1])
    rig.expire_lease()
    for _ in range(rig.settings.max_stalls):
        if isinstance(rig.claim(nonce="n").acquire(), Grant):
            rig.expire_lease()
    rig.clock.advance(10)
    rig.put(*items("x"), catalog_key="other")
    forget_rings(rig, ACME, "other")
    rig.sweep().once()
    assert rig.state().stuck
    assert rig.statuses("other") == {1: "DONE"}


def test_a_stuck_partition_costs_a_look_or_two(rig: Rig) -> None:
    """Each round, not all the time: whoever pulls does not turn around it until its time is up, nor rings for it."""
    rig.put(*items("a", "b"), chunk_entries=1)
    grant = rig.acquire()
    rig.take(grant, rig.plan(grant)[:1])
    rig.expire_lease()
    rig = rig.with_settings(max_stalls=1)
    rig.claim(nonce="n").acquire()
    looks = []

    def open_claim(catalog_key: str) -> Claim:
        looks.append(catalog_key)
        return rig.claim(catalog_key)

    rig.sweep(rig.drainer(open_claim=open_claim)).once()
    assert rig.state().stuck
    assert 1 <= len(looks) <= 3
    assert rig.bell.rung == []


def test_a_partition_in_trouble_does_not_hold_up_the_others(rig: Rig) -> None:
    """Its error is for the log; the next round passes it by."""
    rig.put(*items("a"))
    rig.client.lset(rig.keys().payload(1), 0, b"this is no frame")
    rig.clock.advance(10)
    rig.put(*items("x"), catalog_key="other")
    forget_rings(rig, ACME, "other")
    sweep = rig.sweep()
    with contextlib.suppress(Exception):
        sweep.once()
    sweep.once()
    assert rig.statuses("other") == {1: "DONE"}


# -- the backlog is a superset ----------------------------------------------------------------------------------------


def test_a_batch_that_comes_while_a_partition_is_emptied_is_not_forgotten(rig: Rig) -> None:
    """Its catalog is marked after it too."""
    rig.put(*items("a"))
    rig.drain()
    rig.put(*items("b"))
    rig.backlog.remove([ACME], rig.clock())
    assert rig.backlog.waiting(skip=0) == [ACME]


def test_a_re_run_is_in_the_backlog(rig: Rig) -> None:
    rig.put(*items("a"))
    rig.drain()
    assert rig.backlog.waiting(skip=0) == []
    rig.rerun(1)
    assert rig.backlog.waiting(skip=0) == [ACME]


def test_a_drain_that_yields_stays_in_the_backlog(rig: Rig) -> None:
    rig.put(*items("a", "b"), chunk_entries=1)
    rig.delete({"id": "a"})
    rig.with_settings(slice_s=0.0).drainer().drain(ACME)
    assert rig.backlog.waiting(skip=0) == [ACME]


def test_a_batch_sent_while_the_drain_ends_is_not_forgotten(rig: Rig) -> None:
    """Between its last commit, which found nothing more, and the end of the drain."""
    rig.put(*items("a"))
    open_claim = interposed(rig, after_take=lambda: rig.put(*items("b")))
    rig.drainer(open_claim=open_claim).drain(ACME)
    assert rig.statuses()[2] == "DONE" or rig.backlog.waiting(skip=0) == [ACME]


def test_a_forgotten_catalog_is_found_by_the_slow_scan(rig: Rig) -> None:
    """Its ingress died in the middle of a submit, or somebody deleted the backlog: the last net."""
    for number in range(PAGE + 5):
        rig.put(*items("a"), catalog_key=f"c{number}")
        rig.clock.advance(1)
    forget_rings(rig, *(f"c{number}" for number in range(PAGE + 5)))
    rig.client.delete("{sluice}:backlog")
    sweep = rig.sweep()
    for _ in range(4):
        sweep.once()
    assert all(rig.statuses(f"c{number}") == {1: "DONE"} for number in range(PAGE + 5))


def test_a_submit_that_died_in_the_middle_has_marked_its_catalog(rig: Rig) -> None:
    """The mark comes before the batch: a catalog with nothing in it costs one look."""
    rig.submit_batch(make_batch(Operation.PUT, items("a")))
    rig.drain()
    before = rig.backlog.before_submit("new", rig.clock())
    for command in before:
        rig.client.execute_command(*command)
    rig.sweep().once()
    assert rig.backlog.waiting(skip=0) == []


# -- what else it does ------------------------------------------------------------------------------------------------


def test_the_sweep_retires_what_is_old(rig: Rig) -> None:
    """Of catalogs that nobody writes to any more, too."""
    rig.put(*items("a"))
    rig.drain()
    rig.clock.advance(rig.settings.task_retention_s * 1000 + 1)
    rig.sweep().once()
    assert rig.client.zcard(rig.keys().tasks) == 0


def test_a_page_of_catalogs_at_rest_is_looked_after_in_a_few_round_trips(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that thousands of them cost an idle worker next to nothing."""
    for number in range(PAGE):
        rig.put(*items("a"), catalog_key=f"catalog-{number}")
        rig.drain(f"catalog-{number}")
    sweep, exchange, trips = rig.sweep(), scripts.exchange, []
    monkeypatch.setattr(scripts, "exchange", lambda *call: trips.append(1) or exchange(*call))
    sweep.once()
    assert len(trips) < PAGE / 2


def test_a_worker_shows_that_it_is_alive(rig: Rig) -> None:
    """Until a while after its last sign of life; one that was long gone is forgotten."""
    heartbeats = Heartbeats(rig.client)
    rig.sweep().once()
    assert heartbeats.alive(rig.clock()) == ["sweep"]
    rig.clock.advance(ALIVE_MS + 1)
    assert heartbeats.alive(rig.clock()) == []
    rig.clock.advance(FORGOTTEN_MS)
    heartbeats.beat("another", rig.clock())
    assert rig.client.zcard("{sluice}:workers") == 1
    heartbeats.stop("another")
    assert heartbeats.alive(rig.clock()) == []
