"""The store may die or be restarted: what was answered is there again, and meanwhile nobody waits for an answer."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from deploy.stack.services import Name
from shared.waiting import wait_until
from tests.acceptance.conftest import OpenSite
from tests.acceptance.customer import Customer
from tests.acceptance.load import some_batches
from tests.acceptance.site import Site

#: SLUICE_DURABILITY=everysec: a dying server may take the answers of so many seconds with it.
LOST_S = 2.0
#: A refusal comes in so many seconds when the store is away.
LONGEST_REFUSAL_S = 2.0
#: One that hangs is given 5 s to answer, once.
LONGEST_HANG_S = 8.0


@pytest.fixture(scope="module")
def site(open_site: OpenSite) -> Iterator[Site]:
    with open_site(lease_ttl_s=2.1) as running:
        yield running


def forget_the_lost(shop: Customer, killed: float) -> int:
    """Strike from the journal what is gone and may be; what is older must be there, or the laws will tell."""
    there = {task.id for task in shop.tasks()}
    lost = [batch for batch in shop.accepted if batch.task_id not in there and batch.answered > killed - LOST_S]
    shop.accepted = [batch for batch in shop.accepted if batch not in lost]
    return len(lost)


def test_a_killed_store_comes_back_with_what_it_answered(site: Site, measured: Callable[[str], None]) -> None:
    """Supervisor restarts it, everybody reconnects, the tasks go on, and no id is given out twice."""
    shops = site.customers(4)
    some_batches(shops, 40, entries=200, seed=8)
    site.wait_all_ended(shops[:1], timeout_s=20)
    settled = time.monotonic()
    wait_until(lambda: time.monotonic() > settled + LOST_S, "what was answered is safe", timeout_s=LOST_S + 1)
    some_batches(shops, 80, entries=200, seed=9)
    last_ids = [shop.accepted[-1].task_id for shop in shops]
    pid, killed = site.stack.kill(Name.STORE), time.monotonic()

    wait_until(lambda: site.stack.pids().get(Name.STORE, pid) != pid, "the store is restarted", timeout_s=10)
    site.stack.wait_ready(Name.STORE, timeout_s=20)
    wait_until(lambda: site.get("/health/ready").status == 200, "batches are taken again", timeout_s=10, every_s=0.01)
    back = time.monotonic() - killed
    lost = sum(forget_the_lost(shop, killed) for shop in shops)
    for shop, last_id in zip(shops, last_ids, strict=True):
        assert shop.put({"id": "after", "name": "After"}) >= last_id + 5_000
    site.wait_all_ended(shops, timeout_s=30)
    measured(
        f"store killed: batches are taken again after {back:.2f} s, {lost} of 80 young answers lost; "
        f"all tasks ended after {time.monotonic() - killed:.2f} s"
    )
    for shop in shops:
        shop.check_laws()


def test_without_the_store_every_answer_is_a_quick_503(site: Site, measured: Callable[[str], None]) -> None:
    """In JSON, with Retry-After; live is live, ready is not; and when the store is back so is everything."""
    shop = site.customer()
    shop.done(shop.put({"id": "a", "name": "A"}))
    site.stack.stop_service(Name.STORE)
    try:
        answers = [
            shop.send("PUT", [{"id": "a", "name": "A"}]),
            shop.entry("a"),
            shop.call("GET", "/v2/items"),
            shop.call("GET", "/v1/tasks"),
            shop.call("PATCH", "/v1/tasks/1", body={"status": "QUEUED"}),
        ]
        for answer in answers:
            assert answer.refused(503) == "The store cannot be reached. Please try again later."
            assert int(answer.headers["Retry-After"]) >= 1
            assert answer.headers["X-Request-Id"]
        ready = site.get("/health/ready")
        assert (ready.status, ready.json()["store"]) == (503, "away")
        assert site.get("/health/live").ok() == {"status": "ok"}
    finally:
        site.stack.start_service(Name.STORE)
    slowest = max(answer.seconds for answer in answers)
    measured(f"store away: the slowest of {len(answers)} refusals took {slowest * 1000:.0f} ms")
    assert slowest < LONGEST_REFUSAL_S
    wait_until(lambda: site.get("/health/ready").status == 200, "the health is good", timeout_s=10)
    shop.done(shop.put({"id": "a", "name": "B"}), timeout_s=10)
    shop.check_laws()


def test_a_store_that_hangs_does_not_take_the_ingress_with_it(site: Site, measured: Callable[[str], None]) -> None:
    """A stopped server answers nobody and closes nothing; refusals still come, and it goes on where it was."""
    shop = site.customer()
    shop.done(shop.put({"id": "a", "name": "A"}))
    pid = site.stack.pids()[Name.STORE]
    os.kill(pid, signal.SIGSTOP)
    try:
        refused = shop.call("GET", "/v2/items")
        assert site.get("/health/live").ok() == {"status": "ok"}
    finally:
        os.kill(pid, signal.SIGCONT)
    refused.refused(503)
    assert refused.seconds < LONGEST_HANG_S
    measured(f"store hanging: a refusal took {refused.seconds:.1f} s")
    wait_until(lambda: site.get("/health/ready").status == 200, "the health is good", timeout_s=20)
    shop.done(shop.put({"id": "a", "name": "B"}), timeout_s=20)
    shop.check_laws()


def test_a_restart_of_everything_on_the_same_folder_loses_nothing(site: Site) -> None:
    """Waiting batches are applied, applied ones are there, ended tasks say the same, and the order goes on."""
    shop = site.customer()
    done = shop.put(*({"id": str(i), "name": "A"} for i in range(100)))
    failed = shop.patch({"id": "nobody"})
    shop.wait_for(failed)
    site.stop_worker()
    waiting = shop.put({"id": "waits", "name": "A"})
    before = shop.task(done), shop.task(failed), shop.entries()

    site.stack.stop()
    site.stack.start()
    shop.done(waiting, timeout_s=10)
    *entries, (last_id, _) = shop.entries()
    assert last_id == "waits"
    assert (shop.task(done), shop.task(failed), entries) == before
    shop.done(shop.delete({"id": "waits"}))
    shop.check_laws()
