"""SLUICE_DURABILITY: what is promised is looked after, at start and before the first write."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from shared.durability import Durability, check_durability
from shared.errors import Misconfigured, StoreUnavailable
from tests.support.batches import items
from tests.support.ingress import Ingress
from tests.support.rig import Rig
from tests.support.store_server import StoreServer

ROOT = Path(__file__).parents[2]


@pytest.fixture
def writes_out(client: redis.Redis) -> Iterator[redis.Redis]:
    """The store, once it writes everything out before it answers."""
    client.config_set("appendfsync", "always")
    yield client
    client.config_set("appendfsync", "everysec")


def test_a_server_that_writes_out_later_does_not_do_for_fsync(client: redis.Redis) -> None:
    """It is said what to set, and where."""
    check_durability(client, "everysec")
    with pytest.raises(
        Misconfigured, match=r"needs appendfsync always in the Redis server, which has appendfsync every"
    ):
        check_durability(client, "fsync")


def test_a_server_that_writes_out_at_once_does(writes_out: redis.Redis) -> None:
    check_durability(writes_out, "fsync")


def test_a_server_that_does_not_tell_is_not_believed(client: redis.Redis) -> None:
    client.acl_setuser("silent", enabled=True, nopass=True, keys="*", commands=["+@all", "-config"])
    try:
        with redis.Redis(connection_pool=client.connection_pool) as other:
            other.execute_command("AUTH", "silent", "")
            with pytest.raises(Misconfigured, match="which does not tell"):
                check_durability(other, "fsync")
            other.connection_pool.disconnect()
    finally:
        client.acl_deluser("silent")


def test_no_write_is_answered_as_safe_that_is_not(rig: Rig, store_server: StoreServer, client: redis.Redis) -> None:
    """Also when the store was away at start: 503 until it is as it should be; reads go on."""
    ingress = Ingress(rig.with_settings(durability="fsync"), store_server.url)
    refused = ingress.send("PUT", "/v2/items", {"items": items("a")})
    assert refused.status_code == 503
    assert not list(client.scan_iter("*:stream"))
    assert ingress.send("GET", "/v2/items").status_code == 200
    client.config_set("appendfsync", "always")
    try:
        assert ingress.send("PUT", "/v2/items", {"items": items("a")}).status_code == 200
    finally:
        client.config_set("appendfsync", "everysec")


def test_it_is_looked_at_once(writes_out: redis.Redis) -> None:
    durability = Durability(writes_out, "fsync")
    durability.check()
    writes_out.config_set("appendfsync", "everysec")
    durability.check()
    with pytest.raises(StoreUnavailable):
        Durability(writes_out, "fsync").check()


def test_an_ingress_does_not_start_on_such_a_server(store_server: StoreServer, tmp_path: Path) -> None:
    """Whoever starts it is told why, in one line."""
    environ = {
        **os.environ, "SLUICE_REDIS_URL": store_server.url, "SLUICE_DURABILITY": "fsync",
        "SLUICE_SECRET_KEY": "s" * 32, "SLUICE_DATA_DIR": str(tmp_path),
    }  # fmt: skip
    started = subprocess.run(
        [sys.executable, "-m", "deploy.run", "ingress"], env=environ, cwd=ROOT, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert started.returncode == 1
    [line] = started.stderr.splitlines()
    assert line.startswith("sluice: SLUICE_DURABILITY=fsync needs appendfsync always")
