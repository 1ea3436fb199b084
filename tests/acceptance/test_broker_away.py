"""Wake-ups are hints: with none of them batches are applied later, not less, and writes do not even notice."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery

from deploy.stack.embedded_store import server_binary
from shared.doorbell import QUEUE, broker_url_for
from shared.store.client import connect
from shared.waiting import wait_until
from tests.acceptance.conftest import OpenSite
from tests.acceptance.load import some_batches
from tests.acceptance.site import Site
from tests.support.store_server import StoreServer

#: Long beside what a ring takes, so that the two can be told apart.
SWEEP_S = 2.0
#: A write answers in so many seconds, broker or not; a busy machine included.
LONGEST_WRITE_S = 1.0


class Broker:
    """A server of its own for the wake-ups, to be taken away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = StoreServer(server_binary(), folder)
        self.url = broker_url_for(self._server.url)

    def connect(self) -> redis.Redis:
        """Make a client of the database that Celery uses."""
        return connect(self._server.url.replace("db=0", "db=1"))

    def stop(self) -> None:
        """Kill it: connections break, and none can be made."""
        self._server.stop()

    def start_again(self) -> None:
        self._server = StoreServer(server_binary(), self._folder)

    def hang(self) -> None:
        """Freeze it: connections stay, can be made, and nobody answers."""
        os.kill(self._server.pid, signal.SIGSTOP)

    def wake_up(self) -> None:
        os.kill(self._server.pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    folder = Path(tempfile.mkdtemp(prefix="sluice-"))
    made = Broker(folder)
    yield made
    made.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def site(open_site: OpenSite, broker: Broker) -> Iterator[Site]:
    with open_site(broker_url=broker.url, sweep_s=SWEEP_S, lease_ttl_s=2.1) as running:
        yield running


#: How a broker goes away, and comes back.
TROUBLES = {"killed": (Broker.stop, Broker.start_again), "hanging": (Broker.hang, Broker.wake_up)}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_broker_that_is_away_slows_batches_down_and_nothing_else(
    trouble: str, site: Site, broker: Broker, measured: Callable[[str], None]
) -> None:
    """Writes answer as ever, the sweep applies them, the health says so, and a broker that is back is used again."""
    leave, come_back = TROUBLES[trouble]
    wait_until(site.rings_are_heard, "rings are heard", timeout_s=20)
    ring = min(site.time_to_effect() for _ in range(5))
    shops = site.customers(5)
    leave(broker)
    try:
        writes = [
            shops[number % len(shops)].send("PUT", [{"id": str(number % 7), "name": f"A {number}"}])
            for number in range(50)
        ]
        start = time.monotonic()
        health = site.get("/health/ready")
        site.wait_all_ended(shops, timeout_s=30)
        swept = time.monotonic() - start
    finally:
        come_back(broker)
    start = time.monotonic()
    wait_until(lambda: site.get("/health/ready").ok()["status"] == "ok", "the health is good", timeout_s=10)
    wait_until(site.rings_are_heard, "rings are heard again", timeout_s=60)
    took = sorted(write.seconds for write in writes)
    measured(
        f"broker {trouble}: write median {took[25] * 1000:.1f} ms, worst {took[-1] * 1000:.1f} ms; health in "
        f"{health.seconds:.2f} s; swept {swept:.2f} s after the last write (every {SWEEP_S:g} s)"
    )
    measured(
        f"broker back: rings heard again after {time.monotonic() - start:.1f} s; ring to effect {ring * 1000:.0f} ms"
    )
    assert {write.status for write in writes} == {200}
    assert took[-1] < LONGEST_WRITE_S
    assert (health.ok()["status"], health.ok()["broker"]) == ("degraded", "away")
    for shop in shops:
        shop.check_laws()


def test_batches_whose_wake_ups_are_all_lost_are_swept(site: Site, broker: Broker) -> None:
    """The worker is well and listens to nobody, and whatever is rung is thrown away."""
    wait_until(site.rings_are_heard, "rings are heard", timeout_s=20)
    control = Celery("control", broker=broker.url).control
    shops, stop, thrown_away = site.customers(5), threading.Event(), []

    def throw_away() -> None:
        with broker.connect() as client:
            while not stop.wait(0.005):
                thrown_away.append(client.delete(QUEUE))

    thief = threading.Thread(target=throw_away)
    assert control.cancel_consumer(QUEUE, reply=True, timeout=10, limit=1)
    wait_until(site.at_rest, "no worker is up", timeout_s=10)
    thief.start()
    try:
        some_batches(shops, 60, entries=50, seed=5)
        site.wait_all_ended(shops, timeout_s=30)
    finally:
        stop.set()
        thief.join()
        assert control.add_consumer(QUEUE, reply=True, timeout=10, limit=1)
    assert any(thrown_away)
    for shop in shops:
        shop.check_laws()
    wait_until(site.rings_are_heard, "rings are heard again", timeout_s=60)
