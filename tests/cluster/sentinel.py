"""Sentinel names another server when the one in use dies; `make test-cluster` runs it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from deploy.stack.embedded_store import server_binary
from deploy.stack.ports import LOOPBACK, free_port
from shared.doorbell import broker_url_for
from shared.errors import Misconfigured, StoreUnavailable
from shared.store.client import connect
from shared.store.scripts import run
from shared.waiting import wait_until
from tests.support.passing_threads import on_passing_threads

WATCH = """
port {port}
bind {host}
sentinel monitor catalogs {host} {master} 1
sentinel down-after-milliseconds catalogs 1500
sentinel failover-timeout catalogs 3000
"""


class Watched:
    """A server with a replica, and a Sentinel that watches over them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = [free_port(LOOPBACK, 0) for _ in range(3)]
        self._started: list[subprocess.Popen[bytes]] = []
        master, replica, sentinel = self._ports
        self.url = f"redis+sentinel://{LOOPBACK}:{sentinel}/catalogs"
        own = ["--bind", LOOPBACK, "--save", "", "--repl-diskless-sync-delay", "0", "--port"]
        self.master = self._start("master", *own, master)
        self._start("replica", *own, replica, "--replicaof", f"{LOOPBACK} {master}")
        config = folder / "sentinel.conf"
        config.write_text(WATCH.format(host=LOOPBACK, port=sentinel, master=master), encoding="utf-8")
        self._start("sentinel", config, "--sentinel")

    def replica_is_known(self) -> bool:
        """Whether Sentinel has somebody to name instead of the master."""
        sentinel = redis.Redis(LOOPBACK, self._ports[2])
        return bool(sentinel.execute_command("SENTINEL REPLICAS", "catalogs"))

    def end(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()

    def _start(self, name: str, *arguments: object) -> subprocess.Popen[bytes]:
        folder = self._folder / name
        folder.mkdir()
        with (folder / "log").open("wb") as log:
            command = [server_binary(), *map(str, arguments)]
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        self._started.append(process)
        return process


@pytest.fixture
def watched() -> Iterator[Watched]:
    folder = Path(tempfile.mkdtemp(prefix="sluice-"))
    made = Watched(folder)
    yield made
    made.end()
    shutil.rmtree(folder, ignore_errors=True)


def test_calls_go_to_the_server_that_sentinel_names_by_now(watched: Watched) -> None:
    """What a replica had is there after its master died; meanwhile the store is unavailable, and nothing else."""
    store = connect(watched.url)

    def answers(*commands: tuple[str | int, ...]) -> list[object]:
        with contextlib.suppress(StoreUnavailable):
            return run(store, *commands)
        return []

    def on_both() -> bool:
        return answers(("SET", "a", "1"), ("WAIT", 1, 1000)) == [True, 1]

    wait_until(on_both, "both servers have it", timeout_s=20)
    # It asks every ten seconds only.
    wait_until(watched.replica_is_known, "Sentinel knows the replica", timeout_s=30)
    watched.master.kill()
    wait_until(lambda: answers(("GET", "a")) == [b"1"], "the replica answers", timeout_s=30)
    wait_until(lambda: answers(("SET", "b", "2")) == [True], "it takes writes", timeout_s=10)
    on_passing_threads(lambda: run(store, ("GET", "b")))


def test_sentinel_needs_a_broker_of_its_own_and_a_name() -> None:
    with pytest.raises(Misconfigured, match="SLUICE_BROKER_URL is not set"):
        broker_url_for("redis+sentinel://one:26379/catalogs")
    with pytest.raises(ValueError, match="redis\\+sentinel://host:port,host:port/name"):
        connect("redis+sentinel://one:26379")
    with pytest.raises(ValueError, match="'two' is not host:port"):
        connect("redis+sentinel://one:26379,two/catalogs")
