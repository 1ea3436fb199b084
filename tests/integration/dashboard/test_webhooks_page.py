"""Webhooks on the page *Followers*: what was sent and answered, and what can be done about one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from shared.outbox import resends
from shared.outbox.webhooks import Webhook, Webhooks
from tests.support.batches import items
from tests.support.ingress import READER_TOKEN, Ingress
from tests.support.pages import Pages
from tests.support.postman import call_webhooks
from tests.support.receivers import Endpoint, http_endpoint
from tests.support.rig import ACME, Rig

FOLLOWERS = f"/c/{ACME}/followers"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with http_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
def webhook(rig: Rig, endpoint: Endpoint) -> Webhook:
    return Webhooks(rig.client, ACME).add(endpoint.url, private=True, now_ms=rig.clock())


@pytest.fixture
def pages(ingress: Ingress) -> Pages:
    pages = Pages(ingress)
    pages.sign_in()
    return pages


def act(pages: Pages, webhook: Webhook, name: str, **form: str) -> int:
    return pages.post(f"/c/{ACME}/webhooks/{webhook.id}/{name}", **form).status_code


def ended(rig: Rig) -> int:
    task_id = rig.put(*items("a"))
    rig.drain()
    return task_id


def test_each_delivery_has_its_request_and_its_answer(
    rig: Rig, endpoint: Endpoint, webhook: Webhook, pages: Pages
) -> None:
    """To the letter, but for what is signed with the secret."""
    endpoint.answers[:] = [503]
    ended(rig)
    call_webhooks(rig)
    assert act(pages, webhook, "ping") == 303
    call_webhooks(rig)
    task, ping = endpoint.calls
    page = pages.page(FOLLOWERS)
    for call, answer in ((task, "Answer: 503"), (ping, "Answer: 204")):
        assert call.body.decode() in page.text
        for header in ("webhook-id", "webhook-timestamp", "Content-Type", "User-Agent"):
            assert f"{header}: {call.headers[header.lower()]}" in page.text
        assert call.headers["webhook-signature"] not in page.text
        assert answer in page.text
    assert f"POST {webhook.url}" in page.text
    assert webhook.secret not in page.text


def test_a_delivery_names_the_url_that_was_called_whatever_it_is_now(
    rig: Rig, endpoint: Endpoint, webhook: Webhook, pages: Pages
) -> None:
    ended(rig)
    call_webhooks(rig)
    assert act(pages, webhook, "ping") == 303
    call_webhooks(rig)
    Webhooks(rig.client, ACME).change_once(webhook.id, private=True, url="https://elsewhere.example/hook")
    text = pages.text(FOLLOWERS).split("The last deliveries")[1]
    assert (text.count(f"POST {webhook.url}"), "elsewhere" in text) == (2, False)


def test_a_webhook_is_paused_and_resumed(rig: Rig, endpoint: Endpoint, webhook: Webhook, pages: Pages) -> None:
    assert act(pages, webhook, "pause") == 303
    ended(rig)
    call_webhooks(rig)
    assert endpoint.calls == []
    text = pages.text(FOLLOWERS)
    assert ("paused" in text, "1 waiting" in text) == (True, True)
    assert act(pages, webhook, "resend", hours="1") == 409
    assert act(pages, webhook, "resume") == 303
    rig.clock.advance(60_000)
    call_webhooks(rig)
    assert len(endpoint.calls) == 1


def test_a_webhook_that_was_given_up_begins_again_with_all_that_it_missed(
    rig: Rig, endpoint: Endpoint, webhook: Webhook, pages: Pages
) -> None:
    endpoint.answers[:] = [410]
    first = ended(rig)
    call_webhooks(rig)
    second = ended(rig)
    call_webhooks(rig)
    assert "given up" in pages.text(FOLLOWERS)
    assert act(pages, webhook, "resend", hours="24") == 303
    call_webhooks(rig)
    assert [json.loads(call.body)["data"]["task_id"] for call in endpoint.calls] == [first, first, second]
    assert "given up" not in pages.text(FOLLOWERS).split("The last deliveries")[0]


def test_one_task_is_told_again(rig: Rig, endpoint: Endpoint, webhook: Webhook, pages: Pages) -> None:
    task_id = ended(rig)
    call_webhooks(rig)
    assert act(pages, webhook, "resend", task_id=str(task_id)) == 303
    call_webhooks(rig)
    assert len({call.id for call in endpoint.calls}) == 1
    assert len(endpoint.calls) == 2
    assert act(pages, webhook, "resend", task_id="99") == 404
    assert act(pages, webhook, "resend", hours="9999") == 400


def test_what_is_sent_again_is_counted_and_the_rest_can_be_sent_too(
    rig: Rig, endpoint: Endpoint, webhook: Webhook, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resends, "MOST", 2)
    endpoint.answers[:] = [410]
    for _ in range(3):
        ended(rig)
        rig.clock.advance(1)
    call_webhooks(rig)
    endpoint.calls.clear()
    assert act(pages, webhook, "resend", hours="24") == 303
    page = pages.page(FOLLOWERS)
    assert "2 calls queued" in page.text
    assert "Only tasks that ended before" in page.text
    [since] = [each["value"] for each in page.all("input") if each.get("name") == "since_ms"]
    assert act(pages, webhook, "resend", since_ms=since) == 303
    text = pages.text(FOLLOWERS)
    assert ("1 call queued" in text, "Only tasks that ended before" in text) == (True, False)
    call_webhooks(rig)
    assert [json.loads(call.body)["data"]["task_id"] for call in endpoint.calls] == [1, 2, 3]
    assert "queued" not in pages.text(FOLLOWERS)


def test_a_secret_is_rotated_with_an_overlap_and_shown_once(
    rig: Rig, endpoint: Endpoint, webhook: Webhook, pages: Pages
) -> None:
    answer = pages.post(f"/c/{ACME}/webhooks/{webhook.id}/secret", overlap="1")
    [new] = set(re.findall(r"whsec_[\w+/=]+", answer.text.replace("&#43;", "+").replace("&#x2F;", "/")))
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    ended(rig)
    call_webhooks(rig)
    assert [endpoint.calls[0].is_signed_with(secret) for secret in (webhook.secret, new)] == [True, True]
    text = pages.text(FOLLOWERS)
    assert ("Signed with the secret before too" in text, new in text) == (True, False)
    rig.clock.advance(3_600_000)
    ended(rig)
    call_webhooks(rig)
    assert [endpoint.calls[1].is_signed_with(secret) for secret in (webhook.secret, new)] == [False, True]
    assert act(pages, webhook, "secret", overlap="5") == 400


def test_a_form_that_is_sent_twice_rotates_a_secret_once(rig: Rig, webhook: Webhook, pages: Pages) -> None:
    [mark] = {each["value"] for each in pages.page(FOLLOWERS).all("input") if each.get("name") == "of"}
    first, second = (pages.post(f"/c/{ACME}/webhooks/{webhook.id}/secret", overlap="1", of=mark).text for _ in range(2))
    assert first == second
    now = Webhooks(rig.client, ACME).get(webhook.id)
    assert now
    assert now.previous_secret == webhook.secret
    assert act(pages, webhook, "secret", overlap="1") == 200
    later = Webhooks(rig.client, ACME).get(webhook.id)
    assert later
    assert later.previous_secret == now.secret


def test_who_may_only_read_changes_nothing(ingress: Ingress, webhook: Webhook) -> None:
    pages = Pages(ingress)
    pages.sign_in(READER_TOKEN)
    for name in ("ping", "pause", "resume", "resend", "secret"):
        assert act(pages, webhook, name, hours="1", overlap="1") == 403
    assert "Ping" not in pages.text(FOLLOWERS)


def test_a_webhook_that_is_gone_is_not_found(webhook: Webhook, rig: Rig, pages: Pages) -> None:
    Webhooks(rig.client, ACME).remove(webhook.id)
    for name in ("ping", "pause", "resume", "resend", "secret"):
        assert act(pages, webhook, name, hours="1", overlap="1") == 404
