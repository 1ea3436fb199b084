"""A whole stack on a cluster whose servers die, hang and change while batches are sent; `make test-cluster` runs it.

With SLUICE_MIN_REPLICAS=1, so that nothing that was answered may be lost.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.stack.embedded_store import server_binary
from shared.doorbell import broker_url_for
from shared.waiting import wait_until
from tests.acceptance.site import CATALOGS, TOKEN, Site, running_site
from tests.chaos.patient import Patient
from tests.chaos.producers import Producer
from tests.support.cluster import SHARED_SLOT, SOON_MS, Cluster, running_cluster, slot_of
from tests.support.cluster_node import Node
from tests.support.key_checker import check_keys
from tests.support.store_server import StoreServer

SEED = int(os.environ.get("CLUSTER_SEED", "1"))
PRODUCERS = 4
#: Seconds for which a server hangs: long enough to be replaced meanwhile.
HANGS_S = 4.0
#: Seconds in which all goes on after whatever has happened.
GOES_ON_S = 60.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One that replaces a lost master soon."""
    with running_cluster(timeout_ms=SOON_MS) as running:
        yield running


@pytest.fixture
def site(cluster: Cluster) -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="sluice-"))
    broker = StoreServer(server_binary(), folder)
    try:
        with running_site(
            folder / "site", redis_url=cluster.url, broker_url=broker_url_for(broker.url), min_replicas=1, workers=2,
            lease_ttl_s=2.1, sweep_s=0.3, max_stalls=50,
        ) as running:  # fmt: skip
            yield running
    finally:
        broker.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Load:
    """Customers that send until they are answered, and what became of it."""

    def __init__(self, url: str, measured: Callable[[str], None]) -> None:
        self.customers = [Patient("", key, TOKEN, urls=[url]) for key in CATALOGS[:8]]
        self._producers = [Producer(number, self.customers, SEED, watch=None) for number in range(PRODUCERS)]
        self._measured = measured

    def __enter__(self) -> Load:
        for producer in self._producers:
            producer.start()
        return self

    def __exit__(self, *_: object) -> None:
        for producer in self._producers:
            producer.stop()

    def goes_on(self, after: str) -> None:
        """Wait until every customer has had two more batches accepted, and say how long that took."""
        before, start = [len(customer.accepted) for customer in self.customers], time.monotonic()

        def all_do() -> bool:
            assert [producer.wrong for producer in self._producers if producer.wrong] == []
            return all(len(one.accepted) >= then + 2 for one, then in zip(self.customers, before, strict=True))

        wait_until(all_do, f"batches are accepted after {after}", timeout_s=GOES_ON_S)
        self._measured(f"cluster, {after}: all catalogs take batches again after {time.monotonic() - start:.1f} s")


@pytest.mark.timeout(600)
def test_the_laws_hold_for_what_was_answered_whatever_happens_to_the_cluster(
    site: Site, cluster: Cluster, measured: Callable[[str], None]
) -> None:
    draw = random.Random(SEED)
    with Load(site.url, measured) as load:
        load.goes_on("the start")
        for name, slot in (("a catalog", slot_of(CATALOGS[0])), ("the shared keys", SHARED_SLOT)):
            _replaced(cluster, slot, load, f"the master of {name} was killed", lambda node: node.kill())
        _replaced(cluster, slot_of(CATALOGS[1]), load, f"a master hung for {HANGS_S:g} s", _hang)
        for slot in (slot_of(CATALOGS[2]), SHARED_SLOT, *draw.sample([slot_of(key) for key in CATALOGS[:8]], 3)):
            cluster.hand_over(slot, cluster.other_master(cluster.master_of(slot)))
            cluster.carry_over(slot, cluster.other_master(cluster.master_of(slot)), between=iter(()))
        load.goes_on("five slots have moved, twice each")
    wait_until(lambda: all(one.all_ended() for one in load.customers), "all tasks end", timeout_s=60, every_s=0.2)
    _look_at_everything(cluster, load.customers, measured)


def _replaced(cluster: Cluster, slot: int, load: Load, what: str, strike: Callable[[Node], None]) -> None:
    """Take a master away until its replica has taken over; it comes back as a replica."""
    struck, start = cluster.master_of(slot), time.monotonic()
    strike(struck)
    wait_until(lambda: cluster.master_of(slot) is not struck, "a replica takes over", timeout_s=30)
    took = time.monotonic() - start
    # Without it nothing is on as many servers as is wanted, and batches for its catalogs are refused.
    if not struck.answers():
        struck.start()
    cluster.wait_whole()
    load.goes_on(f"{what} (replaced after {took:.1f} s, whole after {time.monotonic() - start:.1f} s)")


def _hang(node: Node) -> None:
    node.kill(signal.SIGSTOP)
    threading.Event().wait(HANGS_S)
    node.kill(signal.SIGCONT)


def _look_at_everything(cluster: Cluster, customers: list[Patient], measured: Callable[[str], None]) -> None:
    retries: Counter[str] = sum((customer.retries for customer in customers), Counter())
    accepted = sum(len(customer.accepted) for customer in customers)
    measured(f"cluster: {accepted} batches accepted; sent again because of {dict(retries)}")
    # Whoever took over begins far above what the one before may have given out.
    assert any(batch.task_id > 10_000 for customer in customers for batch in customer.accepted)
    for customer in customers:
        customer.check_laws()
    for node in cluster.masters():
        check_keys(node.client)
