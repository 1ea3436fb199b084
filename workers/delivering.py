"""Deliver what lies in an outbox: one entry after the other, each at least once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from shared import metrics
from shared.clock import Clock
from shared.model import Status
from shared.outbox import MAIL, Attempt, Entry, Outbox, Told
from shared.tasks import Task
from shared.webhooks import Webhooks
from workers.http_posts import post
from workers.mail import MailServer
from workers.messages import failure_mail, message_id, webhook_body, webhook_headers

log = structlog.get_logger()

#: After the first failure; three times as long after each further one.
FIRST_RETRY_MS = 5_000
LONGEST_RETRY_MS = 4 * 3600 * 1000
#: So long after a task ended nobody is called about it any more.
GIVE_UP_MS = 24 * 3600 * 1000
#: What is noted of an error is cut to this.
ERROR_LENGTH = 500


def next_attempt_ms(attempts: int, *, ended_ms: int, now_ms: int) -> int | None:
    """Say when to try again after so many failures; None: never."""
    delay_ms = min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 3 ** min(attempts - 1, 20))
    return now_ms + delay_ms if now_ms + delay_ms <= ended_ms + GIVE_UP_MS else None


@dataclass(frozen=True, slots=True)
class Mailing:
    """How mail is sent."""

    #: None: it is not.
    server: MailServer | None
    sender: str


class Deliverer:
    """Delivers for any catalog."""

    def __init__(
        self,
        open_outbox: Callable[[str], Outbox],
        open_webhooks: Callable[[str], Webhooks],
        mailing: Mailing,
        *,
        private: bool,
        clock: Clock,
    ) -> None:
        """Prepare; ``private`` allows calls to private addresses."""
        self._open_outbox = open_outbox
        self._open_webhooks = open_webhooks
        self._mailing = mailing
        self._private = private
        self._clock = clock

    def deliver_next(self, catalog_key: str) -> bool:
        """Deliver what is due first; False if nothing is.

        Killed on the way, or if the store is away afterwards, the same is delivered again, under the same name.
        """
        outbox = self._open_outbox(catalog_key)
        entry = outbox.claim(self._clock())
        if entry is None:
            return False
        task = outbox.task(entry)
        if task is None:
            outbox.drop(entry)
        elif not entry.target:
            outbox.split(entry, self._targets(catalog_key, task), self._clock())
        elif entry.target == MAIL:
            self._mail(catalog_key, outbox, entry, task)
        else:
            self._call(catalog_key, outbox, entry, task)
        return True

    def _targets(self, catalog_key: str, task: Task) -> list[str]:
        wants_mail = task.status is Status.FAILED and bool(task.batch.notification_emails)
        return [MAIL] * wants_mail + [webhook.id for webhook in self._open_webhooks(catalog_key).all()]

    def _call(self, catalog_key: str, outbox: Outbox, entry: Entry, task: Task) -> None:
        webhook = self._open_webhooks(catalog_key).get(entry.target)
        if webhook is None:
            outbox.drop(entry)
            return
        body, at_ms = webhook_body(catalog_key, task), self._clock()
        headers = webhook_headers(message_id(catalog_key, task), body, webhook.secret, now_s=at_ms // 1000)

        def call() -> int:
            return post(webhook.url, headers, body, private=self._private)

        self._attempt(catalog_key, outbox, entry, task, call)

    def _mail(self, catalog_key: str, outbox: Outbox, entry: Entry, task: Task) -> None:
        recipients, server = task.batch.notification_emails, self._mailing.server
        if server is None:
            outbox.drop(entry)
            log.warning(
                "no mail is sent: SLUICE_SMTP_URL is not set", action="mail", catalog_key=catalog_key, task_id=task.id,
                recipients=len(recipients), task_error=task.error,
            )  # fmt: skip
            return

        def send() -> None:
            refused = server.send(failure_mail(catalog_key, task, sender=self._mailing.sender, recipients=recipients))
            if refused:
                log.warning("mail: recipients refused", action="mail", catalog_key=catalog_key, recipients=refused)

        self._attempt(catalog_key, outbox, entry, task, send)

    def _attempt(
        self, catalog_key: str, outbox: Outbox, entry: Entry, task: Task, deliver: Callable[[], int | None]
    ) -> None:
        """Deliver an entry and note what came of it; ``deliver`` returns the status of an HTTP answer."""
        at_ms, started, status, error = self._clock(), time.monotonic(), None, None
        try:
            status = deliver()
            if status is not None and not 200 <= status < 300:
                error = f"answered with {status}"
        # Whatever a library makes of what somebody else told us to call: it was not delivered.
        except Exception as problem:
            error = f"{type(problem).__name__}: {problem}"[:ERROR_LENGTH]
        took_ms, number = int((time.monotonic() - started) * 1000), entry.attempts + 1
        outcome, next_ms = Told.DELIVERED, None
        if error is not None:
            next_ms = next_attempt_ms(number, ended_ms=task.updated_ms, now_ms=self._clock())
            outcome = Told.GIVEN_UP if next_ms is None else Told.FAILED
        attempt = Attempt(task.id, entry.target, number, at_ms, took_ms, outcome, status, error, next_ms)
        outbox.settle(entry, attempt)
        metrics.DELIVERIES.labels("mail" if entry.target == MAIL else "webhook", outcome).inc()
        say = {Told.DELIVERED: log.info, Told.FAILED: log.warning, Told.GIVEN_UP: log.error}[outcome]
        say(
            f"delivery {outcome}", action="deliver", catalog_key=catalog_key, task_id=task.id, target=entry.target,
            attempt=number, status_code=status, error=error,
        )  # fmt: skip
