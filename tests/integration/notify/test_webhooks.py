"""Webhooks over HTTP and from a shell: made, listed, removed, and what came of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import structlog
from click.testing import CliRunner

from api.cli.main import sluice
from shared import keys
from shared.clock import now_ms
from shared.codec import encode_json
from shared.model import Operation, Status
from shared.outbox.outbox import Outbox, Trouble
from shared.outbox.webhook_messages import webhook_body
from shared.outbox.webhooks import MOST, Webhook, Webhooks
from shared.tasks.records import COUNTS
from tests.support.batches import items, make_batch
from tests.support.ingress import READER_TOKEN, Ingress
from tests.support.postman import call_webhooks
from tests.support.receivers import http_endpoint
from tests.support.rig import ACME, Rig
from tests.support.store_server import StoreServer
from workers.deliver.deliverer import Deliverer

PATH = "/v1/webhooks"
URL = "https://shop.example/hook"


def add(ingress: Ingress, url: str = URL) -> dict[str, Any]:
    answer = ingress.send("POST", PATH, {"url": url})
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def test_a_webhook_that_fails_says_so(ingress: Ingress) -> None:
    with http_endpoint() as endpoint:
        Webhooks(ingress.rig.client, ACME).add(endpoint.url, private=True, now_ms=0)
        endpoint.answers[:] = [500, 410]
        ingress.write("PUT", "/v2/items", {"items": items("a")})
        ingress.rig.drain()
        call_webhooks(ingress.rig)
        [shown] = ingress.get(PATH)["webhooks"]
        trouble = {"failures": 1, "since": "2023-11-14T22:13:20Z", "reason": "answered with 500"}
        assert (shown["state"], shown["waiting"], shown["trouble"]) == ("failing", 1, trouble)
        ingress.rig.clock.advance(5_000)
        call_webhooks(ingress.rig)
        [shown] = ingress.get(PATH)["webhooks"]
        assert (shown["state"], shown["waiting"]) == ("given_up", 0)


def test_a_secret_is_shown_once(ingress: Ingress) -> None:
    made = add(ingress)
    assert made["secret"].startswith("whsec_")
    assert made["url"] == URL
    shown = {name: value for name, value in made.items() if name != "secret"}
    assert ingress.get(PATH) == {"webhooks": [shown | {"state": "ok", "waiting": 0}]}
    assert made["secret"] != add(ingress)["secret"]


def test_what_is_removed_is_gone(ingress: Ingress) -> None:
    made = add(ingress)
    answer = ingress.send("DELETE", f"{PATH}/{made['id']}")
    assert (answer.status_code, answer.json) == (200, {"webhooks": []})
    assert ingress.get(PATH) == {"webhooks": []}
    assert ingress.send("DELETE", f"{PATH}/{made['id']}").status_code == 404


def test_over_http_a_webhook_is_changed_pinged_and_told_again(ingress: Ingress) -> None:
    made: Any = ingress.send("POST", PATH, {"url": URL, "statuses": ["FAILED"], "sections": ["Products"]}).json
    one, rig = f"{PATH}/{made['id']}", ingress.rig
    wishes = {"paused": True, "kinds": ["items"], "statuses": []}
    changed: Any = ingress.send("PATCH", one, wishes).json
    assert {name: changed[name] for name in wishes} == wishes
    assert (changed["state"], changed["sections"]) == ("paused", ["Products"])
    assert ingress.send("POST", f"{one}/resend", {"since": "2023-01-01T00:00:00"}).status_code == 409
    assert ingress.send("PATCH", one, {"paused": False}).json["state"] == "ok"
    assert ingress.send("POST", f"{one}/ping").json == {"queued": 1}
    ingress.write("PUT", "/v2/items", {"items": items("a")})
    assert ingress.send("POST", f"{one}/resend", {"task_id": 1}).status_code == 400
    rig.drain()
    assert ingress.send("POST", f"{one}/resend", {"task_id": 1}).json == {"queued": 1}
    assert ingress.send("POST", f"{one}/resend", {"since": "2023-01-01T00:00:00"}).json == {"queued": 1}
    assert ingress.send("POST", f"{one}/resend", {"task_id": 9}).status_code == 404
    assert ingress.send("POST", f"{one}/resend", {}).json["message"] == "body: say either task_id or since"
    rotated: Any = ingress.send("POST", f"{one}/secret", {"overlap_hours": 1}).json
    assert made["secret"] != rotated["secret"]
    stored = Webhooks(rig.client, ACME).get(made["id"])
    assert stored
    assert stored.secrets(rig.clock()) == [rotated["secret"], made["secret"]]
    assert ingress.send("PATCH", one, {"url": "http://10.0.0.1"}).status_code == 400
    for method, path in (("PATCH", ""), ("POST", "/ping"), ("POST", "/secret")):
        body = None if path == "/ping" else {}
        assert ingress.send(method, f"{PATH}/wh_000000000000{path}", body).status_code == 404


def test_two_changes_at_once_lose_nothing(ingress: Ingress) -> None:
    """A secret that was rotated between the read and the write of a change stays."""
    made, webhooks = add(ingress), Webhooks(ingress.rig.client, ACME)
    rotated: list[Any] = []

    def change(old: Webhook) -> Webhook:
        if not rotated:
            rotated.append(webhooks.rotate(old.id, now_ms=0, overlap_ms=0))
        return replace(old, paused=True)

    webhooks._change(made["id"], change, None)
    stored = webhooks.get(made["id"])
    assert stored
    assert (stored.paused, stored.secret) == (True, rotated[0].secret)


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
    assert (answer.status_code, answer.json["message"]) == (400, f"url: a key may have at most {MOST} webhooks")


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
        call_webhooks(ingress.rig)
        ingress.rig.clock.advance(5_000)
        call_webhooks(ingress.rig)
    lines = ingress.get(f"{PATH}/deliveries")["deliveries"]
    for line in lines:
        assert line.pop("took_ms") >= 0
    common = {"task_id": 1, "target": made.id, "url": endpoint.url}
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
    assert shell("add", ACME, URL).exit_code == 1
    rig.client.zadd(keys.CATALOGS, {ACME: 1})
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
        lambda key: Outbox(rig.client, key), lambda key: Webhooks(rig.client, key), None, private=False,
        clock=rig.clock,
    ).deliver_next(ACME)  # fmt: skip
    assert shell("deliveries", ACME).output.split() == ["AT", "TASK", "TARGET", "ATTEMPT", "OUTCOME", "ANSWER"]
    assert listed.split("STATE")[1].split()[-2:] == ["ok", "0"]
    assert shell("resume", ACME, "wh_000000000000").exit_code == 1
    trouble = Trouble(3, rig.clock(), "answered with 410", given_up=True)
    rig.client.hset(rig.keys().troubles, webhook_id, encode_json(trouble))
    assert "given up (3 failures: answered with 410)" in shell("list", ACME).output
    assert shell("resume", ACME, webhook_id).output == f"{webhook_id} resumed\n"
    assert "given up" not in shell("list", ACME).output
    assert shell("resend", ACME, webhook_id, "--task", "1").output == "1 queued\n"
    assert shell("resend", ACME, webhook_id, "--hours", "1").output == "1 queued\n"
    assert shell("pause", ACME, webhook_id).output == f"{webhook_id} paused\n"
    assert "paused" in shell("list", ACME).output
    assert shell("ping", ACME, webhook_id).output == "queued\n"
    assert "is paused" in shell("resend", ACME, webhook_id, "--hours", "1").output
    assert [shell("resend", ACME, webhook_id, *how).exit_code for how in ((), ("--task", "9"))] == [2, 1]
    assert shell("remove", ACME, webhook_id).output == "removed\n"
    assert shell("remove", ACME, webhook_id).exit_code == 1
    assert shell("list", "no such key").exit_code == 2


def test_a_sync_that_fails_at_its_end_is_told_with_no_changes(rig: Rig) -> None:
    """It wrote a whole generation, and found only then that too much would be deleted: nobody sees any of it."""
    rig = rig.with_settings(safeguard_floor=4)
    rig.put(*items(*"abcdef"))
    task_id = rig.send(Operation.SYNC, items("a", "x"), chunk_entries=1)
    rig.drain()
    task = rig.task(task_id)
    assert task.status is Status.FAILED
    told = json.loads(webhook_body(ACME, task))["data"]
    assert told["entries_applied"] == 0
    assert [name for name in told if name in COUNTS] == []
