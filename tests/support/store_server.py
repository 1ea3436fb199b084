"""A real server of our own, with the configuration that ships."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import redis

from deploy.stack import embedded_store
from shared.store.client import connect
from shared.waiting import wait_until

#: Enough for any test, and little enough that a leak shows.
MAXMEMORY_BYTES = 512 * 1024 * 1024


class StoreServer:
    """A running valkey-server on a Unix socket in a folder of its own."""

    def __init__(self, binary: Path, folder: Path, *, durability: str = "everysec") -> None:
        self.socket_path = folder / "s.sock"
        self.url = embedded_store.store_url(self.socket_path)
        config = embedded_store.write_config(folder, self.socket_path, durability=durability, maxmemory=MAXMEMORY_BYTES)
        self._command = (binary, config)
        self.folder = folder
        self._output = (folder / "output.log").open("wb")
        self.start()
        with self.connect() as client:
            self._settings = client.config_get()

    def start(self) -> None:
        """Start the server, at first or after it was killed, and wait until it answers."""
        self._process = subprocess.Popen(
            self._command, env=embedded_store.environ(), stdout=self._output, stderr=subprocess.STDOUT
        )
        self.pid = self._process.pid
        wait_until(lambda: embedded_store.answers(self.socket_path), "the store answers", timeout_s=60, every_s=0.01)

    @property
    def log(self) -> Path:
        """The incremental append-only file, to which it writes now."""
        return max((self.folder / "appendonlydir").glob("*.incr.aof"), key=lambda file: file.stat().st_mtime)

    def shut_down(self) -> None:
        """End the server as an operator does: everything is written out."""
        self._process.terminate()
        self._process.wait()

    def kill(self) -> None:
        """Kill the server, as a crash does; what it wrote to its log is there."""
        self._process.kill()
        self._process.wait()

    def connect(self) -> redis.Redis:
        """Make a client like those of the services."""
        return connect(self.url)

    def restore(self, client: redis.Redis) -> None:
        """Undo what a test told the server: its settings, its users, whose replica it is."""
        client.replicaof("NO", "ONE")
        client.acl_deluser(*{*client.acl_users()} - {"default"}, "nobody")
        for name, value in client.config_get().items():
            if value != self._settings[name]:
                client.config_set(name, self._settings[name])

    def stop(self) -> None:
        """Kill the server: nothing of it is needed any more."""
        self.kill()
        self._output.close()


@contextlib.contextmanager
def running_store(**options: str) -> Iterator[StoreServer]:
    """Run a server for a while.  Raises Misconfigured where there is no binary for this machine."""
    binary = embedded_store.server_binary()
    # Not pytest's folders: the path of a socket is limited to about a hundred bytes.
    folder = Path(tempfile.mkdtemp(prefix="sluice-"))
    server = None
    try:
        server = StoreServer(binary, folder, **options)
        yield server
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
