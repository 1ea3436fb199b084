"""Small writes share a thread and a connection to the store: an accident there harms none of them, nor anybody else."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from deploy.stack.services import Name
from shared.store.client import connect
from shared.waiting import wait_until
from tests.acceptance.conftest import OpenSite
from tests.acceptance.customer import Customer
from tests.acceptance.load import send_any
from tests.acceptance.site import Site

#: Small writes of each customer.
WRITES = 60
#: Seconds between two cuts of all connections to the store.
CUT_EVERY_S = 0.05
#: More senders than the ingress serves at once.
SENDERS = 20
#: Seconds for which the store stands still: longer than anybody waits for its answer.
STILL_S = 6.0
#: A refusal comes in so many seconds then, and a health check.
LONGEST_REFUSAL_S = 20.0
LONGEST_HEALTH_S = 0.5


@pytest.fixture(scope="module")
def site(open_site: OpenSite) -> Iterator[Site]:
    with open_site(lease_ttl_s=2.1, sweep_s=0.5) as running:
        yield running


def side_by_side(*works: Callable[[], None]) -> list[threading.Thread]:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    return threads


def test_connections_to_the_store_that_are_cut_cost_no_small_write(site: Site, measured: Callable[[str], None]) -> None:
    """Every one is accepted, and applied once and in order."""
    shops, cuts, problems = site.customers(6), 0, list[BaseException]()

    def sender(shop: Customer, seed: int) -> Callable[[], None]:
        def send() -> None:
            draw = random.Random(seed)
            try:
                for _ in range(WRITES):
                    send_any(shop, draw, entries=4).ok()
            except BaseException as problem:
                problems.append(problem)

        return send

    threads = side_by_side(*(sender(shop, seed) for seed, shop in enumerate(shops)))
    pause = threading.Event()
    with connect(site.stack.environ["SLUICE_REDIS_URL"]) as client:
        while any(thread.is_alive() for thread in threads):
            cuts += client.client_kill_filter(_type="normal", skipme=True)
            pause.wait(CUT_EVERY_S)
    assert not problems
    site.wait_all_ended(shops, timeout_s=60)
    measured(f"{cuts} connections to the store cut below {len(shops) * WRITES} small writes: none refused")
    for shop in shops:
        shop.check_laws()


def test_a_store_that_stands_still_holds_up_nothing_but_what_needs_it(
    site: Site, measured: Callable[[str], None]
) -> None:
    """Small writes are refused in time, however many there are, and whoever asks for health gets an answer."""
    shops = site.customers(SENDERS)
    for shop in shops:
        shop.put({"id": "before", "name": "Before"})
    store, answers, healths = site.stack.pids()[Name.STORE], list[tuple[int, float]](), list[float]()

    def send(shop: Customer) -> None:
        answer = shop.call("PUT", "/v2/items", body={"items": [{"id": "during", "name": "During"}]})
        answers.append((answer.status, answer.seconds))

    os.kill(store, signal.SIGSTOP)
    try:
        until = time.monotonic() + STILL_S
        threads = side_by_side(*(lambda shop=shop: send(shop) for shop in shops))
        while time.monotonic() < until:
            healths.append(site.get("/health/live").seconds)
    finally:
        os.kill(store, signal.SIGCONT)
    for thread in threads:
        thread.join()
    slowest, worst = max(seconds for _, seconds in answers), max(healths)
    measured(
        f"store still for {STILL_S:g} s: {SENDERS} small writes answered within {slowest:.1f} s, health {worst:.3f}"
    )
    assert 503 in {status for status, _ in answers}
    assert {status for status, _ in answers} <= {200, 503}
    assert slowest < LONGEST_REFUSAL_S
    assert worst < LONGEST_HEALTH_S
    wait_until(lambda: site.get("/health/ready").status == 200, "the store is back", timeout_s=10)
    for shop in shops:
        shop.put({"id": "after", "name": "After"})
    site.wait_all_ended(shops, timeout_s=30)
    for shop in shops:
        assert shop.entry("after").status == 200
