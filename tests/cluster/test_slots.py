"""A catalog's slot may move to another server at any moment: what was answered is applied in order, once, to an end."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from shared.doorbell import broker_url_for
from shared.errors import Misconfigured, StoreFull, StoreUnavailable
from shared.keys import CatalogKeys
from shared.model import Operation
from shared.nonces import new_nonce
from shared.partition.submissions import Submission
from shared.store.client import check_server, connect
from shared.store.memory import FULL_PERCENT, MemoryGuard, reserved_bytes
from shared.store.scripts import run
from shared.waiting import wait_until
from tests.support.batches import entry_bytes, items, make_batch
from tests.support.by_hand import HandClock
from tests.support.cluster import SHARED_SLOT, Cluster, slot_of
from tests.support.key_checker import check_keys
from tests.support.laws import Accepted
from tests.support.passing_threads import on_passing_threads
from tests.support.rig import TEST_SETTINGS, Rig

#: One in each shard at first; the last one lies with what spans catalogs.
CATALOGS = ["acme", "other", "third", "sluice"]
#: Batches that wait to be sent again are sent for so long.
PATIENCE_S = 30.0


class Traffic:
    """Sends to all catalogs and drains them, on threads, until it is told to stop."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.broken: list[BaseException] = []
        self._stop = threading.Event()
        self._senders = [threading.Thread(target=self._run, args=(self._send, key)) for key in CATALOGS]
        self._drainers = [threading.Thread(target=self._run, args=(self._drain, n)) for n in ("one", "two")]

    def __enter__(self) -> Traffic:
        for thread in (*self._senders, *self._drainers):
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in (*self._senders, *self._drainers):
            thread.join()

    def goes_on(self) -> None:
        """Wait until every catalog has had another batch accepted."""
        before = self._counts()
        wait_until(
            lambda: self.broken or all(now > then for now, then in zip(self._counts(), before, strict=True)),
            "all catalogs go on", timeout_s=PATIENCE_S, every_s=0.005,
        )  # fmt: skip
        assert self.broken == []

    def _counts(self) -> list[int]:
        return [len(self.rig.accepted.get(key, ())) for key in CATALOGS]

    def _run(self, work: Callable[[str], None], what: str) -> None:
        try:
            while not self._stop.is_set():
                work(what)
        # Whatever it is, it is what the test is about.
        except BaseException as error:
            self.broken.append(error)

    def _send(self, catalog_key: str) -> None:
        """Send one batch until it is answered, as the same one: as a client does whose connection broke."""
        number = len(self.rig.accepted.setdefault(catalog_key, []))
        entries = [{"id": str(number % 7 + i), "name": f"N {number}", "data": {"n": number}} for i in range(20)]
        made, nonce = make_batch(Operation.PUT, entries), new_nonce()

        def answered() -> int | None:
            with contextlib.suppress(StoreUnavailable):
                submitted = self.rig.submit_batch(made, catalog_key=catalog_key, nonce=nonce)
                assert submitted.outcome in (Submission.ACCEPTED, Submission.REPEATED)
                return submitted.task_id
            return None

        task_id = wait_until(answered, "the batch is answered", timeout_s=PATIENCE_S)
        batch = Accepted(task_id or 0, "items", "put", list(map(entry_bytes, entries)), sent=number, answered=number)
        self.rig.accepted[catalog_key].append(batch)

    def _drain(self, holder: str) -> None:
        drainer = self.rig.drainer(holder=holder)
        for catalog_key in CATALOGS:
            with contextlib.suppress(StoreUnavailable):
                drainer.drain(catalog_key)


@pytest.fixture
def rig(cluster: Cluster) -> Rig:
    settings = replace(TEST_SETTINGS, slice_s=0.2, min_replicas=1)
    return Rig(connect(cluster.url), clock=HandClock(), settings=settings)  # type: ignore[arg-type]


def test_a_cluster_is_known_by_its_servers_and_needs_a_broker_of_its_own(cluster: Cluster) -> None:
    assert "3 shards" in check_server(connect(cluster.url))
    with pytest.raises(Misconfigured, match="SLUICE_BROKER_URL is not set"):
        broker_url_for(cluster.url)


def test_a_client_serves_any_number_of_threads_one_after_the_other(cluster: Cluster) -> None:
    client = connect(cluster.url)
    on_passing_threads(lambda: run(client, ("EXISTS", CatalogKeys("acme").seq)))


def test_batches_go_on_while_slots_move_and_a_script_is_unknown(cluster: Cluster, rig: Rig) -> None:
    """Slots of catalogs and the one of all that spans them, at once and key by key, during ingest."""
    with Traffic(rig) as traffic:
        traffic.goes_on()
        for slot in (slot_of("acme"), SHARED_SLOT):
            source = cluster.master_of(slot)
            cluster.hand_over(slot, cluster.other_master(source))
            traffic.goes_on()
            cluster.carry_over(slot, source, between=_a_moment())
            traffic.goes_on()
        for node in cluster.masters():
            node.client.script_flush()
        traffic.goes_on()
    assert traffic.broken == []
    for catalog_key in CATALOGS:
        while rig.drain(catalog_key) != "EMPTY":
            pass
        rig.check_laws(catalog_key)
    for node in cluster.masters():
        check_keys(node.client)


def test_what_others_on_the_same_server_have_reserved_counts(cluster: Cluster, rig: Rig) -> None:
    """And what was admitted since that was looked at; a full server does not hold up the catalogs of others."""
    crowded = cluster.master_of(slot_of("acme"))
    keys = [f"shop-{number}" for number in range(50)]
    neighbour = next(key for key in keys if cluster.master_of(slot_of(key)) is crowded)
    elsewhere = next(key for key in keys if cluster.master_of(slot_of(key)) is not crowded)
    rig.put(*items(*map(str, range(5000))), catalog_key="acme")
    reserved = reserved_bytes(rig.client)
    try:
        for node in cluster.masters():
            used = int(node.client.info("memory")["used_memory"])
            node.client.config_set("maxmemory", int((used + 1.5 * reserved) * 100 / FULL_PERCENT))
        guard = MemoryGuard(rig.client, clock_s=lambda: 0.0)
        with pytest.raises(StoreFull):
            guard.admit(neighbour, int(reserved))
        guard.admit(elsewhere, int(reserved), is_early=True)
        guard.admit(elsewhere, int(reserved))
        with pytest.raises(StoreFull):
            guard.admit(elsewhere, int(reserved))
    finally:
        for node in cluster.masters():
            node.client.config_set("maxmemory", 2**28)
    rig.drain("acme")


def _a_moment() -> Iterator[None]:
    """Hold a slot half moved for a while, so that calls meet it so."""
    for _ in range(20):
        threading.Event().wait(0.01)
        yield
