"""What ends is told outside: at least once, under one name, to whoever asked for it, and to nobody else."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from shared import keys, metrics
from shared.errors import StoreUnavailable
from shared.model import Operation
from shared.outbox import CLAIM_MS, MAIL, Attempt, Entry, Outbox, Outboxes, Told
from shared.partitions import new_nonce
from shared.stuck import Decision, settle_stuck
from shared.waiting import wait_until
from shared.webhooks import Webhook, Webhooks
from tests.support.batches import items, make_batch
from tests.support.receivers import Endpoint, Mailbox, http_endpoint, mail_server
from tests.support.rig import ACME, Rig
from workers.delivering import GIVE_UP_MS, Deliverer, Mailing
from workers.mail import MailServer
from workers.outbox import Postman


@dataclass
class Office:
    """A rig with somebody who delivers, and somebody who is called."""

    rig: Rig
    endpoint: Endpoint
    mailbox: Mailbox
    private: bool = True
    mail: bool = True

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.rig.client, ACME)

    @property
    def webhooks(self) -> Webhooks:
        return Webhooks(self.rig.client, ACME)

    def add(self, url: str = "") -> Webhook:
        return self.webhooks.add(url or self.endpoint.url, private=True, now_ms=self.rig.clock())

    def deliverer(self, open_outbox: Callable[[str], Outbox] | None = None) -> Deliverer:
        server = MailServer.parse(self.mailbox.url) if self.mail else None
        return Deliverer(
            open_outbox or (lambda key: Outbox(self.rig.client, key)),
            lambda key: Webhooks(self.rig.client, key),
            Mailing(server, "sluice@shop.example"),
            private=self.private,
            clock=self.rig.clock,
        )

    def deliver(self) -> None:
        """Deliver everything that is due."""
        deliverer = self.deliverer()
        while deliverer.deliver_next(ACME):
            pass

    def waiting(self) -> list[bytes]:
        return self.rig.client.zrange(self.rig.keys().outbox, 0, -1)

    def log(self) -> list[Attempt]:
        """The delivery log, oldest first."""
        return self.outbox.attempts(100)[::-1]

    def fail(self, *addresses: str) -> int:
        """Submit a batch that fails, with the addresses to be told."""
        batch, frames = make_batch(Operation.PATCH, items("missing"))
        made = replace(batch, notification_emails=addresses), frames
        return self.rig.submit_batch(made).task_id


@pytest.fixture
def office(rig: Rig) -> Iterator[Office]:
    with http_endpoint() as endpoint, mail_server() as mailbox:
        yield Office(rig, endpoint, mailbox)


# -- what is put into it ----------------------------------------------------------------------------------------------


def test_nothing_is_written_where_nobody_wants_to_know(office: Office) -> None:
    office.rig.put(*items("a"))
    office.fail()
    batch, frames = make_batch(Operation.PUT, items("b"))
    office.rig.submit_batch((replace(batch, notification_emails=("me@shop.example",)), frames))
    office.rig.drain()
    assert office.waiting() == []


def test_a_webhook_is_told_of_every_end(office: Office) -> None:
    secret = office.add().secret
    done = office.rig.put(*items("a"))
    failed = office.fail()
    canceled = office.rig.put(*items("b"))
    office.rig.cancel(canceled)
    office.rig.drain()
    office.deliver()
    told = {call.json["data"]["task_id"]: call for call in office.endpoint.calls}
    assert {task_id: call.json["type"] for task_id, call in told.items()} == {
        done: "task.done",
        failed: "task.failed",
        canceled: "task.canceled",
    }
    assert all(call.is_signed_with(secret) for call in told.values())
    assert len({call.id for call in told.values()}) == 3
    assert told[done].json == {
        "type": "task.done",
        "timestamp": "2023-11-14T22:13:20Z",
        "data": {
            "key": "acme",
            "task_id": 1,
            "status": "DONE",
            "task_status_path": "/v1/tasks/1?key=acme",
            "kind": "items",
            "operation": "put",
            "section": "Products",
            "entries_total": 1,
            "entries_applied": 1,
            "items_updated": 1,
        },
    }
    assert told[failed].json["data"]["error"] == {"message": "IngestionError: items not found: 'missing'"}
    assert office.waiting() == []


def test_an_operator_who_gives_a_task_up_is_told_about_too(office: Office) -> None:
    office.add()
    office.rig.put(*items("a", "b"), chunk_entries=1, excused=True)
    for _ in range(office.rig.settings.max_stalls + 1):
        grant = office.rig.partition().acquire("one", nonce=new_nonce())
        if office.rig.report(1) == "":
            office.rig.take(grant, office.rig.plan(grant)[:1])  # type: ignore[arg-type]
        office.rig.expire_lease()
    settle_stuck(office.rig.client, office.rig.settings, ACME, Decision.SKIP, who="me", now_ms=office.rig.clock())
    office.deliver()
    assert [call.json["type"] for call in office.endpoint.calls] == ["task.failed"]


# -- at least once, under one name ------------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for a process that is gone at once."""


