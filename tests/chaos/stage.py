"""The stage of a chaos run: a fleet, links to its store, its workers' clock and its store's disk."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy.stack import embedded_store
from deploy.stack.certificate import keep_certificate
from deploy.stack.ports import LOOPBACK, free_port
from deploy.stack.store_log import LogKeeper
from shared.waiting import WaitedInVain, wait_until
from tests.chaos import CLOCK_FILE
from tests.chaos.links import Link
from tests.chaos.sinks.destinations import Target
from tests.chaos.sinks.trial import SinkTrial, open_targets
from tests.support.fleet import Fleet, Member

#: Seconds in which a killed store is gone.
GONE_S = 10.0

HERE = Path(__file__).parent
TOKEN = "chaos-token"
#: The file with the certificate of FTPS.
CERTIFICATE = "ftps.pem"

#: Short, so that many leases run out in a run; long enough that a busy machine keeps them.
LEASE_TTL_S = 2.0
#: Owners die here for other reasons than their batch.
MAX_STALLS = 50


class CannotBe(Exception):
    """A fault cannot be done here, or not now."""


@dataclass
class Stage:
    """What faults are done to."""

    fleet: Fleet
    links: list[Link]
    clock_file: Path
    #: None without a C compiler: then fsync is as fast as it is.
    slow_disk_file: Path | None
    #: Tells how much of the store's log has been written out, see slow_disk.c.
    written_out_file: Path
    random: random.Random
    #: None if nothing is delivered.
    sinks: SinkTrial | None

    def store(self) -> redis.Redis:
        """A client of the data, straight to the store."""
        return _impatient(self.fleet.store_url)

    def broker(self) -> redis.Redis:
        """A client of the broker, straight to it."""
        return _impatient(self.fleet.store_url.replace("db=0", "db=1"))

    def worker(self) -> Member:
        """Any worker."""
        return self.random.choice(self.fleet.workers)

    def ingress(self) -> Member:
        """Any ingress."""
        return self.random.choice(self.fleet.ingresses)

    def cut_power(self) -> None:
        """Kill the store, and have its log lose what has not been written out to the disk."""
        store = self.fleet.store
        store.hold_back(GONE_S)
        try:
            store.signal(signal.SIGKILL)
            wait_until(lambda: not embedded_store.answers(self.fleet.socket_path), "it is gone", timeout_s=GONE_S)
            if not self.written_out_file.exists():
                raise CannotBe("there is no C compiler")
            name, written_out = self.written_out_file.read_text(encoding="ascii").split()
            logs = (self.fleet.folder / "store" / "appendonlydir").glob("*.incr.aof")
            log = max(logs, key=lambda log: log.stat().st_mtime)
            # Another has just been begun, with all that was before it on the disk.
            if log.name == name and log.stat().st_size > int(written_out):
                os.truncate(log, int(written_out))
        finally:
            store.hold_back(0)

    def mend_disk(self) -> None:
        """Make room on the store's disk, and have its log mended, as `make up` does."""
        keeper = LogKeeper(self.store())
        keeper.look()
        self.fleet.limit_log(None)
        with contextlib.suppress(WaitedInVain):
            wait_until(keeper.look, "the log is whole", timeout_s=5)

    def link(self) -> Link:
        """Any link."""
        return self.random.choice(self.links)


@contextlib.contextmanager
def open_stage(
    folder: Path, catalog_keys: list[str], *, seed: int, durability: str,
    targets: Sequence[Callable[[Path], Target]] = (), sunk: int = 0,
) -> Iterator[Stage]:  # fmt: skip
    """Run two ingresses and two workers, one of each over links, and FTPS over another, on a store that writes its log.

    The first ``sunk`` catalogues are delivered to ``targets``, by two sink workers, one over a link.
    """
    socket_path = folder / "s.sock"
    links = [Link(socket_path) for _ in range(4 if targets else 3)]
    clock_file = folder / "clock"
    slow_disk = _compile_slow_disk(folder)
    slow_disk_file = folder / "slow-disk" if slow_disk else None
    written_out_file = folder / "written-out"
    disk = {"SLOW_DISK_FILE": str(slow_disk_file), "WRITTEN_OUT_FILE": str(written_out_file)} if slow_disk else {}
    if slow_disk:
        disk["LD_PRELOAD"] = f"{slow_disk}:{embedded_store.preloaded()}"
    fleet = Fleet(
        folder, ingresses=2, workers=2, children=2, worker_app="tests.chaos.worker:celery",
        store={"durability": durability, "maxmemory": 1024**3},
        store_environ=disk,
        store_urls={
            "ingress-1": links[0].url, "worker-1": links[1].url, "ftps": links[2].url, "sinks-1": links[-1].url,
        },
        sinks=2 if targets else 0,
        environ={CLOCK_FILE: str(clock_file)},
        credentials=",".join(f"{key}:{TOKEN}" for key in catalog_keys), lease_ttl_s=LEASE_TTL_S, sweep_s=0.3,
        max_stalls=MAX_STALLS, durability=durability, log_level="WARNING", webhook_private="allow",
        ftps_port=free_port(LOOPBACK, 0), ftps_cert=keep_certificate(folder / CERTIFICATE, LOOPBACK),
        exports_url=folder / "exports", secret_key="chaos" * 8,
    )  # fmt: skip
    with open_targets(targets, folder) as opened:
        try:
            fleet.start()
            sinks = SinkTrial(opened, catalog_keys[:sunk]) if opened else None
            if sinks:
                sinks.add(fleet.connect())
            yield Stage(fleet, links, clock_file, slow_disk_file, written_out_file, random.Random(seed), sinks)
        finally:
            for link in links:
                link.close()
            fleet.end()


def _impatient(url: str) -> redis.Redis:
    """Make a client that does not wait for a store which an earlier fault has stopped."""
    return redis.Redis.from_url(url, socket_timeout=0.5, retry=Retry(NoBackoff(), 0))


def _compile_slow_disk(folder: Path) -> Path | None:
    compiler, library = shutil.which("cc"), folder / "slow_disk.so"
    if compiler is None:
        return None
    command: list[Any] = [compiler, "-shared", "-fPIC", "-o", library, HERE / "slow_disk.c", "-ldl"]
    return library if subprocess.run(command, capture_output=True).returncode == 0 else None
