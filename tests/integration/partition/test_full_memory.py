"""A store without memory left takes no more batches, and lets everything else go on."""

from __future__ import annotations

import time
from math import inf

import pytest
import redis

from shared.errors import StoreFull
from shared.keys import RESERVED
from shared.model import Kind, Operation, Status
from shared.partition.submissions import Submission
from shared.store import memory
from shared.store.memory import FULL_PERCENT, MemoryGuard
from tests.support.batches import items, make_batch
from tests.support.ingress import Ingress
from tests.support.rig import ACME, Rig
from workers.drain.drainer import Drained
from workers.drain.trimming import Trimmer


@pytest.fixture
def full(client: redis.Redis, rig: Rig) -> Rig:
    """Two batches wait, and then memory is full."""
    rig.put(*items("a"))
    rig.put(*items("b"))
    client.config_set("maxmemory", 1)
    return rig


def test_a_batch_is_refused_and_nothing_of_it_stays(full: Rig) -> None:
    before = full.dump()
    with pytest.raises(StoreFull):
        full.submit_batch(make_batch(Operation.PUT, items("c")))
    assert full.dump() == before


def test_what_waits_is_applied(full: Rig) -> None:
    """Only that makes room again."""
    assert full.drainer().drain(ACME) is Drained.EMPTY
    assert full.statuses() == {1: "DONE", 2: "DONE"}


def test_items_are_read(full: Rig) -> None:
    """With what is kept beside them, too; a script may do so in the oldest server, a transaction may not."""
    full.drain()
    assert [entry.id for entry in full.catalog().get(Kind.ITEMS, "Products", ["a"])] == ["a"]


def test_retention_goes_on(full: Rig) -> None:
    full.drain()
    full.clock.advance(full.settings.task_retention_s * 1000 + 1)
    assert full.retention().retire(now_ms=full.clock(), limit=10) > 0


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


# -- before it is full ------------------------------------------------------------------------------------------------


class Limited:
    """A store that is told how much memory it may have, as a share of what it uses at that moment."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def used(self) -> int:
        return int(self._client.info("memory")["used_memory"])

    def limit(self, most: float) -> None:
        self._client.config_set("maxmemory", int(most))


@pytest.fixture
def limited(client: redis.Redis) -> Limited:
    return Limited(client)


def fill(limited: Limited, *, percent: float) -> None:
    """Limit the store so that this percentage of its memory is used."""
    limited.limit(limited.used() / percent * 100)


def test_batches_are_refused_above_four_fifths(rig: Rig, ingress: Ingress, limited: Limited) -> None:
    """With 503 and Retry-After, and nothing is stored; reads and cancels go on."""
    rig.put(*items("a"))
    fill(limited, percent=FULL_PERCENT + 2)
    before = rig.dump()
    refused = ingress.send("PUT", "/v2/items", {"items": items("b")})
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json["message"] == "The store is full. Please try again later."
    assert rig.dump() == before
    assert ingress.send("GET", "/v1/tasks").status_code == 200
    rig.cancel(1)


def test_what_waiting_batches_will_become_counts(rig: Rig, limited: Limited) -> None:
    """There is room for a batch, but not for what those before it become; once they are applied there is again."""
    batch = make_batch(Operation.PUT, items("a"))
    for number in range(8):
        rig.put(*items(*(f"{number}-{entry}" for entry in range(1000))))
    before = limited.used()
    limited.limit((before + 400_000) / FULL_PERCENT * 100)
    assert rig.submit_batch(batch, nonce="n").outcome is Submission.STORE_FULL
    limited.limit(0)
    rig.drain()
    limited.limit((limited.used() + 400_000) / FULL_PERCENT * 100)
    assert rig.submit_batch(batch, nonce="n").outcome is Submission.ACCEPTED
    limited.limit(0)
    rig.drain()


def test_without_a_limit_nothing_is_refused(rig: Rig, limited: Limited) -> None:
    limited.limit(0)
    made = make_batch(Operation.PUT, items("a"))
    assert rig.tail().submit(*made, now_ms=rig.clock(), nonce="n", growth=2**50).outcome is Submission.ACCEPTED


def test_a_refused_upload_is_dropped(rig: Rig, limited: Limited) -> None:
    """Its chunks were staged, and go at once."""
    batch = make_batch(Operation.PUT, items(*map(str, range(3000))))
    fill(limited, percent=FULL_PERCENT + 2)
    assert rig.submit_batch(batch, marked=False).outcome is Submission.STORE_FULL
    assert [key for key in rig.dump() if not key.startswith(b"{sluice}")] == []


def test_an_ended_task_cannot_be_run_again_without_room_for_its_effects(rig: Rig, limited: Limited) -> None:
    rig.put(*items(*map(str, range(1000))))
    rig.drain()
    limited.limit((limited.used() + 100_000) / FULL_PERCENT * 100)
    with pytest.raises(StoreFull):
        rig.rerun(1)


def test_what_an_older_sluice_left_reserved_is_released(rig: Rig) -> None:
    """It ended a task and knew nothing of what was reserved for it; an empty queue needs nothing."""
    rig.put(*items("a"))
    rig.drain()
    rig.client.hincrby(rig.keys().waiting, "reserved", 1000)
    rig.client.incrby(RESERVED, 1000)
    rig.retention().retire(now_ms=rig.clock(), limit=10)
    assert rig.client.get(RESERVED) == b"0"


def test_a_look_at_the_memory_is_believed_for_a_moment(rig: Rig, client: redis.Redis, limited: Limited) -> None:
    """Longer by whoever finds room than by whoever finds too little."""
    now_s, much = 0.0, 10**8
    guard = MemoryGuard(client, clock_s=lambda: now_s)
    guard.admit(ACME, much)
    limited.limit(1)
    guard.admit(ACME, much)
    now_s += memory.BELIEVED_S
    with pytest.raises(StoreFull):
        guard.admit(ACME, much)
    limited.limit(0)
    now_s += memory.REFUSAL_BELIEVED_S
    guard.admit(ACME, much)


@pytest.mark.parametrize("is_early", [False, True])
def test_a_look_at_the_memory_is_believed_longer_for_what_is_small(
    client: redis.Redis, limited: Limited, is_early: bool
) -> None:
    """The script that stores it looks itself; but whoever asks early wants to know."""
    now_s, little = 0.0, 100
    guard = MemoryGuard(client, clock_s=lambda: now_s)
    limited.limit((limited.used() + 10**8) / FULL_PERCENT * 100)
    guard.admit(ACME, little)
    limited.limit(1)
    if not is_early:
        now_s += memory.SMALL_BELIEVED_S - 0.1
        guard.admit(ACME, little)
        now_s += 0.1
    else:
        now_s += memory.BELIEVED_S
    with pytest.raises(StoreFull):
        guard.admit(ACME, little, is_early=is_early)


def test_a_look_at_the_memory_of_one_server_is_one_round_trip(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first write in a while waits for it."""
    trips, run = [], memory.scripts.run
    monkeypatch.setattr(memory.scripts, "run", lambda *call: trips.append(call) or run(*call))
    MemoryGuard(client).admit(ACME)
    assert len(trips) == 1


