"""Notifications about ended tasks: at least once, with one id, to all who asked for them and nobody else."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from shared import keys
from shared.admin.stuck import Decision, settle_stuck
from shared.errors import StoreUnavailable
from shared.model import Kind, Operation, Status
from shared.nonces import new_nonce
from shared.outbox import resends
from shared.outbox.mail_server import MailServer
from shared.outbox.outbox import (
    CLAIM_MS,
    MAIL,
    PING,
    Attempt,
    DeliveryOutcome,
    Outbox,
    OutboxEntry,
    Outboxes,
    Trouble,
)  # fmt: skip
from shared.outbox.webhooks import Webhook, Webhooks
from shared.tasks.reports import Reports
from shared.telemetry import metrics
from shared.waiting import wait_until
from tests.support.batches import items, make_batch, variations
from tests.support.postman import deliver_all
from tests.support.receivers import Endpoint, Mailbox, http_endpoint, mail_server, silent_endpoint
from tests.support.rig import ACME, Rig
from workers.deliver import http_post
from workers.deliver.deliverer import DEAD_MS, GIVE_UP_MS, Deliverer
from workers.deliver.dispatcher import Dispatcher
from workers.deliver.mailing import Mailing


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

    def deliverer(
        self,
        open_outbox: Callable[[str], Outbox] | None = None,
        *,
        open_reports: Callable[[str], Reports] | None = None,
    ) -> Deliverer:
        open_reports = open_reports or functools.partial(Reports, self.rig.client)
        mailing = Mailing(
            MailServer.parse(self.mailbox.url), "sluice@shop.example", "https://sluice.shop.example", open_reports
        )
        return Deliverer(
            open_outbox or (lambda key: Outbox(self.rig.client, key)),
            lambda key: Webhooks(self.rig.client, key),
            mailing if self.mail else None,
            private=self.private,
            clock=self.rig.clock,
            draw=lambda: 0.0,
        )

    def deliver(self) -> None:
        """Deliver everything that is due."""
        deliver_all(self.deliverer(), self.rig)

    def waiting(self) -> list[bytes]:
        of, client = self.rig.keys(), self.rig.client
        queues = [of.outbox, *(of.target(target.decode()) for target in client.zrange(of.targets, 0, -1))]
        return [member for queue in queues for member in client.zrange(queue, 0, -1)]

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
        grant = office.rig.claim(nonce=new_nonce()).acquire()
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

    def settle(self, entry: OutboxEntry, attempt: Attempt, *_: Any) -> None:
        raise Killed


def test_killed_between_call_and_note_the_same_is_delivered_again(office: Office) -> None:
    """Once the claim has run out, and not before; under the same name, freshly signed."""
    webhook = office.add()
    office.rig.put(*items("a"))
    office.rig.drain()
    dying = office.deliverer(lambda key: DyingOutbox(office.rig.client, key))
    dying.deliver_next(ACME)
    with pytest.raises(Killed):
        dying.deliver_next(ACME, webhook.id)
    office.deliver()
    assert len(office.endpoint.calls) == 1
    office.rig.clock.advance(CLAIM_MS)
    office.deliver()
    first, second = office.endpoint.calls
    assert first.id == second.id
    assert first.body == second.body
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert second.is_signed_with(webhook.secret)
    assert office.waiting() == []


def test_killed_before_it_was_known_whom_to_tell_nobody_is_forgotten(office: Office) -> None:
    office.add()
    office.rig.put(*items("a"))
    office.rig.drain()
    assert office.outbox.claim(office.rig.clock()) == OutboxEntry(1)
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
        (1, DeliveryOutcome.FAILED, 500),
        (2, DeliveryOutcome.FAILED, 302),
        (3, DeliveryOutcome.FAILED, 503),
        (4, DeliveryOutcome.DELIVERED, 204),
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
    assert {one.outcome for one in failed} == {DeliveryOutcome.FAILED}
    assert last.outcome is DeliveryOutcome.GIVEN_UP
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


def test_a_target_that_fails_is_left_in_peace_with_all_that_waits_for_it(office: Office) -> None:
    """However much that is, one call at a time finds out whether it is back; then it gets everything."""
    webhook = office.add()
    for number in range(20):
        office.rig.put(*items(str(number)))
    office.rig.drain()
    office.endpoint.answers[:] = [500, 500, 500]
    for calls, wait_ms in ((1, 5_000), (2, 15_000), (3, 45_000)):
        office.deliver()
        office.deliver()
        assert len(office.endpoint.calls) == calls
        assert office.outbox.troubles()[webhook.id].failures == calls
        office.rig.clock.advance(wait_ms)
    office.deliver()
    office.rig.clock.advance(45_000)
    office.deliver()
    assert sorted(call.json["data"]["task_id"] for call in office.endpoint.calls[3:]) == list(range(1, 21))
    assert office.outbox.troubles() == {}
    assert office.waiting() == []


def test_what_is_too_late_is_let_go_of_at_once(office: Office) -> None:
    """And does not come, one by one, before what ended just now."""
    office.add()
    for number in range(20):
        office.rig.put(*items(str(number)))
    office.rig.drain()
    office.endpoint.answers[:] = [500]
    office.deliver()
    office.rig.clock.advance(GIVE_UP_MS + 1)
    fresh = office.rig.put(*items("fresh"))
    office.rig.drain()
    office.deliver()
    assert [call.json["data"]["task_id"] for call in office.endpoint.calls[1:]] == [fresh]
    assert [one.outcome for one in office.log()].count(DeliveryOutcome.GIVEN_UP) == 20
    assert office.waiting() == []


@pytest.mark.parametrize("status", [410, 500])
def test_a_webhook_that_is_gone_or_dead_is_given_up_until_an_operator_says_otherwise(
    office: Office, status: int
) -> None:
    """410 at once, anything else after three days without success."""
    webhook = office.add()
    office.endpoint.answers[:] = [status] * 100
    begun_ms = office.rig.clock()
    for number in range(100):
        if not office.endpoint.answers or office.outbox.troubles().get(webhook.id, Trouble(0, 0, "")).given_up:
            break
        office.rig.put(*items(str(number)))
        office.rig.drain()
        office.deliver()
        office.rig.clock.advance(3600 * 1000)
    trouble = office.outbox.troubles()[webhook.id]
    assert trouble.given_up
    assert trouble.reason == f"answered with {status}"
    assert (office.rig.clock() - begun_ms > DEAD_MS) == (status != 410)
    calls = len(office.endpoint.calls)
    office.rig.put(*items("later"))
    office.rig.drain()
    office.deliver()
    assert (len(office.endpoint.calls), office.waiting()) == (calls, [])
    assert office.outbox.forget_trouble(webhook.id, office.rig.clock())
    office.endpoint.answers.clear()
    office.rig.put(*items("again"))
    office.rig.drain()
    office.deliver()
    assert len(office.endpoint.calls) == calls + 1


def test_while_a_secret_is_rotated_both_are_good(office: Office) -> None:
    """For as long as was wanted; then the new one alone."""
    old = office.add()
    new = office.webhooks.rotate(old.id, now_ms=office.rig.clock(), overlap_ms=60_000)
    assert new
    for name in "ab":
        office.rig.put(*items(name))
        office.rig.drain()
        office.deliver()
        office.rig.clock.advance(60_000)
    during, afterwards = office.endpoint.calls
    assert during.is_signed_with(old.secret)
    assert during.is_signed_with(new.secret)
    assert afterwards.is_signed_with(new.secret)
    assert not afterwards.is_signed_with(old.secret)
    assert office.webhooks.rotate("wh_000000000000", now_ms=0, overlap_ms=0) is None


def test_a_paused_webhook_is_told_afterwards(office: Office) -> None:
    """But for what has waited for a day; the others are told meanwhile."""
    paused, rig = office.add(), office.rig
    office.add(f"{office.endpoint.url}/other")
    office.webhooks.change_once(paused.id, private=True, paused=True)
    for name in "abc":
        rig.put(*items(name))
        rig.drain()
        office.deliver()
        rig.clock.advance(GIVE_UP_MS // 2 + 60_000)
    office.deliver()
    assert {call.path for call in office.endpoint.calls} == {"/hook/other"}
    assert office.outbox.waiting(paused.id) == 1
    office.webhooks.change_once(paused.id, private=True, paused=False)
    office.outbox.forget_trouble(paused.id, rig.clock())
    office.endpoint.calls.clear()
    office.deliver()
    assert [(call.path, call.json["data"]["task_id"]) for call in office.endpoint.calls] == [("/hook", 3)]


def test_a_webhook_is_told_only_of_what_it_wants(office: Office) -> None:
    """By status, kind and section."""
    wishes: list[dict[str, Any]] = [
        {"statuses": (Status.FAILED,)}, {"kinds": (Kind.VARIATIONS,)}, {"sections": ("Other",)},
    ]  # fmt: skip
    for number, wish in enumerate(wishes):
        url = f"{office.endpoint.url}/{number}"
        office.webhooks.add_once(url, private=True, now_ms=office.rig.clock(), **wish)
    office.rig.put(*items("a"))
    office.fail()
    office.rig.put(*variations("a", "v"), kind=Kind.VARIATIONS)
    office.rig.put(*items("a"), section="Other")
    office.rig.drain()
    office.deliver()
    told = sorted((call.path, call.json["data"]["task_id"]) for call in office.endpoint.calls)
    assert told == [("/hook/0", 2), ("/hook/1", 3), ("/hook/2", 4)]


def test_a_ping_goes_out_before_all_that_waits_and_changes_nothing(office: Office) -> None:
    """Also to a webhook that is left in peace, paused or given up; it is not repeated."""
    webhook, rig = office.add(), office.rig
    office.endpoint.answers[:] = [500, 500]
    rig.put(*items("a"))
    rig.drain()
    office.deliver()
    trouble = office.outbox.troubles()[webhook.id]
    resends.ping(rig.client, ACME, webhook, now_ms=rig.clock())
    office.deliver()
    failed, pinged = office.log()
    assert (failed.task_id, pinged.task_id, pinged.outcome, pinged.next_ms) == (1, PING, DeliveryOutcome.GIVEN_UP, None)
    assert office.outbox.troubles() == {webhook.id: trouble}
    assert (office.outbox.waiting(webhook.id), office.endpoint.calls[1].json["type"]) == (1, "webhook.ping")
    office.webhooks.change_once(webhook.id, private=True, paused=True)
    resends.ping(rig.client, ACME, webhook, now_ms=rig.clock())
    office.deliver()
    assert office.endpoint.calls[2].is_signed_with(webhook.secret)
    assert office.log()[2].outcome is DeliveryOutcome.DELIVERED


def test_what_was_missed_is_sent_once_more(office: Office) -> None:
    """One task, or all since a time that are not known to be delivered, to a webhook that had been given up too."""
    webhook, rig = office.add(), office.rig
    begun = rig.clock()
    office.endpoint.answers[:] = [204, 410]
    for name in "abc":
        rig.put(*items(name))
        rig.drain()
        office.deliver()
    assert office.outbox.troubles()[webhook.id].given_up
    rig.clock.advance(2 * GIVE_UP_MS)
    assert resends.resend_since(rig.client, ACME, webhook, begun, now_ms=rig.clock()).tasks == 2
    office.deliver()
    assert [call.json["data"]["task_id"] for call in office.endpoint.calls] == [1, 2, 2, 3]
    assert office.endpoint.calls[1].id == office.endpoint.calls[2].id
    assert resends.resend_since(rig.client, ACME, webhook, begun, now_ms=rig.clock()).tasks == 0
    resends.resend(rig.client, ACME, webhook, 1, now_ms=rig.clock())
    office.deliver()
    assert office.endpoint.calls[4].json["data"]["task_id"] == 1


def test_what_is_sent_once_more_is_tried_for_a_day_too(office: Office) -> None:
    """However old it is: one failure lets neither it nor the others go."""
    webhook, rig = office.add(), office.rig
    begun = rig.clock()
    office.endpoint.answers[:] = [410]
    for name in "abc":
        rig.put(*items(name))
        rig.drain()
        office.deliver()
    rig.clock.advance(2 * GIVE_UP_MS)
    assert resends.resend_since(rig.client, ACME, webhook, begun, now_ms=rig.clock()).tasks == 3
    office.endpoint.answers[:] = [503]
    office.deliver()
    rig.clock.advance(60_000)
    office.deliver()
    assert sorted(call.json["data"]["task_id"] for call in office.endpoint.calls[2:]) == [1, 2, 3]


def test_a_resend_of_many_says_where_to_go_on(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    webhook, rig = office.add(), office.rig
    monkeypatch.setattr(resends, "MOST", 2)
    since, found = rig.clock(), []
    for name in "abcde":
        rig.put(*items(name))
        rig.drain()
        rig.clock.advance(1)
    while True:
        queued = resends.resend_since(rig.client, ACME, webhook, since, now_ms=rig.clock())
        found.append(queued.tasks)
        if queued.until_ms is None:
            break
        since = queued.until_ms
    assert found == [2, 2, 1]


def test_a_webhook_that_is_given_up_is_mailed_about(office: Office) -> None:
    office.webhooks.add_once(
        office.endpoint.url, private=True, now_ms=office.rig.clock(), notification_emails=("ops@shop.example",)
    )
    office.endpoint.answers[:] = [410]
    office.rig.put(*items("a"))
    office.rig.drain()
    office.deliver()
    [(recipients, mail)] = office.mailbox.mails
    assert (recipients, mail["Subject"]) == (["ops@shop.example"], "acme: the webhook to 127.0.0.1 is given up")
    assert "https://sluice.shop.example/integration/c/acme/followers" in mail.get_content()
    assert "answered with 410" in mail.get_content()
    assert "whsec_" not in mail.get_content()


def test_a_receiver_that_asks_for_time_gets_it(office: Office) -> None:
    office.add()
    office.rig.put(*items("a"))
    office.rig.put(*items("b"))
    office.rig.drain()
    office.endpoint.answers[:] = [429]
    office.endpoint.headers["Retry-After"] = "600"
    office.deliver()
    office.rig.clock.advance(599_999)
    office.deliver()
    assert len(office.endpoint.calls) == 1
    office.rig.clock.advance(1)
    office.deliver()
    assert len(office.endpoint.calls) == 3


def test_entries_of_an_earlier_version_are_delivered(office: Office) -> None:
    """They lie with those of which it is not known yet who is to be told."""
    webhook = office.add()
    office.rig.put(*items("a"))
    office.rig.drain()
    member = OutboxEntry(1, webhook.id, 2).member
    office.rig.client.delete(office.rig.keys().outbox)
    office.rig.client.zadd(office.rig.keys().outbox, {member: office.rig.clock()})
    office.deliver()
    assert len(office.endpoint.calls) == 1
    assert office.waiting() == []


def test_slow_and_silent_receivers_cost_only_themselves(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many of them, other catalogs' and one's own, have not answered yet when a quick one has been told everything."""
    monkeypatch.setattr(http_post, "STEP_S", 300.0)
    monkeypatch.setattr(http_post, "CALL_S", 300.0)
    with silent_endpoint() as silent:
        for number in range(30):
            key = f"silent-{number}"
            Webhooks(office.rig.client, key).add(silent.url, private=True, now_ms=office.rig.clock())
            for item in "abcde":
                office.rig.put(*items(item), catalog_key=key)
            office.rig.drain(key)
        office.add(silent.url)
        office.add()
        for number in range(40):
            office.rig.put(*items(str(number)))
        office.rig.drain()
        postman = _postman(office)
        postman.start()
        told = wait_until(lambda: len(office.endpoint.calls) >= 40, "the quick one is told", timeout_s=60, every_s=0.01)
        postman.stop()
        assert told
    wait_until(lambda: not postman._under_way, "the calls have ended", timeout_s=20, every_s=0.01)


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
    office.rig.with_settings(task_retention_s=1).retention().retire(now_ms=office.rig.clock(), limit=10)
    office.deliver()
    assert (office.endpoint.calls, office.waiting()) == ([], [])


