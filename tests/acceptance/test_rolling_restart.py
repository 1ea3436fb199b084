"""Every ingress and worker process replaced under load: no request fails, and the laws hold."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

import pytest

from deploy.restart import children
from deploy.stack.services import Name
from shared.waiting import wait_until
from tests.acceptance.customer import Answer, Customer, open_connection, send_over
from tests.acceptance.load import send_any
from tests.acceptance.site import Site

#: Seconds of load; `make test-restart` has a minute of it.
SECONDS = float(os.environ.get("RESTART_SECONDS", "2"))


@dataclass
class Keeping(Customer):
    """A customer who keeps one connection from request to request, as the official clients do."""

    statuses: Counter[int] = field(default_factory=Counter)
    slowest_s: float = 0.0
    connection: HTTPConnection | None = None

    def exchange(self, method: str, target: str, body: Any, headers: Mapping[str, str]) -> Answer:
        self.connection = self.connection or open_connection(self.url)
        answer = send_over(self.connection, method, target, body=body, headers=headers)
        self.statuses[answer.status] += 1
        self.slowest_s = max(self.slowest_s, answer.seconds)
        return answer


class Sender:
    """Sends batches and reads, as fast as they are answered, on a thread of its own."""

    def __init__(self, shop: Keeping, seed: int) -> None:
        self.shop = shop
        #: What a request ended with that got no answer.
        self.broken: list[BaseException] = []
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Sender:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self.shop.connection:
            self.shop.connection.close()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                if self.shop.counts()["QUEUED"] < 20:
                    send_any(self.shop, self._random, entries=20)
        # Whatever it is, it is what the test is about.
        except BaseException as error:
            self.broken.append(error)


@pytest.mark.timeout(SECONDS + 120)
def test_every_process_is_replaced_under_load_and_no_request_fails(site: Site, measured: Callable[[str], None]) -> None:
    shops = [Keeping(site.url, shop.catalog_key, shop.token) for shop in site.customers(4)]
    senders = [Sender(shop, seed) for seed, shop in enumerate(shops)]
    before, end = _pids(site), time.monotonic() + SECONDS
    with senders[0], senders[1], senders[2], senders[3]:
        wait_until(lambda: all(len(shop.accepted) > 5 for shop in shops), "the load is on", timeout_s=10)
        restart = subprocess.run(
            [sys.executable, "-m", "deploy.restart"], env=site.stack.environ, capture_output=True, text=True
        )
        wait_until(lambda: time.monotonic() > end, "the load is over", timeout_s=SECONDS + 1)
    assert (restart.returncode, restart.stderr) == (0, "")
    site.wait_all_ended(list(shops), timeout_s=30)

    statuses = sum((shop.statuses for shop in shops), Counter[int]())
    accepted, slowest = sum(len(shop.accepted) for shop in shops), max(shop.slowest_s for shop in shops)
    measured(
        f"rolling restart: {statuses.total()} requests, {accepted} batches accepted, answers by status: "
        f"{dict(statuses)}; slowest answer {slowest:.2f} s"
    )
    assert not before & _pids(site)
    assert [sender.broken for sender in senders if sender.broken] == []
    assert set(statuses) <= {200, 429}
    for shop in shops:
        shop.check_laws()


def _pids(site: Site) -> set[int]:
    """Name the processes that serve and drain, and the worker itself; gunicorn's own parent process stays."""
    parents = site.stack.pids()
    return {*children(parents[Name.INGRESS]), *children(parents[Name.WORKER]), parents[Name.WORKER]}
