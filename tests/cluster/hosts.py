"""Ingresses and workers as hosts of their own, of which some lose sight of the store; `make test-cluster` runs it."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.restart import children
from deploy.stack.embedded_store import server_binary
from deploy.stack.services import answers_ok
from shared.clock import now_ms
from shared.errors import StoreUnavailable
from shared.partition.heartbeats import Heartbeats
from shared.partition.state import read_state
from shared.settings import Settings
from shared.store.client import connect
from shared.waiting import wait_until
from tests.acceptance.load import big_items
from tests.acceptance.site import CATALOGS, TOKEN, environment
from tests.chaos.patient import Patient
from tests.chaos.producers import Producer
from tests.support.hosts import Host, NotAllowed, Switch, plugged_in
from tests.support.key_checker import check_keys

#: Short, so that the test is.
LEASE_TTL_S = 2.1
#: Longer than a lease, and than anybody waits for an answer of the store.
AWAY_S = 7.0
PORT = 8080


class Site:
    """A store, two ingresses and two workers, each on a host."""

    def __init__(self, switch: Switch, folder: Path) -> None:
        self.store = switch.host("store")
        url = f"redis://{self.store.address}:6379/0"
        self.store.start(
            server_binary(), "--bind", self.store.address, "--protected-mode", "no", "--dir", folder,
            "--appendonly", "yes", "--save", "", "--maxmemory", "512mb",
        )  # fmt: skip
        self.client = connect(url)
        self.ingresses = [switch.host("ingress-0"), switch.host("ingress-1")]
        self.workers = [switch.host("worker-0"), switch.host("worker-1")]
        self.pids: dict[int, Host] = {}
        wait_until(self._store_answers, "the store answers", timeout_s=20)
        for host in (*self.ingresses, *self.workers):
            kind = "ingress" if host in self.ingresses else "worker"
            environ = environment(
                folder / host.address, redis_url=url, host=host.address, port=PORT, secret_key="a" * 64,
                lease_ttl_s=LEASE_TTL_S, sweep_s=0.3, max_stalls=50,
            )  # fmt: skip
            self.pids[host.service(kind, environ)] = host
        self.settings = Settings.from_env(environ)
        self.urls = [f"http://{host.address}:{PORT}" for host in self.ingresses]
        wait_until(lambda: all(answers_ok(url + "/health/live") for url in self.urls), "they listen", timeout_s=60)
        wait_until(lambda: len(Heartbeats(self.client).alive(now_ms())) >= 2, "the workers work", timeout_s=60)

    def owner(self, catalog_key: str) -> Host | None:
        """Find the host whose worker owns a partition just now."""
        holder = read_state(self.client, catalog_key).holder
        pid = int(holder.rpartition(":")[2]) if holder else 0
        for parent, host in self.pids.items():
            if host in self.workers and pid in (parent, *children(parent)):
                return host
        return None

    def _store_answers(self) -> bool:
        try:
            return Heartbeats(self.client).alive(now_ms()) == []
        except StoreUnavailable:
            return False


@pytest.fixture
def site() -> Iterator[Site]:
    """A site on several hosts; who may not make network namespaces, as in most containers, does without."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-"))
    try:
        with plugged_in(folder) as switch:
            yield Site(switch, folder)
    # Also in CI: it may run in a container, where nobody may.
    except NotAllowed as problem:
        pytest.skip(str(problem))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.timeout(300)
def test_a_worker_and_an_ingress_that_lose_sight_of_the_store_for_longer_than_a_lease(
    site: Site, measured: Callable[[str], None]
) -> None:
    """The others go on; what the lost ones do when they are back has no effect a second time."""
    customers = [Patient("", key, TOKEN, urls=site.urls) for key in CATALOGS[:6]]
    big = customers[0]
    items = big_items(10_000)
    big.done(big.put(*items))
    producers = [Producer(number, customers[1:], 1, watch=None) for number in range(3)]
    for producer in producers:
        producer.start()
    # A batch of ten chunks: its owner is in the middle of it.
    big.patch(*({"id": item["id"], "data": {"seen": 1}} for item in items))
    lost = wait_until(lambda: site.owner(big.catalog_key), "somebody is at work", timeout_s=20, every_s=0.001)
    assert lost
    lost.unplug()
    start = time.monotonic()
    big.patch({"id": items[0]["id"], "data": {"later": 1}})
    big.wait_all_ended(timeout_s=LEASE_TTL_S + 20)
    went_on = time.monotonic() - start
    _stay_away(start)
    lost.plug_in()
    site.ingresses[0].lose_sight_of(site.store)
    before = sum(len(customer.accepted) for customer in customers)
    _stay_away(time.monotonic())
    site.ingresses[0].find_again(site.store)
    accepted = sum(len(customer.accepted) for customer in customers) - before
    for producer in producers:
        producer.stop()
        assert producer.wrong is None
    wait_until(lambda: all(customer.all_ended() for customer in customers), "all end", timeout_s=60, every_s=0.2)
    measured(
        f"worker cut off for {AWAY_S:g} s, lease {LEASE_TTL_S} s: its catalog is done {went_on:.1f} s later; one of two"
        f" ingresses cut off: {accepted} batches accepted meanwhile"
    )
    assert went_on < AWAY_S
    assert accepted
    assert "store unreachable" in lost.log.read_text(encoding="utf-8")
    for customer in customers:
        customer.check_laws()
    check_keys(site.client)  # type: ignore[arg-type]


def _stay_away(start: float) -> None:
    threading.Event().wait(max(0.0, AWAY_S - (time.monotonic() - start)))