def test_the_delivery_log_is_bounded(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.outbox.outbox.LOG_LENGTH", 3)
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
    assert attempt.outcome is DeliveryOutcome.FAILED
    assert "private address" in (attempt.error or "")


def test_nobody_there_is_a_failed_attempt(office: Office) -> None:
    office.add("http://127.0.0.1:1/")
    office.add("http://no-such-host.invalid/")
    office.rig.put(*items("a"))
    office.rig.drain()
    office.deliver()
    assert [one.outcome for one in office.log()] == [DeliveryOutcome.FAILED] * 2
    assert len(office.waiting()) == 2


# -- mail -------------------------------------------------------------------------------------------------------------


def test_a_failed_task_is_mailed_to_all_addresses(office: Office) -> None:
    task_id = office.fail("one@shop.example", "two@shop.example")
    office.rig.drain()
    office.deliver()
    [(recipients, mail)] = office.mailbox.mails
    assert recipients == ["one@shop.example", "two@shop.example"]
    assert mail["Subject"] == f"acme: update {task_id} failed: items not found: 'missing'"
    assert f"https://sluice.shop.example/integration/c/acme/updates/{task_id}\r\n" in mail.get_content()
    assert mail["From"] == "sluice@shop.example"
    assert "IngestionError: items not found: 'missing'" in mail.get_content()
    assert office.waiting() == []
    assert [(one.target, one.outcome) for one in office.log()] == [(MAIL, DeliveryOutcome.DELIVERED)]


def test_a_batch_that_is_run_again_is_mailed_about_again(office: Office) -> None:
    task_id = office.fail("one@shop.example")
    office.rig.drain()
    office.rig.accepted[ACME] = []
    office.rig._change(ACME, task_id, "RERUN")  # type: ignore[arg-type]
    office.rig.drain()
    office.deliver()
    assert [mail["Subject"] for _, mail in office.mailbox.mails] == [
        f"acme: update {task_id} failed: items not found: 'missing'" for task_id in (1, 2)
    ]
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
    assert [one.outcome for one in office.log()] == [DeliveryOutcome.FAILED]
    office.mailbox.refused = set()
    office.rig.clock.advance(5_000)
    office.deliver()
    assert len(office.mailbox.mails) == 1


def test_a_mail_for_which_the_store_is_away_is_no_failure_of_the_mail_server(office: Office) -> None:
    """It names entries, which are read: it is written later, and others are not kept from being sent meanwhile."""

    class Away(Reports):
        def page(self, *_: Any, **__: Any) -> Any:
            raise StoreUnavailable("away")

    office.fail("one@shop.example")
    office.rig.drain()
    office.deliverer().deliver_next(ACME)
    with pytest.raises(StoreUnavailable):
        office.deliverer(open_reports=functools.partial(Away, office.rig.client)).deliver_next(ACME, MAIL)
    assert (office.log(), office.outbox.troubles()) == ([], {})
    office.rig.clock.advance(CLAIM_MS)
    assert office.deliverer().deliver_next(ACME, MAIL)
    assert [(one.outcome, one.number) for one in office.log()] == [(DeliveryOutcome.DELIVERED, 1)]
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
        return [lane.catalog_key for lane in Outboxes(office.rig.client).due(clock())]

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
    monkeypatch.setattr("shared.outbox.outbox.PAGE", 4)
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


def _postman(office: Office, deliverer: Any = None) -> Dispatcher:
    return Dispatcher(
        deliverer or office.deliverer(), Outboxes(office.rig.client), every_s=0.01, clock=office.rig.clock,
        stop=threading.Event(),
    )  # fmt: skip


def test_the_postman_outlives_any_trouble(office: Office) -> None:
    """Of the store, or of one entry."""

    class Troubled:
        def __init__(self) -> None:
            self.troubles: list[Exception] = [StoreUnavailable("away"), RuntimeError("bug")]

        def deliver_next(self, *lane: str) -> bool:
            if self.troubles:
                raise self.troubles.pop()
            return real.deliver_next(*lane)

    real = office.deliverer()
    office.add()
    office.rig.put(*items("a"))
    office.rig.drain()
    postman = _postman(office, Troubled())
    postman.start()
    wait_until(lambda: office.endpoint.calls and not office.waiting(), "it is told", timeout_s=10, every_s=0.01)
    postman.stop()
    wait_until(lambda: not postman._under_way, "the calls have ended", timeout_s=10, every_s=0.01)
