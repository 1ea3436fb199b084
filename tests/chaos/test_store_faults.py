"""A store that fails for a while is nobody's fault, and ends nobody."""

from __future__ import annotations

import contextlib
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from deploy.stack import embedded_store
from deploy.stack.store_log import LogKeeper
from shared.waiting import wait_until
from tests.acceptance.customer import Customer
from tests.support.batches import Entry, items
from tests.support.fleet import Fleet, running_fleet

pytestmark = pytest.mark.timeout(180)

BATCHES = 30


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """With the least patience: one owner may be counted for as long as it takes to excuse itself."""
    with running_fleet(
        tmp_path, children=2, credentials="acme:token", lease_ttl_s=1.0, sweep_s=0.2, max_stalls=2
    ) as fleet:
        yield fleet


@pytest.fixture
def customer(fleet: Fleet) -> Customer:
    return Customer(fleet.urls[0], "acme", "token")


def send(customer: Customer) -> None:
    for number in range(BATCHES):
        customer.put(*items(*(f"{number}-{entry}" for entry in range(100))))


def test_a_full_disk_refuses_and_is_waited_for(fleet: Fleet, customer: Customer) -> None:
    """With 503, and reads go on; what was accepted is applied when there is room again, and no worker has ended."""
    send(customer)
    fleet.limit_log(1000)
    wait_until(lambda: customer.send("PUT", items("x")).status == 503, "the disk is full", timeout_s=20)
    assert customer.call("GET", "/v1/tasks").status == 200
    fleet.limit_log(None)
    wait_until(lambda: customer.send("PUT", items("x")).status == 200, "there is room again", timeout_s=20)
    customer.wait_all_ended()
    customer.check_laws()
    assert [member.starts for member in fleet.members] == [1, 1, 1]


def test_full_memory_refuses_and_is_worked_off(fleet: Fleet, customer: Customer) -> None:
    """Also by workers that are started only then."""
    fleet.workers[0].signal(signal.SIGSTOP, group=True)
    send(customer)
    fleet.connect().config_set("maxmemory", 1)
    assert customer.send("PUT", items("x")).status == 503
    fleet.workers[0].signal(signal.SIGCONT, group=True)
    customer.wait_all_ended()
    assert fleet.workers[0].starts == 1
    fleet.connect().config_set("maxmemory", 10**9)
    wait_until(lambda: customer.send("PUT", items("x")).status == 200, "there is room again", timeout_s=20)
    fleet.workers[0].signal(signal.SIGSTOP, group=True)
    send(customer)
    fleet.connect().config_set("maxmemory", 1)
    fleet.workers[0].signal(signal.SIGKILL, group=True)
    customer.wait_all_ended()
    assert fleet.workers[0].starts == 2
    customer.check_laws()


def test_a_flood_fills_three_quarters_and_not_more(tmp_path: Path) -> None:
    """What is accepted while nobody works has room when it is applied; reads and cancels go on meanwhile, and once old
    payloads have made room so do writes."""
    maxmemory = 20 * 1024**2
    with running_fleet(
        tmp_path, credentials="acme:token", store={"maxmemory": maxmemory}, lease_ttl_s=1.0, sweep_s=0.2
    ) as fleet:
        customer = Customer(fleet.urls[0], "acme", "token")
        fleet.workers[0].signal(signal.SIGSTOP, group=True)
        batches = (product_batch(number) for number in range(1000))
        refused = next(answer for batch in batches if (answer := customer.send("PUT", batch)).status != 200)
        assert refused.status == 503
        assert int(refused.headers["Retry-After"]) > 0
        assert customer.cancel(customer.accepted[-1].task_id).status == 200
        assert customer.call("GET", "/v2/items").status == 200
        fleet.workers[0].signal(signal.SIGCONT, group=True)
        customer.wait_all_ended()
        peak = fleet.connect().info("memory")["used_memory_peak"]
        assert 0.6 * maxmemory < peak < maxmemory
        wait_until(lambda: customer.send("PUT", items("x")).status == 200, "there is room again", timeout_s=20)
        customer.wait_all_ended()
        customer.check_laws()


def product_batch(number: int) -> list[Entry]:
    """Make a thousand new items as shops have them."""
    draw = random.Random(number)
    words = [f"word{number}" for number in range(2000)]
    return [
        {
            "id": f"{number}-{entry}", "name": " ".join(draw.choices(words, k=5)),
            "data": {"description": " ".join(draw.choices(words, k=40)), "price": draw.randrange(10**4)},
        }
        for entry in range(1000)
    ]  # fmt: skip


@pytest.mark.parametrize("gone_s", [0.0, 2.5], ids=["for a moment", "for longer than a lease"])
def test_a_store_that_dies_under_its_owners_is_waited_for(fleet: Fleet, customer: Customer, gone_s: float) -> None:
    """Again and again, in the middle of everything: nothing is given up for that."""
    for _ in range(3):
        send(customer)
        fleet.store.hold_back(gone_s)
        fleet.store.signal(signal.SIGKILL)
        wait_until(lambda: embedded_store.answers(fleet.socket_path), "the store is back", timeout_s=20)
    customer.wait_all_ended()
    assert customer.counts()["FAILED"] == 0


@pytest.mark.parametrize("seen", [True, False], ids=["while it is full", "only afterwards"])
def test_the_log_of_a_store_whose_disk_was_full_is_mended(tmp_path: Path, seen: bool) -> None:
    """The server leaves a hole in it, and would not start on it again."""
    fleet = Fleet(tmp_path, ingresses=0, workers=0)
    try:
        fleet.start()
        client = fleet.connect()
        client.set("before", 1)
        # Only a log that was opened for a rewrite is torn.
        client.bgrewriteaof()
        wait_until(lambda: not client.info("persistence")["aof_rewrite_in_progress"], "a new log", timeout_s=10)
        keeper = LogKeeper(client)
        assert keeper.look()
        fleet.limit_log(100)
        wait_until(lambda: not write(client), "the disk is full", timeout_s=10, every_s=0.01)
        assert not (seen and keeper.look())
        fleet.limit_log(None)
        wait_until(lambda: write(client), "there is room again", timeout_s=10)
        wait_until(keeper.look, "the log is mended", timeout_s=10)
        wait_until(lambda: not client.info("persistence")["aof_rewrite_in_progress"], "a new log", timeout_s=10)
        client.set("after", 1)
        fleet.store.signal(signal.SIGKILL)
        wait_until(lambda: fleet.store.starts == 2, "the store is started again", timeout_s=10)
        wait_until(lambda: embedded_store.answers(fleet.socket_path), "the store answers", timeout_s=10)
        assert client.mget("before", "after") == [b"1", b"1"]
    finally:
        fleet.end()


def write(client: redis.Redis) -> bool:
    """Write something longer than the room that is left; say whether it was taken."""
    with contextlib.suppress(redis.ResponseError):
        return bool(client.set("filler", "x" * 1000))
    return False
