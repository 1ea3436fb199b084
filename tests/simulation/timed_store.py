"""A real server whose clock is moved by hand."""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import redis

from deploy.stack import embedded_store
from shared import keys
from shared.errors import Misconfigured
from shared.store import id_writes, scripts
from shared.store.wire import Command
from tests.simulation.line import Line
from tests.support.server_run import server_run
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
        self._clock = clock
        self._lines = [Line(server.socket_path) for server in servers]
        self._servers = servers
        self._now = 0
        #: Each with a pool for each server.
        self._clients: list[tuple[redis.Redis, list[redis.ConnectionPool]]] = []
        self.client = self.connect()
        scripts.load_all(self.client)
        # While its clock goes by itself: the number has to be in its log.
        self._runs = self._numbered_run()
        # From now on nothing of it is worth keeping.
        for server in servers:
            with server.connect() as client:
                client.config_set("appendonly", "no")
        self._ahead_us = 0
        struct.pack_into("<q", self._clock, 0, time.monotonic_ns() // 1000)

    def _numbered_run(self) -> dict[bytes, bytes]:
        run_id = server_run(self.client)
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
        self._move(0)
        id_writes._numbers, id_writes._noted = dict(self._known[0]), set(self._known[1])
        runs = itertools.chain.from_iterable(self._runs.items())
        self.ask(("FLUSHDB", "SYNC"), ("HSET", keys.STORE_RUNS, *runs))

    def connect(self, connection_class: type[redis.Connection] | None = None) -> redis.Redis:
        """Make a client, which always talks to the server of the moment."""
        pools = [server.connect().connection_pool for server in self._servers]
        for pool in pools if connection_class else ():
            pool.connection_class = connection_class
        client = self._servers[0].connect()
        client.connection_pool = pools[self._now]
        self._clients.append((client, pools))
        return client

    def ask(self, *commands: Command) -> list[Any]:
        """Send commands of nobody, at once, to the server of the moment."""
        return self._lines[self._now].ask(*commands)

    @property
    def run(self) -> int:
        """Number of the server of the moment."""
        return self._now

    @property
    def path(self) -> Path:
        """Its socket."""
        return self._servers[self._now].socket_path

    def snapshot(self) -> Snapshot:
        """Read all that is on disk now."""
        [found] = self.ask(("KEYS", "*"))
        found.sort()
        replies = self.ask(*(command for key in found for command in (("PEXPIRETIME", key), ("DUMP", key))))
        rows = zip(found, replies[::2], replies[1::2], strict=True)
        return [(key, expires_ms, value) for key, expires_ms, value in rows if value is not None]

    def restart(self, snapshot: Snapshot, *, knows_scripts: bool) -> None:
        """Start it anew with what was on disk, with another run id, and maybe with no script in its memory."""
        self._move(1)
        restored = (("RESTORE", key, max(0, expires_ms), value, "ABSTTL") for key, expires_ms, value in snapshot)
        self.ask(("FLUSHDB", "SYNC"), *restored)
        if not knows_scripts:
            self.ask(("SCRIPT", "FLUSH"))
        elif not all(self.ask(("SCRIPT", "EXISTS", *(script.sha for script in scripts.ALL)))[0]):
            self.ask(*(("SCRIPT", "LOAD", script.text) for script in scripts.ALL))

    def close(self) -> None:
        for line in self._lines:
            line.close()

    def _move(self, number: int) -> None:
        """Lead all clients to a server."""
        self._now = number
        for client, pools in self._clients:
            client.connection_pool = pools[number]
        while tuple(map(int, self.ask(("TIME",))[0])) != self._servers_time():
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
            yield stack.enter_context(contextlib.closing(TimedStore(servers, clock)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _compiled(folder: Path) -> Path:
    library = folder / "store_clock.so"
    compiler = shutil.which("cc")
    if compiler is None:
        raise Misconfigured("no C compiler for the clock of the store")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, _SOURCE], check=True, capture_output=True)
    return library
