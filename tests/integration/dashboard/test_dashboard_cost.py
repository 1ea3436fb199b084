"""A page costs as much over ten times the tasks, and the same for every partition."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.tasks import search
from shared.telemetry import metrics
from shared.telemetry.gauges import look
from tests.support.batches import items
from tests.support.ingress import Ingress
from tests.support.pages import Pages
from tests.support.rig import ACME, Rig

UPDATES, CATALOG = f"/c/{ACME}/updates", f"/c/{ACME}/catalog"

PAGES = [
    "/now", "/updates", "/updates?status=FAILED",
    UPDATES, f"{UPDATES}?status=FAILED", f"{UPDATES}?status=DONE&status=FAILED", f"{UPDATES}?by=nobody",
    f"{UPDATES}?before=60", f"{UPDATES}?q=a", f"{UPDATES}?q=none", f"{UPDATES}/1", f"{UPDATES}/1?find=nowhere",
    CATALOG, f"{CATALOG}?q=a", f"{CATALOG}/entry?id=a",
]  # fmt: skip


@pytest.fixture
def pages(ingress: Ingress, monkeypatch: pytest.MonkeyPatch) -> Pages:
    # A search gives up after so many records; in good time for a test.
    monkeypatch.setattr(search, "LOOK", 100)
    monkeypatch.setattr(search, "_STRIDE", 50)
    pages = Pages(ingress)
    pages.sign_in()
    return pages


def commands(rig: Rig, act: Callable[[], object]) -> int:
    """Count what the store was asked to do, within its scripts too."""

    def asked() -> int:
        return sum(int(told["calls"]) for told in rig.client.info("commandstats").values())

    before = asked()
    act()
    return asked() - before


def send(rig: Rig, count: int) -> None:
    """Let tasks be DONE and FAILED by turns, each at a moment of its own."""
    for number in range(0, count, 2):
        rig.put(*items(f"b{number % 60}"))
        rig.clock.advance(10)
        rig.patch(*items("missing"))
        rig.clock.advance(10)
    rig.drain()


def test_a_page_costs_the_same_whatever_was_sent_before(rig: Rig, pages: Pages) -> None:
    def cost(path: str) -> int:
        return commands(rig, lambda: pages.client.get(f"/integration{path}"))

    rig.put(*items("a"))
    send(rig, 120)
    few = {path: cost(path) for path in PAGES}
    send(rig, 240)
    many = {path: cost(path) for path in PAGES}
    assert {path: (few[path], many[path]) for path in PAGES if many[path] > few[path]} == {}
    assert max(many.values()) < 500


def test_metrics_cost_the_same_for_every_partition_that_waits(rig: Rig) -> None:
    def cost() -> int:
        return commands(rig, lambda: metrics.exposition(lambda: look(rig.client, rig.clock())))

    def let_wait(*names: str) -> None:
        for name in names:
            rig.put(*items("a"), catalog_key=name)

    cost()  # connects
    none = cost()
    let_wait("first")
    each = cost() - none
    let_wait(*(f"shop-{number}" for number in range(30)))
    assert cost() == none + 31 * each
    send(rig, 60)
    let_wait(ACME)
    assert cost() == none + 32 * each
