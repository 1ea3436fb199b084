"""A stack of processes with customers, each with a catalog of its own."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.stack.ports import LOOPBACK, free_port
from deploy.stack.services import Name
from deploy.stack.stack import Stack
from shared.partition.backlog import Backlog
from shared.partition.state import read_states
from shared.store.client import connect
from shared.waiting import wait_until
from tests.acceptance import processes
from tests.acceptance.customer import Answer, Customer, send_request

TOKEN = "acceptance-token"
#: One catalog with two tokens, and one with another.
OTHER_CREDENTIALS = "one:writer-token:rw,one:reader-token:r,two:other-token"
CATALOGS = [f"shop-{number:03}" for number in range(300)]


#: From a write to its effect, when a worker is rung for.
LONGEST_RING_S = 1.0


class Site:
    """A running stack, driven over HTTP; its processes are there to be killed."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.url = stack.api_url
        self._catalogs = iter(CATALOGS)

    def customer(self) -> Customer:
        """Make a customer whose catalog nobody has used."""
        return Customer(self.url, next(self._catalogs), TOKEN)

    def customers(self, count: int) -> list[Customer]:
        """Make several."""
        return [self.customer() for _ in range(count)]

    def get(self, path: str) -> Answer:
        """Ask for something that needs no token."""
        return send_request(self.url, "GET", path, headers={})

    # -- wake-ups -------------------------------------------------------------------------------------------------

    def at_rest(self) -> bool:
        """Say whether no worker is up, so that whoever writes has to ring."""
        with connect(self.stack.environ["SLUICE_REDIS_URL"]) as client:
            return not Backlog(client).is_watched()

    def time_to_effect(self) -> float:
        """Measure from a write to its effect, in a catalog at rest."""
        wait_until(self.at_rest, "no worker is up", timeout_s=10)
        shop, start = self.customer(), time.monotonic()
        shop.done(shop.put({"id": "a", "name": "A"}))
        return time.monotonic() - start

    def rings_are_heard(self) -> bool:
        """Say whether one write after the other has its effect at once; a sweep may catch one of them."""
        return all(self.time_to_effect() < LONGEST_RING_S for _ in range(3))

    # -- the worker -----------------------------------------------------------------------------------------------

    def stop_worker(self) -> None:
        """Stop the worker in order; it stays stopped."""
        self.stack.stop_service(Name.WORKER)

    def start_worker(self) -> None:
        """Start the worker and wait until it works."""
        self.stack.start_service(Name.WORKER)

    @contextlib.contextmanager
    def without_worker(self) -> Iterator[None]:
        """Let batches wait for as long as this lasts."""
        self.stop_worker()
        try:
            yield
        finally:
            self.start_worker()

    def drain_processes(self) -> list[int]:
        """Name the prefork children of the worker."""
        return processes.children(self.stack.pids()[Name.WORKER])

    def held(self, customers: list[Customer]) -> list[str]:
        """Name those whose partitions a worker holds."""
        with connect(self.stack.environ["SLUICE_REDIS_URL"]) as client:
            keys = [customer.catalog_key for customer in customers]
            return [key for key, state in zip(keys, read_states(client, keys), strict=True) if state.holder]

    def log(self, name: Name) -> str:
        """Read what a service has said so far."""
        return self.stack.folder.log(name).read_text(encoding="utf-8", errors="replace")

    def count_ended(self, customers: list[Customer]) -> int:
        """Count the tasks of these that have ended."""
        return sum(map(Customer.count_ended, customers))

    def wait_for_ended(self, customers: list[Customer], count: int) -> None:
        """Wait until so many tasks of these have ended."""
        wait_until(lambda: self.count_ended(customers) >= count, f"{count} tasks end", timeout_s=30, every_s=0.01)

    def wait_all_ended(self, customers: list[Customer], *, timeout_s: float) -> None:
        """Wait until nobody's batches wait or run."""
        waiting = list(customers)

        def none_left() -> bool:
            waiting[:] = itertools.dropwhile(Customer.all_ended, waiting)
            return not waiting

        wait_until(none_left, "all tasks end", timeout_s=timeout_s, every_s=0.02)


@contextlib.contextmanager
def running_site(folder: Path, **settings: Any) -> Iterator[Site]:
    """Run a stack in a folder, for as long as this lasts; settings by their names in shared/settings.py."""
    with Stack(environment(folder, **settings), flower=False) as stack:
        yield Site(stack)
        # Nobody needs what it has: ending in order takes seconds, and has tests of its own.
        pids = stack.pids().values()
        stack.supervisor.kill()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def environment(folder: Path, **settings: Any) -> dict[str, str]:
    """The variables of a stack in a folder, on a free port of loopback."""
    mine = {
        "data_dir": folder,
        "port": free_port(LOOPBACK, 0),
        "credentials": ",".join([*(f"{catalog}:{TOKEN}" for catalog in CATALOGS), OTHER_CREDENTIALS]),
        **settings,
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
    return clean | {f"SLUICE_{name.upper()}": str(value) for name, value in mine.items()}
