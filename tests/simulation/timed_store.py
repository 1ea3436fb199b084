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
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import redis

from deploy.stack import embedded_store
from shared import keys
from shared.errors import Misconfigured
from shared.store import id_writes, scripts
from tests.support.store_server import StoreServer, running_store

#: The time of day at which each history begins, milliseconds.
BEGIN_MS = 1_700_000_000_000
_SOURCE = Path(__file__).with_name("store_clock.c")


class TimedStore:
    """A store that is empty, and whose clock stands, at the beginning of each history."""

    def __init__(self, server: StoreServer, clock: mmap.mmap) -> None:
        self.server = server
        self.client = server.connect()
        self._clock = clock
        scripts.load_all(self.client)
        # While its clock goes by itself: the number has to be in its log.
        self._runs = self._numbered_run()
        # From now on nothing of it is worth keeping.
        self.client.config_set("appendonly", "no")
        self._ahead_us = 0
        struct.pack_into("<q", self._clock, 0, time.monotonic_ns() // 1000)

    def _numbered_run(self) -> dict[bytes, bytes]:
        run_id = self.client.info("server")["run_id"]
        id_writes.note_run(self.client, run_id)
        id_writes._numbers[run_id] = id_writes._lasting_number(self.client, run_id)
        runs: dict[bytes, bytes] = self.client.hgetall(keys.STORE_RUNS)
        return runs | {b"alive_ms": b"%d" % BEGIN_MS}

    def set_ms(self, now_ms: int) -> None:
        """Set the clock forward."""
        struct.pack_into("<q", self._clock, 0, now_ms * 1000 + self._ahead_us)

    def begin(self) -> None:
        """Empty the store and set its clock back."""
        # Its steady clock only goes forward.
        self._ahead_us = struct.unpack_from("<q", self._clock)[0] - BEGIN_MS * 1000 + 1_000_000
        struct.pack_into("<q", self._clock, 8, -self._ahead_us)
        self.set_ms(BEGIN_MS)
        while self.client.time() != (BEGIN_MS // 1000, 0):
            pass
        self.client.flushdb()
        self.client.hset(keys.STORE_RUNS, mapping=self._runs)

    def connect(self) -> redis.Redis:
        return self.server.connect()


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
                server = stack.enter_context(running_store())
            yield TimedStore(server, clock)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _compiled(folder: Path) -> Path:
    library = folder / "store_clock.so"
    compiler = shutil.which("cc")
    if compiler is None:
        raise Misconfigured("no C compiler for the clock of the store")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, _SOURCE], check=True, capture_output=True)
    return library
