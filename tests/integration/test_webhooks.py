"""Webhooks over HTTP and from a shell: made, listed, removed, and what came of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from click.testing import CliRunner

from api.cli import sluice
from shared import keys
from shared.clock import now_ms
from shared.model import Operation
from shared.outbox import Outbox
from shared.webhooks import MOST, Webhooks
from tests.support.batches import items, make_batch
from tests.support.ingress import READER_TOKEN, Ingress
from tests.support.receivers import http_endpoint
from tests.support.rig import ACME, Rig
from tests.support.store_server import StoreServer
from workers.delivering import Deliverer, Mailing

PATH = "/v1/webhooks"
URL = "https://shop.example/hook"


def add(ingress: Ingress, url: str = URL) -> dict[str, Any]:
    answer = ingress.send("POST", PATH, {"url": url})
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def deliver(rig: Rig) -> None:
    deliverer = Deliverer(
        lambda key: Outbox(rig.client, key), lambda key: Webhooks(rig.client, key), Mailing(None, ""), private=True,
        clock=rig.clock,
    )  # fmt: skip
    while deliverer.deliver_next(ACME):
        pass


def test_a_secret_is_shown_once(ingress: Ingress) -> None:
    made = add(ingress)
    assert made["secret"].startswith("whsec_")
    assert made["url"] == URL
    shown = {name: value for name, value in made.items() if name != "secret"}
    assert ingress.get(PATH) == {"webhooks": [shown]}
    assert made["secret"] != add(ingress)["secret"]


def test_what_is_removed_is_gone(ingress: Ingress) -> None:
    made = add(ingress)
    answer = ingress.send("DELETE", f"{PATH}/{made['id']}")
    assert (answer.status_code, answer.json) == (200, {"webhooks": []})
    assert ingress.get(PATH) == {"webhooks": []}
    assert ingress.send("DELETE", f"{PATH}/{made['id']}").status_code == 404


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "url: field required"),
        ({"url": 1}, "url: str type expected"),
        ({"url": "ftp://shop.example"}, "url: a URL begins with https:// or http:// and has a host"),
        ({"url": "http://127.0.0.1/"}, "url: private addresses are not called (SLUICE_WEBHOOK_PRIVATE)"),
        ({"url": URL, "secret": "x"}, "secret: extra fields not permitted"),
    ],
)
def test_a_url_that_will_not_do_is_refused(ingress: Ingress, body: Any, message: str) -> None:
    answer = ingress.send("POST", PATH, body)
    assert (answer.status_code, answer.json["message"]) == (400, message)


def test_a_key_has_so_many_webhooks(ingress: Ingress) -> None:
    for _ in range(MOST):
        add(ingress)
    answer = ingress.send("POST", PATH, {"url": URL})
    assert (answer.status_code, answer.json["message"]) == (400, f"url: a key may have {MOST} webhooks")


def test_whoever_only_reads_may_look(ingress: Ingress) -> None:
    add(ingress)
    assert len(ingress.get(PATH, token=READER_TOKEN)["webhooks"]) == 1
    assert ingress.send("POST", PATH, {"url": URL}, token=READER_TOKEN).status_code == 403


def test_the_delivery_log_tells_of_every_attempt(ingress: Ingress) -> None:
    with http_endpoint() as endpoint:
        made = Webhooks(ingress.rig.client, ACME).add(endpoint.url, private=True, now_ms=0)
        endpoint.answers[:] = [500]
        ingress.write("PUT", "/v2/items", {"items": items("a")})
        ingress.rig.drain()
        deliver(ingress.rig)
        ingress.rig.clock.advance(5_000)
        deliver(ingress.rig)
    lines = ingress.get(f"{PATH}/deliveries")["deliveries"]
    for line in lines:
        assert line.pop("took_ms") >= 0
    common = {"task_id": 1, "target": made.id}
    assert lines == [
        {**common, "attempt": 2, "at": "2023-11-14T22:13:25Z", "outcome": "delivered", "status_code": 204},
        {
            **common, "attempt": 1, "at": "2023-11-14T22:13:20Z", "outcome": "failed", "status_code": 500,
            "error": "answered with 500", "next_attempt": "2023-11-14T22:13:25Z",
        },
    ]  # fmt: skip
    assert len(ingress.get(f"{PATH}/deliveries", num_results_per_page=1)["deliveries"]) == 1


def test_a_write_with_addresses_has_its_catalog_looked_at(ingress: Ingress) -> None:
    """And one without has not; a re-run may have some."""
    body = {"items": items("a")}
    ingress.write("PUT", "/v2/items", body)
    assert not ingress.rig.client.exists(keys.OUTBOXES)
    ingress.write("PUT", "/v2/items", body, notification_email="me@shop.example")
    assert ingress.rig.client.zrange(keys.OUTBOXES, 0, -1) == [ACME.encode()]
    ingress.rig.drain()
    ingress.rig.client.delete(keys.OUTBOXES)
    assert ingress.send("PATCH", "/v1/tasks/2", {"status": "QUEUED"}).status_code == 200
    assert ingress.rig.client.exists(keys.OUTBOXES)


@pytest.fixture
def shell(store_server: StoreServer, client: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("SLUICE_REDIS_URL", store_server.url)

    def run(*args: str) -> Any:
        return CliRunner().invoke(sluice, ["webhooks", *args])

    yield run
    structlog.reset_defaults()


def test_from_a_shell(shell: Any, rig: Rig) -> None:
    added = shell("add", ACME, URL)
    webhook_id, secret = added.output.split()
    assert secret.startswith("whsec_")
    listed = shell("list", ACME).output
    assert webhook_id in listed
    assert URL in listed
    assert secret not in listed
    rig.clock.now_ms = now_ms()
    rig.submit_batch(make_batch(Operation.PUT, items("a")))
    rig.drain()
    Deliverer(
        lambda key: Outbox(rig.client, key), lambda key: Webhooks(rig.client, key), Mailing(None, ""), private=False,
        clock=rig.clock,
    ).deliver_next(ACME)  # fmt: skip
    assert shell("deliveries", ACME).output.split() == ["AT", "TASK", "TARGET", "ATTEMPT", "OUTCOME", "ANSWER"]
    assert shell("remove", ACME, webhook_id).output == "removed\n"
    assert shell("remove", ACME, webhook_id).exit_code == 1
    assert shell("list", "no such key").exit_code == 2
