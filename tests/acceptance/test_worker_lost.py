"""A worker may die or freeze at any moment: another goes on where it was, in order, and nothing happens twice."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from deploy.stack.services import Name
from shared.partition.state import read_state
from shared.store.client import connect
from shared.waiting import wait_until
from tests.acceptance import processes
from tests.acceptance.conftest import OpenSite
from tests.acceptance.customer import Customer
from tests.acceptance.load import big_items, some_batches
from tests.acceptance.site import Site

#: Short, so that the tests are; the promise is relative to it.
LEASE_TTL_S = 2.1
#: Nobody waits longer than the lease and that for another worker, the restart of a process included.
RESTART_S = 5.0


@pytest.fixture(scope="module")
def site(open_site: OpenSite) -> Iterator[Site]:
    with open_site(lease_ttl_s=LEASE_TTL_S, workers=2, sweep_s=0.5) as running:
        yield running


def test_two_hundred_waiting_batches_survive_a_killed_worker(site: Site, measured: Callable[[str], None]) -> None:
    """Everyone's batches go on within the lease + 5 s, and all are applied once and in order."""
    shops = site.customers(8)
    site.stop_worker()
    some_batches(shops, 200, entries=500, seed=1)
    begun = time.monotonic()
    site.stack.supervisor.start_service(Name.WORKER)
    # They are being applied, and in the middle of it worker and children are gone.
    site.wait_for_ended(shops, 5)
    killed = time.monotonic()
    # On a machine so slow or so busy that starting takes longer even where nothing is wrong, so does starting again.
    restart_s = max(RESTART_S, 2 * (killed - begun))
    processes.kill_family(site.stack.pids()[Name.WORKER])
    before = list(map(Customer.count_ended, shops))
    assert sum(before) < 200, "the kill came too late"

    waits: dict[str, float] = {}
    waiting = {shop.catalog_key: partial(_goes_on, shop, count) for shop, count in zip(shops, before, strict=True)}

    def all_go_on() -> bool:
        for catalog_key, goes_on in waiting.items():
            if catalog_key not in waits and goes_on():
                waits[catalog_key] = time.monotonic() - killed
        return len(waits) == len(waiting)

    wait_until(all_go_on, "every catalog goes on", timeout_s=30, every_s=0.02)
    site.wait_all_ended(shops, timeout_s=30)
    measured(
        f"worker killed with {200 - sum(before)} of 200 batches waiting, lease {LEASE_TTL_S} s: the last catalog goes "
        f"on after {max(waits.values()):.2f} s, all are done after {time.monotonic() - killed:.2f} s"
    )
    assert max(waits.values()) < LEASE_TTL_S + restart_s
    for shop in shops:
        shop.check_laws()


def _goes_on(shop: Customer, before: int) -> bool:
    return shop.count_ended() > before or shop.all_ended()


def test_drain_processes_killed_one_after_the_other_are_replaced(site: Site) -> None:
    """Whichever child dies at whichever moment, its partition goes on with another."""
    shops, draw = site.customers(4), random.Random(2)
    sender = threading.Thread(target=some_batches, args=(shops, 60), kwargs={"entries": 400, "seed": 3})
    sender.start()
    for round_ in range(3):
        site.wait_for_ended(shops, 10 * round_)
        os.kill(draw.choice(wait_until(site.drain_processes, "a drain process", timeout_s=10)), signal.SIGKILL)
    sender.join()
    site.wait_all_ended(shops, timeout_s=30)
    wait_until(lambda: len(site.drain_processes()) == 2, "both drain processes are there again", timeout_s=10)
    for shop in shops:
        shop.check_laws()


def test_a_frozen_worker_that_wakes_up_late_is_fenced(site: Site, measured: Callable[[str], None]) -> None:
    """Its partition goes on without it, and what it commits afterwards has no effect."""
    shop = site.customer()
    items = big_items(10_000)
    shop.done(shop.put(*items))
    task_id, frozen = _freeze_in_the_middle(site, shop, [item["id"] for item in items])
    stopped = time.monotonic()
    try:
        shop.put({"id": "item-000000", "name": "Comes after"})
        applied = shop.task(task_id)["progress"]["entries_applied"]
        wait_until(
            lambda: shop.task(task_id)["progress"]["entries_applied"] > applied,
            "another goes on", timeout_s=LEASE_TTL_S + RESTART_S, every_s=0.01,
        )  # fmt: skip
        waited = time.monotonic() - stopped
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(frozen, signal.SIGCONT)
    wait_until(lambda: _fenced(site, shop), "the late commit is refused", timeout_s=5)
    measured(
        f"worker frozen after {applied} of 10,000 entries, lease {LEASE_TTL_S} s: another goes on after {waited:.2f} s"
        f"; log: {_fenced(site, shop)[0]}"
    )
    shop.wait_all_ended()
    assert shop.entry("item-000000").ok()["name"] == "Comes after"
    shop.check_laws()


def _freeze_in_the_middle(site: Site, shop: Customer, ids: list[str]) -> tuple[int, int]:
    """Send big batches until a drain process is stopped in the middle of one; returns the task and the process."""
    # The store says who is at work, so that the blow does not miss.
    client = connect(site.stack.environ["SLUICE_REDIS_URL"])
    children = set(site.drain_processes())

    def owner() -> int:
        holder = read_state(client, shop.catalog_key).holder
        pid = int(holder.rpartition(":")[2]) if holder else 0
        return pid if pid in children else 0

    for attempt in range(10):
        task_id = shop.patch(*({"id": id_, "data": {"attempt": attempt, "tags:add": [attempt]}} for id_ in ids))
        pid = wait_until(lambda: owner() or shop.all_ended(), "somebody is at work", timeout_s=10, every_s=0.001)
        if pid is True:
            continue  # the sweep was, or it went too fast for us
        os.kill(pid, signal.SIGSTOP)
        if owner() == pid and shop.task(task_id)["progress"]["entries_applied"] < len(ids):
            return task_id, pid
        os.kill(pid, signal.SIGCONT)
    pytest.fail("no drain process was ever caught at work")


def _fenced(site: Site, shop: Customer) -> list[str]:
    lines = [line for line in site.log(Name.WORKER).splitlines() if line.startswith('{"action":')]
    told = {"action": "fenced", "catalog_key": shop.catalog_key}
    return [line for line in lines if told.items() <= json.loads(line).items()]