class DyingOutbox(Outbox):
    """Whoever delivers dies before it can say so."""

    def settle(self, entry: Entry, attempt: Attempt) -> None:
        raise Killed


def test_killed_between_call_and_note_the_same_is_delivered_again(office: Office) -> None:
    """Once the claim has run out, and not before; under the same name, freshly signed."""
    secret = office.add().secret
    office.rig.put(*items("a"))
    office.rig.drain()
    dying = office.deliverer(lambda key: DyingOutbox(office.rig.client, key))
    dying.deliver_next(ACME)
    with pytest.raises(Killed):
        dying.deliver_next(ACME)
    office.deliver()
    assert len(office.endpoint.calls) == 1
    office.rig.clock.advance(CLAIM_MS)
    office.deliver()
    first, second = office.endpoint.calls
    assert first.id == second.id
    assert first.body == second.body
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert second.is_signed_with(secret)
    assert office.waiting() == []


def test_killed_before_it_was_known_whom_to_tell_nobody_is_forgotten(office: Office) -> None:
    office.add()
    office.rig.put(*items("a"))
    office.rig.drain()
    assert office.outbox.claim(office.rig.clock()) == Entry(1)
    office.rig.clock.advance(CLAIM_MS)
    office.deliver()
    assert len(office.endpoint.calls) == 1


