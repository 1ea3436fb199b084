"""A replica of a store server."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import redis

from deploy.stack.embedded_store import answers, server_binary
from deploy.stack.ports import LOOPBACK, free_port
from shared.waiting import wait_until
from tests.support.store_server import StoreServer


class Replica:
    """A server that has what another one has, but for the time that it dozes."""

    def __init__(self, folder: Path, master: StoreServer) -> None:
        self.socket = folder / "r.sock"
        with master.connect() as client:
            port = _listen(client)
        with (folder / "log").open("wb") as log:
            command = [server_binary(), "--port", "0", "--unixsocket", self.socket, "--save", "", "--dir", folder]
            self._process = subprocess.Popen(
                [*map(str, command), "--replicaof", f"127.0.0.1 {port}"], stdout=log, stderr=log
            )
        wait_until(lambda: answers(self.socket), "the replica answers", timeout_s=20)
        self._client = redis.Redis(unix_socket_path=str(self.socket))
        _wait_until_it_follows(self._client)

    def doze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def take_over(self, master: redis.Redis) -> None:
        """Take the place of the master, which follows from now on."""
        self._client.replicaof("NO", "ONE")
        master.replicaof(LOOPBACK, _listen(self._client))
        _wait_until_it_follows(master)

    def end(self) -> None:
        self.wake()
        self._process.kill()
        self._process.wait()


def _listen(client: redis.Redis) -> int:
    """Have a server listen to replicas as well."""
    if client.config_get("port")["port"] == "0":
        client.config_set("port", str(free_port(LOOPBACK, 0)))
    client.config_set("repl-diskless-sync-delay", "0")
    return int(client.config_get("port")["port"])


def _wait_until_it_follows(client: redis.Redis) -> None:
    wait_until(lambda: client.info("replication")["master_link_status"] == "up", "it follows", timeout_s=20)
