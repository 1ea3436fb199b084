"""The runs of the server: each is numbered, on the disk, before a catalog gives out an id of it."""

from __future__ import annotations

import pytest
import redis

from shared import keys
from shared.errors import StoreUnavailable
from shared.model import Operation
from shared.partition.submissions import Submission
from shared.store import id_writes
from tests.support.batches import items, make_batch
from tests.support.rig import Rig

BATCH = make_batch(Operation.PUT, items("a"))


@pytest.fixture(autouse=True)
def _another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """This one may have asked before."""
    monkeypatch.setattr(id_writes, "_numbers", {})


@pytest.fixture
def never_written_out(client: redis.Redis) -> None:
    """A disk that takes longer than anybody waits."""
    client.config_set("appendfsync", "no")


def waits(client: redis.Redis) -> int:
    """How often somebody waited for the log."""
    return int(client.info("commandstats").get("cmdstat_waitaof", {"calls": 0})["calls"])


def test_the_number_is_on_the_disk_before_an_id_hangs_on_it(rig: Rig, client: redis.Redis) -> None:
    """It is waited for once in a process, not with each catalog."""
    before = waits(client)
    rig.put(*items("a"), catalog_key="a")
    assert waits(client) == before + 1
    rig.put(*items("a"), catalog_key="b")
    rig.put(*items("a"), catalog_key="a")
    assert waits(client) == before + 1


def test_no_id_is_given_out_while_the_number_is_not_on_the_disk(
    rig: Rig, client: redis.Redis, never_written_out: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(id_writes, "LOG_MS", 20)
    with pytest.raises(StoreUnavailable):
        rig.submit_batch(BATCH)
    assert not client.exists(rig.keys().seq)


def test_two_processes_agree_on_the_number(rig: Rig, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.put(*items("a"), catalog_key="a")
    monkeypatch.setattr(id_writes, "_numbers", {})
    assert rig.put(*items("a"), catalog_key="b") == 1
    assert client.hget(keys.STORE_RUNS, "last") == b"1"


def test_a_catalog_that_is_new_in_a_later_run_begins_further_up(rig: Rig, client: redis.Redis) -> None:
    """It may be one that an earlier run has lost."""
    client.hset(keys.STORE_RUNS, mapping={"last": 2, "0" * 40: 2})
    assert rig.put(*items("a")) == 15_001


def test_a_server_that_cannot_be_asked_is_given_time(
    rig: Rig, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those before Redis 7.2, which do not know the command."""
    monkeypatch.setattr(id_writes, "UNASKED_S", 0.05)
    client.execute_command("ACL", "SETUSER", "default", "-waitaof")
    try:
        assert rig.submit_batch(BATCH).outcome is Submission.ACCEPTED
    finally:
        client.execute_command("ACL", "SETUSER", "default", "+@all")
    rig.put(*items("b"))