def test_two_who_deliver_do_not_deliver_the_same(office: Office) -> None:
    """As long as both live."""
    office.add()
    for name in "abcdefgh":
        office.rig.put(*items(name))
    office.rig.drain()
    threads = [threading.Thread(target=office.deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(call.json["data"]["task_id"] for call in office.endpoint.calls) == list(range(1, 9))


def test_a_failed_call_is_made_again_later_and_later(office: Office) -> None:
    office.add()
    office.rig.put(*items("a"))
    office.rig.drain()
    office.endpoint.answers[:] = [500, 302, 503]
    office.deliver()
    for wait_ms in (5_000, 15_000, 45_000):
        before = len(office.endpoint.calls)
        office.rig.clock.advance(wait_ms - 1)
        office.deliver()
        assert len(office.endpoint.calls) == before
        office.rig.clock.advance(1)
        office.deliver()
        assert len(office.endpoint.calls) == before + 1
    assert [(one.number, one.outcome, one.status_code) for one in office.log()] == [
        (1, Told.FAILED, 500),
        (2, Told.FAILED, 302),
        (3, Told.FAILED, 503),
        (4, Told.DELIVERED, 204),
    ]
    assert {call.path for call in office.endpoint.calls} == {"/hook"}, "a redirect was followed"
    assert office.waiting() == []


def test_after_a_day_a_call_is_given_up(office: Office) -> None:
    office.add()
    office.rig.put(*items("a"))
    office.rig.drain()
    office.endpoint.answers[:] = [500] * 100
    ended_ms = office.rig.clock()
    while office.waiting():
        office.deliver()
        office.rig.clock.advance(60_000)
    assert office.rig.clock() - ended_ms < GIVE_UP_MS
    *failed, last = office.log()
    assert {one.outcome for one in failed} == {Told.FAILED}
    assert last.outcome is Told.GIVEN_UP
    assert 8 <= last.number <= 20


def test_one_webhook_that_is_down_does_not_keep_another_from_being_told(office: Office) -> None:
    with http_endpoint() as other:
        office.add()
        office.add(other.url)
        office.endpoint.answers[:] = [500]
        office.rig.put(*items("a"))
        office.rig.drain()
        office.deliver()
        office.rig.clock.advance(5_000)
        office.deliver()
        assert (len(office.endpoint.calls), len(other.calls)) == (2, 1)
        assert len({call.id for call in (*office.endpoint.calls, *other.calls)}) == 1


def test_a_webhook_that_was_removed_is_told_nothing_more(office: Office) -> None:
    webhook = office.add()
    office.rig.put(*items("a"))
    office.rig.drain()
    office.deliverer().deliver_next(ACME)
    assert office.webhooks.remove(webhook.id)
    office.deliver()
    assert office.endpoint.calls == []
    assert office.waiting() == []


def test_what_is_no_longer_kept_is_not_told(office: Office) -> None:
    office.add()
    office.rig.put(*items("a"))
    office.rig.drain()
    office.deliverer().deliver_next(ACME)
    office.rig.clock.advance(5_000)
    office.rig.with_settings(task_retention_s=1).partition().retire(now_ms=office.rig.clock(), limit=10)
    office.deliver()
    assert (office.endpoint.calls, office.waiting()) == ([], [])


def test_the_delivery_log_is_bounded(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.outbox.LOG_LENGTH", 3)
    office.add()
    for name in "abcde":
        office.rig.put(*items(name))
    office.rig.drain()
    office.deliver()
    assert [one.task_id for one in office.log()] == [3, 4, 5]


# -- whom we call -----------------------------------------------------------------------------------------------------


def test_private_addresses_are_not_called(office: Office) -> None:
    """Also by a webhook that was made when they were allowed."""
    office.add()
    office.rig.put(*items("a"))
    office.rig.drain()
    office.private = False
    office.deliver()
    assert office.endpoint.calls == []
    [attempt] = office.log()
    assert attempt.outcome is Told.FAILED
    assert "private address" in (attempt.error or "")


def test_nobody_there_is_a_failed_attempt(office: Office) -> None:
    office.add("http://127.0.0.1:1/")
    office.add("http://no-such-host.invalid/")
    office.rig.put(*items("a"))
    office.rig.drain()
    office.deliver()
    assert [one.outcome for one in office.log()] == [Told.FAILED] * 2
    assert len(office.waiting()) == 2


# -- mail -------------------------------------------------------------------------------------------------------------


def test_a_failed_task_is_mailed_to_all_addresses(office: Office) -> None:
    task_id = office.fail("one@shop.example", "two@shop.example")
    office.rig.drain()
    office.deliver()
    [(recipients, mail)] = office.mailbox.mails
    assert recipients == ["one@shop.example", "two@shop.example"]
    assert mail["Subject"] == f"Task {task_id} of acme failed"
    assert mail["From"] == "sluice@shop.example"
    assert "IngestionError: items not found: 'missing'" in mail.get_content()
    assert office.waiting() == []
    assert [(one.target, one.outcome) for one in office.log()] == [(MAIL, Told.DELIVERED)]


def test_a_batch_that_is_run_again_is_mailed_about_again(office: Office) -> None:
    task_id = office.fail("one@shop.example")
    office.rig.drain()
    office.rig.accepted[ACME] = []
    office.rig._change(ACME, task_id, "RERUN")  # type: ignore[arg-type]
    office.rig.drain()
    office.deliver()
    assert [mail["Subject"] for _, mail in office.mailbox.mails] == ["Task 1 of acme failed", "Task 2 of acme failed"]
    assert len({mail["Message-ID"] for _, mail in office.mailbox.mails}) == 2


def test_mail_that_one_recipient_cannot_get_reaches_the_others_once(office: Office) -> None:
    office.mailbox.refused = {"two@shop.example"}
    office.fail("one@shop.example", "two@shop.example")
    office.rig.drain()
    office.deliver()
    assert [recipients for recipients, _ in office.mailbox.mails] == [["one@shop.example"]]
    assert office.waiting() == []


def test_mail_that_nobody_takes_is_sent_again(office: Office) -> None:
    office.mailbox.refused = {"one@shop.example"}
    office.fail("one@shop.example")
    office.rig.drain()
    office.deliver()
    assert [one.outcome for one in office.log()] == [Told.FAILED]
    office.mailbox.refused = set()
    office.rig.clock.advance(5_000)
    office.deliver()
    assert len(office.mailbox.mails) == 1


def test_attempts_are_counted_by_what_came_of_them(office: Office) -> None:
    office.add()
    office.endpoint.answers[:] = [500]
    office.fail("one@shop.example")
    office.rig.drain()
    before = counted()
    office.deliver()
    office.rig.clock.advance(5_000)
    office.deliver()
    assert {series: number - before[series] for series, number in counted().items()} == {
        ("mail", "delivered"): 1, ("mail", "failed"): 0, ("mail", "given_up"): 0,
        ("webhook", "delivered"): 1, ("webhook", "failed"): 1, ("webhook", "given_up"): 0,
    }  # fmt: skip


def counted() -> dict[tuple[str, str], float]:
    """The attempts of this process so far, by channel and outcome."""
    text = metrics.exposition()[0].decode()
    found = re.findall(r'^sluice_deliveries_total\{channel="(\w+)",outcome="(\w+)"\} (.+)$', text, re.M)
    return {(channel, outcome): float(number) for channel, outcome, number in found}


def test_without_a_mail_server_it_is_logged_once(office: Office, capfd: pytest.CaptureFixture[str]) -> None:
    office.mail = False
    office.fail("one@shop.example")
    office.rig.drain()
    office.deliver()
    office.deliver()
    said = capfd.readouterr()
    assert (said.out + said.err).count("SLUICE_SMTP_URL is not set") == 1
    assert office.waiting() == []


# -- which catalogs are looked at -------------------------------------------------------------------------------------


def test_a_catalog_is_looked_at_as_long_as_something_may_come(office: Office) -> None:
    """A webhook, a batch that waits with addresses, or something in its outbox."""
    clock = office.rig.clock

    def due() -> list[str]:
        return list(Outboxes(office.rig.client).due(clock()))

    def looked_at() -> bool:
        return bool(office.rig.client.zcard(keys.OUTBOXES))

    webhook = office.add()
    assert (due(), looked_at()) == ([], True)
    office.rig.put(*items("a"))
    office.rig.drain()
    assert (due(), looked_at()) == ([ACME], True)
    office.deliver()
    assert (due(), looked_at()) == ([], True)
    office.webhooks.remove(webhook.id)
    assert (due(), looked_at()) == ([], False)
    office.rig.client.execute_command(*Outboxes.mark(ACME, clock()))
    office.fail("one@shop.example")
    assert (due(), looked_at()) == ([], True)
    office.rig.drain()
    assert (due(), looked_at()) == ([ACME], True)


def test_many_catalogs_are_looked_at_page_by_page(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is overlooked where others are let go of."""
    monkeypatch.setattr("shared.outbox.PAGE", 4)
    for number in range(11):
        office.rig.client.execute_command(*Outboxes.mark(f"shop-{number:02}", number))
    for number in (1, 6, 10):
        key = f"shop-{number:02}"
        Webhooks(office.rig.client, key).add(office.endpoint.url, private=True, now_ms=office.rig.clock())
        office.rig.put(*items("a"), catalog_key=key)
        office.rig.drain(key)
    postman = _postman(office)
    postman.once()
    wait_until(lambda: len(office.endpoint.calls) == 3, "all three are told", timeout_s=10, every_s=0.01)
    assert office.rig.client.zcard(keys.OUTBOXES) == 3
    wait_until(lambda: not postman._under_way, "the calls have ended", timeout_s=10, every_s=0.01)


def _postman(office: Office, deliverer: Any = None) -> Postman:
    return Postman(
        deliverer or office.deliverer(), Outboxes(office.rig.client), every_s=0.01, clock=office.rig.clock,
        stop=threading.Event(),
    )  # fmt: skip


def test_the_postman_outlives_any_trouble(office: Office) -> None:
    """Of the store, or of one entry."""

    class Troubled:
        def __init__(self) -> None:
            self.troubles: list[Exception] = [StoreUnavailable("away"), RuntimeError("bug")]

        def deliver_next(self, catalog_key: str) -> bool:
            if self.troubles:
                raise self.troubles.pop()
            return real.deliver_next(catalog_key)

    real = office.deliverer()
    office.add()
    office.rig.put(*items("a"))
    office.rig.drain()
    postman = _postman(office, Troubled())
    postman.start()
    wait_until(lambda: office.endpoint.calls and not office.waiting(), "it is told", timeout_s=10, every_s=0.01)
    postman.stop()
    wait_until(lambda: not postman._under_way, "the calls have ended", timeout_s=10, every_s=0.01)
