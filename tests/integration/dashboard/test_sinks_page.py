"""The *Sinks* page shows how far sinks are; what names private hosts, and every button, is the operator's."""

from __future__ import annotations

import pytest

from shared.model import Kind
from shared.settings import Settings
from shared.sinks.destination import DeadLetter
from shared.sinks.mapping import DEFAULT
from shared.sinks.sink_lease import SinkFacts, SinkLease
from shared.sinks.sinks import SinkName, Sinks
from tests.support.batches import items
from tests.support.ingress import Ingress
from tests.support.pages import Pages
from tests.support.rig import ACME, Rig
from tests.support.store_server import StoreServer

PAGE = f"/c/{ACME}/sinks"
NAME = SinkName(ACME, "products")
OPERATOR = "the operator's password"


@pytest.fixture
def sinks(rig: Rig) -> Sinks:
    """One that has failed, with a dead letter."""
    rig.put(*items("a"))
    rig.drain()
    rig.clock.advance(90_000)
    sinks = Sinks(rig.client, ACME)
    sinks.add("products", "postgresql://u:secret@inner/db", section="Products", mapping=DEFAULT, now_ms=rig.clock())
    lease = SinkLease(rig.client, Settings(), "one", NAME)
    lease.hold()
    letter = DeadLetter(Kind.ITEMS, "<b>", "no number")
    facts = SinkFacts("failing", "v", 0, error="inner:5432 is away", failures=2, at_ms=rig.clock(), wrong=7,
                      checked_ms=rig.clock())  # fmt: skip
    lease.settle(facts, dead=[letter], delivered=1234, release=True)
    return sinks


def signed_in(rig: Rig, store_server: StoreServer, secret: str | None = None) -> Pages:
    pages = Pages(Ingress(rig.with_settings(operator_password=OPERATOR), store_server.url))
    pages.sign_in(*([secret] if secret else []))
    return pages


def test_who_may_read_sees_how_far_a_sink_is_and_no_host(rig: Rig, store_server: StoreServer, sinks: Sinks) -> None:
    pages = signed_in(rig, store_server)
    page = pages.page(PAGE)
    for part in ("products", "failing", "1 234", "<b>", "no number", "1.5 min", "Differ"):
        assert part in page.text, part
    assert ("inner" in page.text, "secret" in page.text, "Pause" in page.text) == (False, False, False)
    assert pages.post(f"{PAGE}/products/pause").status_code == 403
    assert not sinks.get("products").paused
    assert pages.get("/go", catalog_key=ACME, page="sinks").location.endswith(PAGE)


def test_the_operator_sees_the_error_and_changes_a_sink(rig: Rig, store_server: StoreServer, sinks: Sinks) -> None:
    pages = signed_in(rig, store_server, OPERATOR)
    text = pages.text(PAGE)
    assert ("inner:5432 is away" in text, "postgresql://***@inner/db" in text, "secret" in text) == (True, True, False)
    for action in ("pause", "resync", "retry"):
        assert pages.post(f"{PAGE}/products/{action}").status_code == 303
    sink = sinks.get("products")
    assert (sink.paused, sink.resyncs, sink.retries) == (True, 1, 1)
    assert "paused" in pages.text(PAGE)
    assert pages.post(f"{PAGE}/products/resume").status_code == 303
    assert not sinks.get("products").paused
    assert pages.post(f"{PAGE}/nobody/pause").status_code == 404
    assert pages.post(f"{PAGE}/products/remove").status_code == 404
    assert pages.post(f"{PAGE}/products/pause", csrf="forged").status_code == 403


def test_a_catalog_without_sinks_says_how_to_add_one(rig: Rig, store_server: StoreServer) -> None:
    assert "sluice sinks add" in signed_in(rig, store_server).text(PAGE)
