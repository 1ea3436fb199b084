"""The running services notify about ended tasks: webhooks are called, failures are mailed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from shared.waiting import wait_until
from tests.acceptance.conftest import OpenSite
from tests.acceptance.site import Site
from tests.support.receivers import Mailbox, http_endpoint, mail_server, silent_endpoint


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as running:
        yield running


@pytest.fixture(scope="module")
def telling_site(open_site: OpenSite, mailbox: Mailbox) -> Iterator[Site]:
    """A stack that has a mail server and may call loopback."""
    with open_site(smtp_url=mailbox.url, mail_from="sluice@shop.example", webhook_private="allow") as running:
        yield running


def test_a_webhook_and_a_mail_arrive(telling_site: Site, mailbox: Mailbox) -> None:
    """Signed with the secret that was shown, for DONE, FAILED and CANCELED; the mail only for what failed."""
    shop = telling_site.customer()
    with http_endpoint() as endpoint:
        made = shop.call("POST", "/v1/webhooks", body={"url": endpoint.url}).ok()
        done = shop.put({"id": "a", "name": "A"}, notification_email="me@shop.example")
        failed = shop.patch({"id": "missing", "name": "A"}, notification_email="me@shop.example")
        shop.wait_all_ended()
        with telling_site.without_worker():
            canceled = shop.put({"id": "b", "name": "B"})
            shop.cancel(canceled).ok()
        wait_until(lambda: len(endpoint.calls) >= 3, "three calls", timeout_s=20)
        wait_until(lambda: mailbox.mails, "the mail", timeout_s=20)
    told = {call.json["data"]["task_id"]: call.json["data"]["status"] for call in endpoint.calls}
    assert told == {done: "DONE", failed: "FAILED", canceled: "CANCELED"}
    assert all(call.is_signed_with(made["secret"]) for call in endpoint.calls)
    [(recipients, mail)] = mailbox.mails
    assert recipients == ["me@shop.example"]
    assert mail["Subject"] == f"{shop.catalog_key}: update {failed} failed: items not found: 'missing'"

    def log() -> list[str]:
        found = shop.call("GET", "/v1/webhooks/deliveries").ok()["deliveries"]
        return sorted(line["target"] for line in found if line["outcome"] == "delivered")

    wait_until(lambda: log() == sorted(["mail", *[made["id"]] * 3]), "the log tells of all four", timeout_s=10)
    shop.check_laws()


def test_receivers_that_never_answer_cost_only_themselves(telling_site: Site, mailbox: Mailbox) -> None:
    """Other catalogs' and one's own: a healthy webhook and the mail come within seconds, the silent is named."""
    with silent_endpoint() as silent, http_endpoint() as endpoint:
        others = telling_site.customers(12)
        for other in others:
            other.call("POST", "/v1/webhooks", body={"url": silent.url}).ok()
            for number in range(10):
                other.put({"id": str(number), "name": "A"})
        shop, mails = telling_site.customer(), len(mailbox.mails)
        shop.call("POST", "/v1/webhooks", body={"url": silent.url}).ok()
        shop.call("POST", "/v1/webhooks", body={"url": endpoint.url}).ok()
        for number in range(10):
            shop.put({"id": str(number), "name": "A"})
        shop.patch({"id": "missing", "name": "A"}, notification_email="me@shop.example")
        shop.wait_all_ended()
        wait_until(lambda: len(endpoint.calls) >= 11, "the healthy one is told", timeout_s=4)
        wait_until(lambda: len(mailbox.mails) > mails, "the mail", timeout_s=4)

        def failing() -> bool:
            return others[0].call("GET", "/v1/webhooks").ok()["webhooks"][0]["state"] == "failing"

        wait_until(failing, "the silent one is named", timeout_s=20)


def test_a_killed_worker_forgets_nobody(telling_site: Site) -> None:
    """Whatever ended while it lived is told by its successor."""
    shop = telling_site.customer()
    with http_endpoint() as endpoint:
        shop.call("POST", "/v1/webhooks", body={"url": endpoint.url}).ok()
        ids = [shop.put({"id": str(number), "name": "A"}) for number in range(20)]
        os.kill(telling_site.stack.pids()["worker"], signal.SIGKILL)
        shop.wait_all_ended(timeout_s=60)

        def told() -> set[int]:
            return {call.json["data"]["task_id"] for call in endpoint.calls}

        # One that was being called about when the worker was killed comes when its claim has run out.
        wait_until(lambda: len(told()) >= len(ids) - 4, "all but those under way are told", timeout_s=60)
    assert told() <= set(ids)
    shop.check_laws()


def test_an_indexer_that_follows_the_changes_has_what_is_there(telling_site: Site) -> None:
    """Page by page, with everything that was created, updated and deleted meanwhile."""
    shop = telling_site.customer()
    for number in range(12):
        shop.put(*({"id": f"{number}-{i}", "name": "A"} for i in range(30)))
        shop.put({"id": f"v{number}", "item_id": f"{number}-0"}, kind="variations")
        shop.delete({"id": f"{number // 2}-0"}, {"id": f"{number}-1"})
    shop.wait_all_ended()
    there: dict[str, set[str]] = {"items": set(), "variations": set()}
    after, more = 0, True
    while more:
        page = shop.call("GET", "/v1/changes", after=after, num_results_per_page=5).ok()
        for change in page["changes"]:
            gone = {entry["id"] for entry in change["entries"] if entry["outcome"] == "deleted"}
            there[change["kind"]] = (there[change["kind"]] | {entry["id"] for entry in change["entries"]}) - gone
        after, more = page["next_after"], page["more"]
    for kind, ids in there.items():
        assert ids == {entry_id for entry_id, _ in shop.entries(kind)}
    assert shop.call("GET", "/v1/changes", after=10**6).status == 410
