"""SLUICE_DURABILITY: what is promised is looked after, at start and before the first write."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from shared.doorbell import Doorbell, doorbell_app
from shared.errors import Misconfigured, StoreUnavailable
from shared.store.client import connect
from shared.store.durability import Durability, check_durability, check_store
from tests.support.batches import items
from tests.support.ingress import Ingress
from tests.support.rig import Rig
from tests.support.store_server import StoreServer

ROOT = Path(__file__).parents[3]


@pytest.fixture
def writes_out(client: redis.Redis) -> redis.Redis:
    """The store, once it writes everything out before it answers."""
    client.config_set("appendfsync", "always")
    return client


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
    with redis.Redis(connection_pool=client.connection_pool) as other:
        other.execute_command("AUTH", "silent", "")
        with pytest.raises(Misconfigured, match="which does not tell"):
            check_durability(other, "fsync")
        other.connection_pool.disconnect()


def test_no_write_is_answered_as_safe_that_is_not(rig: Rig, store_server: StoreServer, client: redis.Redis) -> None:
    """Also when the store was away at start: 503 until it is as it should be; reads go on."""
    ingress = Ingress(rig.with_settings(durability="fsync"), store_server.url)
    refused = ingress.send("PUT", "/v2/items", {"items": items("a")})
    assert refused.status_code == 503
    assert not list(client.scan_iter("*:stream"))
    assert ingress.send("GET", "/v2/items").status_code == 200
    client.config_set("appendfsync", "always")
    assert ingress.send("PUT", "/v2/items", {"items": items("a")}).status_code == 200


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


def refusals(store_server: StoreServer, *command: str) -> Iterator[str]:
    """Start a service of each kind, and look at what it says first."""
    environ = {**os.environ, "SLUICE_REDIS_URL": store_server.url, "SLUICE_SECRET_KEY": "s" * 32}
    for service in ("deploy.run ingress", "deploy.run worker", "deploy.up"):
        started = subprocess.run(
            [sys.executable, "-m", *service.split()], env=environ | dict(pair.split("=") for pair in command), cwd=ROOT,
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert started.returncode == 1, started
        [line] = started.stderr.splitlines()
        yield line


def test_the_store_that_ships_will_do(client: redis.Redis) -> None:
    """And nothing is left behind by trying it."""
    assert check_store(client, "everysec") == []
    assert client.dbsize() == 0


def test_nothing_starts_on_a_store_that_drops_what_was_accepted(
    store_server: StoreServer, client: redis.Redis, tmp_path: Path
) -> None:
    client.config_set("maxmemory-policy", "allkeys-lru")
    for line in refusals(store_server, f"SLUICE_DATA_DIR={tmp_path}"):
        assert "has maxmemory-policy allkeys-lru" in line
        assert line.endswith("set noeviction there")


def test_nothing_starts_on_a_replica(store_server: StoreServer, client: redis.Redis, tmp_path: Path) -> None:
    client.replicaof("127.0.0.1", "1")
    for line in refusals(store_server, f"SLUICE_DATA_DIR={tmp_path}"):
        assert "is a replica of 127.0.0.1:1 and takes no writes" in line


def test_what_may_be_lost_otherwise_is_told(client: redis.Redis) -> None:
    client.config_set("appendfsync", "no")
    [lazy] = check_store(client, "everysec")
    assert "a crash may lose half a minute" in lazy
    client.config_set("appendonly", "no")
    client.config_set("maxmemory", 0)
    limit, log = check_store(client, "everysec")
    assert "no maxmemory is set" in limit
    assert "no append-only file" in log


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"keys": ["sluice:*", "{sluice}:*"], "commands": ["+@all", "-@dangerous", "+info"]}, None),
        ({"keys": ["shop:*"], "commands": ["+@all"]}, "forbids what Sluice has to do"),
        ({"keys": ["{sluice}:*"], "commands": ["+@all"]}, "forbids what Sluice has to do"),
        ({"keys": ["*"], "commands": ["+@all", "-xadd"]}, "forbids what Sluice has to do"),
        ({"keys": ["*"], "commands": ["+@all", "-info"]}, "does not tell how it is set up"),
    ],
)
def test_a_user_with_too_few_rights_is_noticed(
    store_server: StoreServer, client: redis.Redis, rules: dict[str, list[str]], said: str | None
) -> None:
    client.acl_setuser("sluice", enabled=True, passwords=["+s3cret"], **rules)
    # The user of a URL for a socket stands where a host would.
    with connect(store_server.url.replace("unix://", "unix://sluice:s3cret@")) as other:
        if said is None:
            assert check_store(other, "everysec") == []
        else:
            with pytest.raises(Misconfigured, match=said):
                check_store(other, "everysec")


def test_a_broker_that_forbids_its_queue_is_not_ok(store_server: StoreServer, client: redis.Redis) -> None:
    """Although it is there and takes connections."""
    client.acl_setuser("broker", enabled=True, passwords=["+s3cret"], keys=["sluice:*"], commands=["+@all"])
    for user, ok in (("", True), ("broker:s3cret@", False)):
        url = f"redis+socket://{user}{store_server.socket_path}?virtual_host=1"
        assert Doorbell(doorbell_app(url), url).reachable() is ok
