"""Hundreds of slow, silent or vanished clients: everybody else is served, and they go within their deadline."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.restart import children
from deploy.stack.services import Name
from shared.waiting import wait_until
from tests.acceptance.conftest import OpenSite
from tests.acceptance.customer import Customer
from tests.acceptance.site import Site
from tests.support.slow_clients import Crowd, Kind, crowd, kinds

#: Of each kind.
COUNT = 500
#: SLUICE_CLIENT_TIMEOUT_S here; the look at deadlines comes twice a second.
TIMEOUT_S = 5
#: For the test to notice, on a busy machine.
SLACK_S = 20
#: SLUICE_CLIENT_BYTES here.
CLIENT_BYTES = 32 * 1024 * 1024
#: Beside it: what 8 + 4 seats build at a time, and what an allocator keeps.  All that 500 readers ask for is 500 MB.
MOST_GROWTH = CLIENT_BYTES + 100 * 1024 * 1024
#: Of all kinds, for `make slow-clients`.
MIXED = int(os.environ.get("SLOW_CLIENTS", "300"))
SECONDS = float(os.environ.get("SLOW_SECONDS", "5"))

KINDS = list(kinds("", "", ""))


@pytest.fixture(scope="module")
def slow_site(open_site: OpenSite) -> Iterator[Site]:
    with open_site(client_timeout_s=TIMEOUT_S, keepalive_s=TIMEOUT_S, client_bytes=CLIENT_BYTES) as site:
        yield site


@pytest.fixture(scope="module")
def shop(slow_site: Site) -> Customer:
    """A customer with items of 1 MB in all."""
    shop = slow_site.customer()
    shop.done(shop.put(*({"id": f"{i:03}", "name": "A", "data": {"text": "x" * 10_000}} for i in range(100))))
    return shop


def all_kinds(shop: Customer) -> dict[str, Kind]:
    page = f"/v2/items?key={shop.catalog_key}&num_results_per_page=100"
    return kinds(shop.catalog_key, shop.authorization, page)


def memory(site: Site) -> int:
    """Resident bytes of the ingress."""
    [pid] = children(site.stack.pids()[Name.INGRESS])
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Others:
    """Everybody else: health checks and writes, each of which must be answered."""

    def __init__(self, site: Site) -> None:
        self._site, self._shop = site, site.customer()
        self.health_s: list[float] = []
        self.writes = 0

    def ask(self) -> None:
        answer = self._site.get("/health/live")
        answer.ok()
        self.health_s.append(answer.seconds)
        self._shop.send("PUT", [{"id": str(self.writes), "name": "A"}]).ok()
        self.writes += 1

    @property
    def p99_ms(self) -> float:
        return sorted(self.health_s)[int(len(self.health_s) * 0.99)] * 1000


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", KINDS)
def test_slow_clients_hold_nobody_up_and_are_closed(
    name: str, slow_site: Site, shop: Customer, measured: Callable[[str], None]
) -> None:
    """Every health check and every write meanwhile is answered; every slow one is closed; memory stays bounded."""
    before, others, most = memory(slow_site), Others(slow_site), 0
    with crowd(slow_site.url, all_kinds(shop)[name], COUNT) as slow:

        def gone() -> bool:
            nonlocal most
            slow.tend()
            others.ask()
            most = max(most, memory(slow_site))
            return not slow.left and len(others.health_s) >= 50

        wait_until(gone, f"{COUNT} are closed", timeout_s=2 * TIMEOUT_S + SLACK_S, every_s=0.01)
    measured(
        f"{COUNT} x {name}: closed after {slow.last_closed_s:.1f} s, health p99 {others.p99_ms:.0f} ms, "
        f"{others.writes} writes, +{(most - before) >> 20} MB"
    )
    assert most - before < MOST_GROWTH


@pytest.mark.timeout(SECONDS + 120)
def test_a_mixture_of_all_kinds_holds_nobody_up(
    slow_site: Site, shop: Customer, measured: Callable[[str], None]
) -> None:
    """Crowds come and go for a while; `make slow-clients` does it with 2,000 for two minutes."""
    chance, before, others = random.Random(7), memory(slow_site), Others(slow_site)
    share = MIXED // len(KINDS)
    crowds = [Crowd(slow_site.url, kind, share) for kind in all_kinds(shop).values()]
    opened, end = share * len(crowds), time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            for at, slow in enumerate(crowds):
                slow.tend()
                others.ask()
                if not slow.left or chance.random() < 0.01:  # closed, or they hang up by themselves
                    slow.close()
                    crowds[at] = Crowd(slow_site.url, slow.kind, share)
                    opened += share
        grown = memory(slow_site) - before
    finally:
        for slow in crowds:
            slow.close()
    measured(f"mixture of {opened} slow clients: health p99 {others.p99_ms:.0f} ms, +{grown >> 20} MB")
    assert grown < MOST_GROWTH
    assert json.loads(slow_site.get("/health/ready").body)["store"] == "ok"


def test_a_site_with_too_many_connections_says_so(open_site: OpenSite) -> None:
    """Beyond the cap of one address 429, beyond the cap of all 503, in JSON, and it serves again when they are gone."""
    for caps, status in (({"connections": 20}, 503), ({"connections_per_address": 20}, 429)):
        with open_site(**caps) as site:
            # The site's own watch may be connected too.
            with crowd(site.url, Kind(b""), 20):
                answer = site.get("/health/live")
                answer.refused(status)
                assert answer.headers["Retry-After"] == "10"
            wait_until(lambda site=site: site.get("/health/live").status == 200, "there is room again", timeout_s=10)
