"""*Now*, `sluice top` and `/metrics` where there are more catalogs than one would list."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import structlog
from click.testing import CliRunner

from api.cli.main import sluice
from api.monitor import overview
from shared import keys
from shared.clock import now_ms
from shared.tasks.newest_tasks import read_newest
from shared.telemetry import metrics
from shared.telemetry.gauges import look
from tests.support.batches import items
from tests.support.ingress import Ingress
from tests.support.pages import Pages
from tests.support.rig import Rig
from tests.support.store_server import StoreServer

CATALOGS = 1500


@pytest.fixture
def many(rig: Rig) -> Rig:
    """Catalogs of which the last three have failed, and the last waits."""
    rig.clock.now_ms = now_ms()
    rig.client.zadd(keys.CATALOGS, {f"shop-{number:04}": number for number in range(CATALOGS - 4)})
    for name in ("y-1", "y-2", "y-3"):
        rig.patch(*items("missing"), catalog_key=name)
        rig.put(*items("a", "b"), catalog_key=name)
        rig.drain(name)
    rig.put(*items("a"), catalog_key="z")
    return rig


@pytest.fixture
def pages(rig: Rig, store_server: StoreServer) -> Pages:
    """The operator's."""
    settings = replace(rig.settings, operator_password="operator-password", secret_key="s" * 32)
    pages = Pages(Ingress(replace(rig, settings=settings), store_server.url))
    pages.sign_in("operator-password")
    return pages


def seconds(act: Callable[[], object]) -> float:
    """Take the best of three: the machine may be busy."""

    def once() -> float:
        start = time.perf_counter()
        act()
        return time.perf_counter() - start

    return min(once() for _ in range(3))


@contextmanager
def few_round_trips(rig: Rig) -> Iterator[None]:
    """Hold that the store is asked far fewer times than there are catalogs, if for much at a time."""
    before = rig.client.info("stats")["total_reads_processed"]
    yield
    sent = rig.client.info("stats")["total_reads_processed"] - before
    assert sent < CATALOGS / 5, f"{sent} reads"


def test_now_counts_them_all_in_few_round_trips(many: Rig, pages: Pages, measured: Callable[[str], None]) -> None:
    text = pages.text("/now")
    assert "3 failed in a day" in text
    assert "1 batch waits, 1 entries" in text
    assert "in none of these numbers" not in text
    with few_round_trips(many):
        pages.client.get("/integration/now")
    took_s = seconds(lambda: pages.client.get("/integration/now"))
    measured(f"the Now page over {CATALOGS} catalogs: {took_s * 1000:.0f} ms")


def test_all_updates_are_one_list_in_few_round_trips(many: Rig, pages: Pages) -> None:
    """Newest first, whosever they are; those that failed too."""
    many.clock.advance(1_000)
    many.put(*items("sku-42"), catalog_key="y-2")
    page = pages.page("/updates")
    rows = [attributes["id"] for attributes in page.all("tr") if "id" in attributes]
    assert (rows[0], len(rows)) == ("task-y-2-3", 8)
    for part in ("y-2 Queued", "put 1 item", "z Queued", "y-1 Failed", "IngestionError: items not found"):
        assert part in page.text, part
    failed = pages.page("/updates", status="FAILED")
    rows = [attributes["id"] for attributes in failed.all("tr") if "id" in attributes]
    assert sorted(rows) == ["task-y-1-1", "task-y-2-1", "task-y-3-1"]
    with few_round_trips(many):
        pages.client.get("/integration/updates")


def test_the_pages_of_all_updates_are_complete(many: Rig, pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where several were sent in one millisecond."""
    monkeypatch.setattr("api.dashboard.pages.all_updates.PAGE", 4)
    for number in range(12):
        many.put(*items("a"), catalog_key=("y-1", "z")[number % 2])
        many.clock.advance(number % 3)
    seen: list[str] = []
    path: str | None = "/updates?status=QUEUED"
    while path:
        page = pages.page(path)
        seen += [attributes["id"] for attributes in page.all("tr") if "id" in attributes]
        older = [each["href"] for each in page.all("a") if each.get("rel") == "next"]
        path = older[0].removeprefix("/integration") if older else None
    assert len(seen) == len(set(seen)) == 13


def test_no_update_of_a_crowded_millisecond_is_left_out(rig: Rig) -> None:
    """Also if it alone is longer than a page."""
    sent = {(f"shop-{number % 3}", rig.put(*items("a"), catalog_key=f"shop-{number % 3}")) for number in range(9)}
    rig.clock.advance(1)
    sent |= {("late", rig.put(*items("a"), catalog_key="late"))}
    catalog_keys = sorted({key for key, _ in sent})
    seen: list[tuple[str, int]] = []
    before_ms: int | None = None
    while not seen or before_ms:
        page = read_newest(rig.client, catalog_keys, before_ms=before_ms, most=2)
        seen += [(key, task.id) for key, task in page.tasks]
        before_ms = page.before_ms
    assert (len(seen), set(seen)) == (10, sent)


def test_a_page_of_many_catalogs_takes_few_round_trips(rig: Rig) -> None:
    catalog_keys = [f"shop-{number}" for number in range(40)]
    for catalog_key in catalog_keys:
        rig.put(*items("a"), catalog_key=catalog_key)
        rig.clock.advance(1)
    before = rig.client.info("stats")["total_reads_processed"]
    assert len(read_newest(rig.client, catalog_keys, most=30).tasks) == 30
    # One of them asks for the number itself.
    assert rig.client.info("stats")["total_reads_processed"] - before < 10


def test_who_has_a_token_sees_the_updates_of_its_catalogs_only(
    many: Rig, store_server: StoreServer, ingress: Ingress
) -> None:
    many.put(*items("a"), catalog_key="acme")
    own = Pages(ingress)
    own.sign_in()
    rows = [attributes["id"] for attributes in own.page("/updates").all("tr") if "id" in attributes]
    assert rows == ["task-acme-1"]


def test_metrics_take_few_round_trips(many: Rig, measured: Callable[[str], None]) -> None:
    with few_round_trips(many):
        metrics.exposition(lambda: look(many.client, many.clock()))
    took_s = seconds(lambda: metrics.exposition(lambda: look(many.client, many.clock())))
    measured(f"/metrics over {CATALOGS} catalogs: {took_s * 1000:.0f} ms")


@pytest.mark.usefixtures("many")
def test_top_counts_them_all(store_server: StoreServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says how many it leaves out, should there be still more."""

    def shown() -> str:
        try:
            return CliRunner().invoke(sluice, ["top", "--once"], env={"SLUICE_REDIS_URL": store_server.url}).output
        finally:
            structlog.reset_defaults()

    text = shown()
    assert "failed in a day 3" in text
    assert "1 batch waits" in text
    assert "none of these numbers" not in text
    monkeypatch.setattr(overview, "MOST_CATALOGS", 1000)
    monkeypatch.setattr("api.cli.top.MOST_CATALOGS", 1000)
    assert "500 more catalogs are in none of these numbers" in shown()
