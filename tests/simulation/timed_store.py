"""A real server whose clock is moved by hand."""

from __future__ import annotations

import contextlib
import mmap
import os
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

import redis

from deploy.stack import embedded_store
from shared import keys
from shared.errors import Misconfigured
from shared.store import id_writes, scripts, wire
from tests.support.store_server import StoreServer, running_store

#: The time of day at which each history begins, milliseconds.
BEGIN_MS = 1_700_000_000_000
_SOURCE = Path(__file__).with_name("store_clock.c")


#: A key, when it expires (ms since the epoch, or below 0) and its serialized value.
Snapshot = list[tuple[bytes, int, bytes]]


class TimedStore:
    """A store that is empty, and whose clock stands, at the beginning of each history.

    It has a second server, which takes the place of the first one when that is started anew: a run of its own.
    """

    def __init__(self, servers: Sequence[StoreServer], clock: mmap.mmap) -> None:
        self._servers = servers
        self._clock = clock
        self._clients: list[redis.Redis] = []
        self.client = self.connect()
        scripts.load_all(self.client)
        # While its clock goes by itself: the number has to be in its log.
        self._runs = self._numbered_run()
        # From now on nothing of it is worth keeping.
        for server in servers:
            with server.connect() as client:
                client.config_set("appendonly", "no")
        self._ahead_us = 0
        self._is_restarted = False
        struct.pack_into("<q", self._clock, 0, time.monotonic_ns() // 1000)

    def _numbered_run(self) -> dict[bytes, bytes]:
        run_id = self.client.info("server")["run_id"]
        id_writes.note_run(self.client, run_id)
        # It is known in histories only.
        id_writes._noted.discard(run_id)
        self._known = {run_id: id_writes._lasting_number(self.client, run_id)}, {run_id}
        runs: dict[bytes, bytes] = self.client.hgetall(keys.STORE_RUNS)
        return runs | {b"alive_ms": b"%d" % BEGIN_MS}

    def set_ms(self, now_ms: int) -> None:
        """Set the clock forward."""
        struct.pack_into("<q", self._clock, 0, now_ms * 1000 + self._ahead_us)

    def begin(self) -> None:
        """Empty the store and set its clock back; this process knows its run, and no other."""
        # Its steady clock only goes forward.
        self._ahead_us = struct.unpack_from("<q", self._clock)[0] - BEGIN_MS * 1000 + 1_000_000
        struct.pack_into("<q", self._clock, 8, -self._ahead_us)
        self.set_ms(BEGIN_MS)
        while self.client.time() != self._servers_time():
            pass
        if self._is_restarted:
            self._is_restarted = False
            self._move(self._servers[0])
        id_writes._numbers, id_writes._noted = dict(self._known[0]), set(self._known[1])
        self.client.flushdb()
        self.client.hset(keys.STORE_RUNS, mapping=self._runs)

    def connect(self) -> redis.Redis:
        """Make a client, which always talks to the server of the moment."""
        self._clients.append(self._servers[0].connect())
        return self._clients[-1]

    def snapshot(self) -> Snapshot:
        """Read all that is on disk now."""
        found = sorted(self.client.scan_iter(count=1000))
        pipeline = self.client.pipeline(transaction=False)
        for key in found:
            pipeline.pexpiretime(key).dump(key)
        replies = pipeline.execute()
        rows = zip(found, replies[::2], replies[1::2], strict=True)
        return [(key, expires_ms, value) for key, expires_ms, value in rows if value is not None]

    def restart(self, snapshot: Snapshot) -> None:
        """Start it anew with what was on disk: with another run id, and with no script in its memory."""
        self._is_restarted = True
        self._move(self._servers[1])
        self.client.flushdb()
        self.client.script_flush()
        pipeline = self.client.pipeline(transaction=False)
        for key, expires_ms, value in snapshot:
            pipeline.restore(key, max(0, expires_ms), value, absttl=True)
        pipeline.execute()

    def _move(self, server: StoreServer) -> None:
        """Lead all clients to a server."""
        for client in self._clients:
            pool = client.connection_pool
            pool.connection_kwargs["path"] = str(server.socket_path)
            pool.reset()
            wire._connections.by_pool.pop(pool, None)
        while self.client.time() != self._servers_time():
            pass

    def _servers_time(self) -> tuple[int, int]:
        return divmod(struct.unpack_from("<q", self._clock)[0] - self._ahead_us, 1_000_000)


@contextlib.contextmanager
def timed_store() -> Iterator[TimedStore]:
    """Run one for a while.  Raises Misconfigured where there is no binary, or no C compiler, for this machine."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-clock-"))
    try:
        library, file = _compiled(folder), folder / "clock"
        file.write_bytes(bytes(16))
        preloaded = f"{library}:{embedded_store.preloaded()}"
        with contextlib.ExitStack() as stack:
            opened = stack.enter_context(file.open("r+b"))
            clock = stack.enter_context(mmap.mmap(opened.fileno(), 16))
            with mock.patch.dict(os.environ, LD_PRELOAD=preloaded, STORE_CLOCK_FILE=str(file)):
                servers = [stack.enter_context(running_store()) for _ in range(2)]
            yield TimedStore(servers, clock)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _compiled(folder: Path) -> Path:
    library = folder / "store_clock.so"
    compiler = shutil.which("cc")
    if compiler is None:
        raise Misconfigured("no C compiler for the clock of the store")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, _SOURCE], check=True, capture_output=True)
    return library
