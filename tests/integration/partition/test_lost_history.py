"""A store that has lost some of its history: no id is given out twice, and nobody follows what never was.

The store is a server whose folder is put back, or a replica that never heard of what another one had accepted.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from shared import keys
from shared.idempotency import IdempotencyKey
from shared.model import Operation
from shared.nonces import new_nonce
from shared.partition.heartbeats import Heartbeats
from shared.partition.submissions import Submission
from shared.store import id_writes
from shared.store.client import connect
from shared.store.positions import Position
from shared.tasks.change_feed import ChangeFeed, ChangePage, ChangesGone
from tests.support.batches import items, make_batch
from tests.support.replica import Replica
from tests.support.rig import ACME, Rig
from tests.support.server_run import server_run
from tests.support.store_server import StoreServer, running_store


@pytest.fixture
def server() -> Iterator[StoreServer]:
    with running_store() as server:
        yield server


@pytest.fixture
def alone(server: StoreServer) -> Iterator[Rig]:
    """A rig over a store whose folder may be copied and put back."""
    with server.connect() as client:
        yield Rig(client)


#: What makes each batch different from the one before.
NUMBERS = itertools.count()


def sent(rig: Rig, count: int, *, catalog_key: str = ACME) -> list[int]:
    """Put so many batches, each of which changes something, and have them applied."""
    ids = [rig.put(*items("a", n=next(NUMBERS)), catalog_key=catalog_key) for _ in range(count)]
    rig.drain(catalog_key)
    return ids


def feed(rig: Rig, after: Position) -> ChangePage:
    return ChangeFeed(rig.client, ACME).page(after, section=None, size=100)


def end_of_feed(rig: Rig) -> Position:
    """Follow the feed to its end, from wherever it begins."""
    page = feed(rig, Position(0))
    while page.more:
        page = feed(rig, page.next_after)
    return page.next_after


def put_back(server: StoreServer, copy: Path) -> None:
    """Replace what the server has by a copy of its folder."""
    server.shut_down()
    shutil.rmtree(server.folder / "appendonlydir")
    shutil.copytree(copy / "appendonlydir", server.folder / "appendonlydir")
    server.start()


def copied(server: StoreServer, tmp_path: Path) -> Path:
    server.shut_down()
    shutil.copytree(server.folder / "appendonlydir", tmp_path / "appendonlydir")
    server.start()
    return tmp_path


def test_a_folder_that_was_put_back_gives_out_no_id_again(alone: Rig, server: StoreServer, tmp_path: Path) -> None:
    """Not even of a catalog that it does not know; nor when it is put back again."""
    known = sent(alone, 3)
    copy = copied(server, tmp_path)
    seen = [*known]
    for _ in range(3):
        ids = sent(alone, 3) + sent(alone, 3, catalog_key="new")
        assert not set(ids).intersection(seen)
        seen += ids
        put_back(server, copy)


def test_whoever_followed_what_is_lost_is_told_to_read_again(alone: Rig, server: StoreServer, tmp_path: Path) -> None:
    """At once, and for ever; whoever followed what is still there goes on."""
    sent(alone, 3)
    early = end_of_feed(alone)
    copy = copied(server, tmp_path)
    sent(alone, 3)
    lost = end_of_feed(alone)
    put_back(server, copy)
    since: list[int] = []
    for _ in range(2):
        with pytest.raises(ChangesGone) as gone:
            feed(alone, lost)
        assert feed(alone, gone.value.latest).changes == []
        page = feed(alone, early)
        assert page.restarted
        since += sent(alone, 1)
    assert [change.task_id for change in feed(alone, early).changes] == since


def test_a_position_of_a_lost_run_is_not_taken_for_another_with_its_number(
    alone: Rig, server: StoreServer, tmp_path: Path
) -> None:
    """Even if the same ids were given out again: the run in it is one that this store never had."""
    sent(alone, 3)
    copy = copied(server, tmp_path)
    sent(alone, 1)
    lost = end_of_feed(alone)
    put_back(server, copy)
    alone.client.set(alone.keys().seq, lost.task_id - 1)
    alone.client.set(alone.keys().store_run, f"{server_run(alone.client)} 9")
    assert sent(alone, 1) == [lost.task_id]
    with pytest.raises(ChangesGone):
        feed(alone, lost)
    assert feed(alone, Position(lost.task_id)).changes == []


def test_a_task_that_was_passed_over_is_not_followed(alone: Rig, server: StoreServer) -> None:
    """Nobody but a store that lost it can have told of it; also where a position has no run, as those of before."""
    [last] = sent(alone, 1)
    server.kill()
    server.start()
    [first] = sent(alone, 1)
    assert feed(alone, Position(last)).changes[0].task_id == first
    for lost in (last + 1, first - 1, first + 1):
        with pytest.raises(ChangesGone):
            feed(alone, Position(lost))


def test_a_restart_is_no_reason_to_read_again(alone: Rig, server: StoreServer) -> None:
    """It is told, for those whose store may have lost its last second; a canceled task is passed over."""
    sent(alone, 2)
    for _ in range(3):
        before = end_of_feed(alone)
        assert not feed(alone, before).restarted
        server.shut_down()
        server.start()
        assert feed(alone, before).restarted
        [task_id] = sent(alone, 1)
        assert [change.task_id for change in feed(alone, before).changes] == [task_id]


def test_an_idempotency_key_that_came_back_with_a_folder_means_what_it_meant(
    alone: Rig, server: StoreServer, tmp_path: Path
) -> None:
    """One that was used since the copy is free: its task is gone."""
    batch = make_batch(Operation.PUT, items("a"))
    old, new = IdempotencyKey("old", "digest"), IdempotencyKey("new", "digest")
    first = alone.submit_batch(batch, idempotency=old)
    copy = copied(server, tmp_path)
    lost = alone.submit_batch(batch, idempotency=new)
    put_back(server, copy)
    again = alone.submit_batch(batch, idempotency=old, nonce=new_nonce())
    assert (again.outcome, again.task_id) == (Submission.REPEATED, first.task_id)
    after = alone.submit_batch(batch, idempotency=new, nonce=new_nonce())
    assert after.outcome is Submission.ACCEPTED
    assert after.task_id > lost.task_id


def test_fail_overs_in_a_row_give_out_no_id_again(tmp_path: Path) -> None:
    """Each new master knows only what the first one had: not that there was another before it."""
    with running_store() as master:
        folders = [tmp_path / name for name in ("one", "two")]
        for folder in folders:
            folder.mkdir()
        replicas = [Replica(folder, master) for folder in folders]
        with master.connect() as client:
            rig = Rig(client)
            seen = sent(rig, 3)
            old = end_of_feed(rig)
            client.execute_command("WAIT", 2, 5000)
            master.kill()
        for replica in replicas:
            rig = replace(rig, client=connect(f"unix://{replica.socket}"))
            rig.client.replicaof("NO", "ONE")
            ids = sent(rig, 3)
            assert not set(ids).intersection(seen)
            seen += ids
            assert [change.task_id for change in feed(rig, old).changes] == ids
            if replica is replicas[0]:
                told_by_the_first = end_of_feed(rig)
            else:
                with pytest.raises(ChangesGone):
                    feed(rig, told_by_the_first)
            replica.end()


def test_a_server_that_becomes_master_again_gives_out_no_id_again(tmp_path: Path) -> None:
    """It was not started anew since it was master first: an operator had another one take its place for a while."""
    with running_store() as server, server.connect() as first:
        replica = Replica(tmp_path, server)
        second = connect(f"unix://{replica.socket}")
        rigs = [Rig(first), Rig(second)]  # type: ignore[arg-type]
        sent(rigs[0], 3)
        first.execute_command("WAIT", 1, 5000)
        replica.take_over(first)
        sent(rigs[1], 3)
        second.execute_command("WAIT", 1, 5000)  # type: ignore[union-attr]
        first.replicaof("NO", "ONE")
        lost, told = sent(rigs[1], 3), end_of_feed(rigs[1])
        replica.end()
        assert not set(sent(rigs[0], 3)).intersection(lost)
        with pytest.raises(ChangesGone):
            feed(rigs[0], told)


def test_the_first_replica_and_a_backup_taken_as_by_one_make_no_other_run(
    server: StoreServer, alone: Rig, tmp_path: Path
) -> None:
    """Nobody has taken over: ids go on by one, and whoever follows is not told to read anew."""
    [*_, last], told = sent(alone, 2), end_of_feed(alone)
    replica = Replica(tmp_path, server)
    replica.end()
    assert sent(alone, 1) == [last + 1]
    assert not feed(alone, told).restarted


def test_a_position_can_be_read_again() -> None:
    for text in ("0", "7", "10004-1f0c3a9e"):
        assert str(Position.read(text)) == text
    for text in ("-1", "7-", "7-xyz", "7-1f0c3a9e0", "12345678901", "٣"):
        with pytest.raises(ValueError, match=text):
            Position.read(text)


def test_what_gives_out_ids_notes_first_that_the_store_is_alive(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where there are no workers; not with every batch."""
    monkeypatch.setattr(id_writes, "_alive_noted_s", {})

    def asked() -> int:
        return int(rig.client.hget(keys.STORE_RUNS, "asked") or 0)

    rig.put(*items("a"))
    before = asked()
    rig.put(*items("a"))
    assert asked() == before
    monkeypatch.setattr(id_writes, "ALIVE_EVERY_S", 0.0)
    rig.put(*items("a"))
    assert asked() == before + 1


def test_the_store_notes_how_long_it_was_alive(client: redis.Redis, rig: Rig) -> None:
    """Every second, by its workers: what it may have lost is counted from then on."""
    Heartbeats(client).beat("worker", rig.clock())
    seconds, _ = client.time()
    assert abs(int(client.hget(keys.STORE_RUNS, "alive_ms") or 0) - seconds * 1000) < 60_000
