"""The stage of a chaos run: a fleet, the place where its catalogs lie, and its workers' clock."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import redis

from deploy.stack.certificate import keep_certificate
from deploy.stack.ports import LOOPBACK, free_port
from shared.store.client import Store
from tests.chaos import CLOCK_FILE
from tests.chaos.places.place import Place, impatient
from tests.chaos.sinks.destinations import Target
from tests.chaos.sinks.trial import SinkTrial, open_targets
from tests.support.fleet import Fleet, Member

TOKEN = "chaos-token"
#: The file with the certificate of FTPS.
CERTIFICATE = "ftps.pem"

#: Short, so that many leases run out in a run; long enough that a busy machine keeps them.
LEASE_TTL_S = 2.0
#: Owners die here for other reasons than their batch.
MAX_STALLS = 50


class CannotBe(Exception):
    """A fault cannot be done here."""


class NotNow(Exception):
    """A fault cannot be done yet: its turn comes later."""


@dataclass
class Stage:
    """What faults are done to."""

    fleet: Fleet
    place: Place
    clock_file: Path
    random: random.Random
    #: None if nothing is delivered.
    sinks: SinkTrial | None

    def store(self) -> Store:
        """A client of the data, straight to where it is."""
        return self.place.connect()

    def broker(self) -> redis.Redis:
        """A client of the broker, straight to it."""
        return impatient(self.fleet.own_url.replace("db=0", "db=1"))

    def worker(self) -> Member:
        """Any worker."""
        return self.random.choice(self.fleet.workers)

    def ingress(self) -> Member:
        """Any ingress."""
        return self.random.choice(self.fleet.ingresses)


@contextlib.contextmanager
def open_stage(
    folder: Path, place: Place, catalog_keys: list[str], *, seed: int,
    targets: Sequence[Callable[[Path], Target]] = (), sunk: int = 0,
) -> Iterator[Stage]:  # fmt: skip
    """Run two ingresses and two workers in a place; with another way to it, where it has one, for one of each.

    The first ``sunk`` catalogues are delivered to ``targets``, by two sink workers.
    """
    clock_file = folder / "clock"
    fleet = Fleet(
        folder, ingresses=2, workers=2, children=2, sinks=2 if targets else 0, worker_app="tests.chaos.worker:celery",
        environ={CLOCK_FILE: str(clock_file)}, credentials=",".join(f"{key}:{TOKEN}" for key in catalog_keys),
        lease_ttl_s=LEASE_TTL_S, sweep_s=0.3, max_stalls=MAX_STALLS, log_level="WARNING", webhook_private="allow",
        ftps_port=free_port(LOOPBACK, 0), ftps_cert=keep_certificate(folder / CERTIFICATE, LOOPBACK),
        exports_url=folder / "exports", secret_key="chaos" * 8, **place.fleet,
    )  # fmt: skip
    with open_targets(targets, folder) as opened:
        try:
            fleet.start()
            sinks = SinkTrial(opened, catalog_keys[:sunk]) if opened else None
            if sinks:
                sinks.add(fleet.connect())
            yield Stage(fleet, place, clock_file, random.Random(seed), sinks)
        finally:
            fleet.end()
