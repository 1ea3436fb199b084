"""SIGTERM under load: the worker ends soon, gives its partitions back, and loses nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from deploy.stack.services import Name
from shared.waiting import wait_until
from tests.acceptance.customer import Customer
from tests.acceptance.load import big_items, some_batches
from tests.acceptance.site import Site

#: A job goes on for a second at most, then the worker puts its things away; supervisor kills it after 10.
LONGEST_STOP_S = 9.5


class Sender:
    """Keeps some big batches waiting, on a thread of its own."""

    def __init__(self, shop: Customer) -> None:
        self._shop = shop
        self._ids = [item["id"] for item in big_items(5_000)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self.send()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def send(self) -> None:
        mark = len(self._shop.accepted)
        self._shop.patch(*({"id": id_, "data": {"last": mark, "tags:add": [mark]}} for id_ in self._ids))

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            if self._shop.counts()["QUEUED"] < 3:
                self.send()


def test_a_stopped_worker_gives_its_partitions_back_at_once(site: Site, measured: Callable[[str], None]) -> None:
    """Its successor need not wait for a lease to run out, and all batches are applied once and in order."""
    big, small = site.customers(2)
    big.done(big.put(*big_items(5_000)))
    site.stop_worker()
    some_batches([small], 20, entries=100, seed=4)
    with Sender(big):
        site.stack.supervisor.start_service(Name.WORKER)
        wait_until(lambda: big.counts()["IN_PROGRESS"], "it is at work", timeout_s=20, every_s=0.01)
        start = time.monotonic()
        site.stop_worker()
        stopped = time.monotonic() - start
    left, held = len(big.accepted) - big.count_ended(), site.held([big, small])

    site.start_worker()
    site.wait_all_ended([big, small], timeout_s=30)
    went_on = time.monotonic() - start - stopped
    measured(
        f"worker stopped under load: ends after {stopped:.2f} s, {left} big batches left; done {went_on:.2f} s later"
    )
    assert left
    assert stopped < LONGEST_STOP_S
    # The lease of a worker that had been killed would have to run out first.
    assert not held
    for shop in (big, small):
        shop.check_laws()
