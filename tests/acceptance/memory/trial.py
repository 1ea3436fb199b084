"""Fill a store whose workers stand still until each sender is refused, then have all of it applied."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import redis

from shared.keys import RESERVED
from shared.waiting import wait_until
from tests.acceptance.customer import Answer, Customer, open_connection, send_over
from tests.acceptance.memory.texts import Text
from tests.support.fleet import Fleet

#: Each kind of text, and of write, is tried if the store's memory is given.
ALL = "TRIAL_MB" in os.environ
MAXMEMORY = int(os.environ.get("TRIAL_MB", "64")) * 2**20
#: The store's binary; None is the embedded one.
SERVER = Path(os.environ["TRIAL_SERVER"]) if os.environ.get("TRIAL_SERVER") else None
#: Whoever writes alone is not refused before what was accepted takes this share: what is on its way counts, too, and
#: one batch is more of a small store.
FILLED = 0.6 if MAXMEMORY >= 256 * 2**20 else 0.5
SENDERS = 4
TOKEN = "tok"
#: Longer than applying a full store takes, on a busy machine.
APPLIED_S = 60 + 2 * MAXMEMORY / 2**20
#: What a fleet of a trial is set to: only memory may stand in the way of a write.
SETTINGS: Mapping[str, Any] = {"queue_tasks": 10**6, "queue_bytes": 2**40, "log_level": "WARNING"}

JSON = {"Content-Type": "application/json"}


class Request(NamedTuple):
    """One write, as it is sent."""

    method: str
    path: str
    body: bytes
    query: Mapping[str, Any] = {}
    headers: Mapping[str, str] = JSON
    #: What it has of each kind.
    entries: Mapping[str, int] = {}


#: Makes the next write, from a source of randomness and the first of 10,000 numbers that nobody else gets.
Make = Callable[[random.Random, int], Request]


def put_batch(text: Text, draw: random.Random, first: int) -> Request:
    """Make a PUT of a batch of a text."""
    entries = [text.make(draw, number) for number in range(first, first + text.size)]
    body = json.dumps({text.kind: entries}).encode()
    return Request("PUT", f"/v2/{text.kind}", body, entries={text.kind: text.size})


class Trial:
    """Fills the store of a fleet; ``servers`` are all that hold data."""

    def __init__(self, fleet: Fleet, servers: Sequence[redis.Redis], customers: Sequence[Customer]) -> None:
        self.customers = customers
        self._fleet, self._servers = fleet, servers
        self._numbers, self._guard = count(), threading.Lock()
        #: What was accepted: entries by kind, and requests by catalog.
        self.entries: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        #: The greatest share of its memory that a server used while all was applied.
        self.most = 0.0
        #: What was used, and what was reserved, on the fullest server at the first refusal.
        self.refused_at: tuple[float, float] | None = None

    @property
    def peak(self) -> float:
        """The greatest share of its memory that a server has ever used."""
        return self._share("used_memory_peak")

    def used(self) -> float:
        """The share of its memory that the fullest server uses."""
        return self._share("used_memory")

    def _share(self, figure: str) -> float:
        return max(int(server.info("memory")[figure]) for server in self._servers) / MAXMEMORY

    def while_stopped(self, make: Make) -> None:
        """Have each sender write until it is refused while no worker runs; then let them go on, to the end."""
        for worker in self._fleet.workers:
            worker.signal(signal.SIGSTOP, group=True)
        try:
            self.fill(make)
            # What the others had on their way took room that is free again.
            self.fill(make, senders=1)
        finally:
            for worker in self._fleet.workers:
                worker.signal(signal.SIGCONT, group=True)
        self.wait_applied()

    def fill(self, make: Make, *, senders: int = SENDERS, until: float | None = None) -> None:
        """Write from some threads until each of them was refused, or this share of the memory is used or reserved."""
        with ThreadPoolExecutor(senders) as threads:
            for sender in [threads.submit(self._send, make, seed, until) for seed in range(senders)]:
                sender.result()

    def next_numbers(self) -> int:
        """Take 10,000 numbers; returns the first."""
        with self._guard:
            return next(self._numbers) * 10_000

    def _send(self, make: Make, seed: int, until: float | None) -> None:
        draw = random.Random(seed)
        connections = {customer.catalog_key: open_connection(customer.url) for customer in self.customers}
        for customer in self._turns(seed):
            if until is not None and self.used() + self.reserved() >= until:
                break
            request = make(draw, self.next_numbers())
            if not self._accepted(customer, connections[customer.catalog_key], request):
                break
        for connection in connections.values():
            connection.close()

    def _turns(self, seed: int) -> Iterator[Customer]:
        for turn in count(seed):
            yield self.customers[turn % len(self.customers)]

    def _accepted(self, customer: Customer, connection: http.client.HTTPConnection, request: Request) -> bool:
        answer = self._answer(customer, connection, request)
        if answer is None or answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
            assert answer is None or answer.json()["message"] == "The store is full. Please try again later."
            with self._guard:
                self.refused_at = self.refused_at or (self.used(), self.reserved())
            return False
        # A V1 write that is not done in time is applied all the same.
        assert answer.status in (HTTPStatus.OK, HTTPStatus.SEE_OTHER, HTTPStatus.GATEWAY_TIMEOUT), answer
        with self._guard:
            self.entries.update(request.entries)
            self.requests[customer.catalog_key] += answer.status != HTTPStatus.SEE_OTHER
        return True

    def _answer(self, customer: Customer, connection: http.client.HTTPConnection, request: Request) -> Answer | None:
        """Send a write; None if the connection was closed over a body that is refused."""
        target = f"{request.path}?{urlencode({'key': customer.catalog_key, **request.query})}"
        headers = {"Authorization": customer.authorization, **request.headers}
        try:
            return send_over(connection, request.method, target, body=request.body, headers=headers)
        except (BrokenPipeError, ConnectionResetError):
            connection.close()
            return None

    def reserved(self) -> float:
        """The share that is reserved for what waits, if there is one server."""
        return int(self._servers[0].get(RESERVED) or 0) / MAXMEMORY if len(self._servers) == 1 else 0.0

    def wait_applied(self) -> None:
        """Wait until every task has ended, and note the most memory that was used."""

        def applied() -> bool:
            self.most = max(self.most, self.used())
            return all(customer.all_ended() for customer in self.customers)

        wait_until(applied, "everything is applied", timeout_s=APPLIED_S, every_s=0.02)

    def check(self) -> None:
        """All that was accepted is applied, and no server ever used more memory than it may."""
        for customer in self.customers:
            counts = customer.counts()
            assert counts["DONE"] == sum(counts.values()) == self.requests[customer.catalog_key], counts
        assert self.peak <= 1

    def summary(self, name: str) -> str:
        """Say in one line what was measured."""
        used, reserved = self.refused_at or (0.0, 0.0)
        info = self._servers[0].info("server")
        server = f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {info['redis_version']}"
        return (
            f"{server}, {MAXMEMORY >> 20} MB, {name}: {sum(self.requests.values())} writes; refused with "
            f"{used:.0%} used and {reserved:.0%} reserved; all of it took {self.most:.0%}, peak {self.peak:.0%}"
        )