def test_nobody_is_refused_because_the_store_was_fuller_a_moment_ago(
    rig: Rig, client: redis.Redis, limited: Limited
) -> None:
    """There was room, but less than is needed now."""
    now_s = 0.0
    guard = MemoryGuard(client, clock_s=lambda: now_s)
    limited.limit((limited.used() + 100_000) / FULL_PERCENT * 100)
    guard.admit(ACME, 1000)
    with pytest.raises(StoreFull):
        guard.admit(ACME, 10**6)
    limited.limit((limited.used() + 10**7) / FULL_PERCENT * 100)
    now_s += memory.REFUSAL_BELIEVED_S
    guard.admit(ACME, 10**6)


def keep_payloads(rig: Rig) -> None:
    """Tasks of three catalogs in turn have ended, one a minute."""
    for number in range(9):
        catalog_key = "abc"[number % 3]
        rig.put(*items("x"), catalog_key=catalog_key)
        rig.drain(catalog_key)
        rig.clock.advance(60_000)


def kept(rig: Rig) -> list[str]:
    """The payloads that are kept, oldest first."""
    rows = [
        (ended_ms, f"{catalog_key}{int(member)}")
        for catalog_key in "abc"
        for member, ended_ms in rig.client.zrange(rig.keys(catalog_key).payloads, 0, -1, withscores=True)
    ]
    return [name for _, name in sorted(rows)]


def test_payloads_of_ended_tasks_go_oldest_first_over_all_catalogs(rig: Rig, client: redis.Redis) -> None:
    """As long as more than 60 % of the memory is used; what waits, and the tasks themselves, stay."""
    keep_payloads(rig)
    rig.put(*items("waits"), catalog_key="a")
    trimmer = Trimmer(client, rig.backlog, rig.retention)
    limited = Limited(client)
    room = client.config_get("maxmemory")["maxmemory"]
    limited.limit(limited.used() / (memory.TRIM_ABOVE + 0.02))
    left = [kept(rig)]
    while trimmer.trim(now_ms=rig.clock(), until=inf):
        left.append(kept(rig))
    client.config_set("maxmemory", room)
    everything = ["a1", "b1", "c1", "a2", "b2", "c2", "a3", "b3", "c3"]
    assert left == [everything[number:] for number in range(10)]
    assert rig.statuses("a") == {1: "DONE", 2: "DONE", 3: "DONE", 4: "QUEUED"}
    rig.drain("a")


def test_no_payload_goes_early_while_there_is_room(rig: Rig, client: redis.Redis, limited: Limited) -> None:
    keep_payloads(rig)
    limited.limit(limited.used() / (memory.TRIM_ABOVE - 0.05))
    assert Trimmer(client, rig.backlog, rig.retention).trim(now_ms=rig.clock(), until=inf) == 0
    limited.limit(limited.used() / (memory.TRIM_ABOVE + 0.02))
    assert Trimmer(client, rig.backlog, rig.retention).trim(now_ms=rig.clock(), until=time.monotonic()) == 0
    assert len(kept(rig)) == 9


def test_the_sweep_makes_room(full: Rig) -> None:
    full.drain()
    full.sweep().once()
    assert full.client.zcard(full.keys().payloads) == 0
