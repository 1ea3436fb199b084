"""Deliver the entries of an outbox one by one, each at least once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from http import HTTPStatus

import structlog

from shared.clock import Clock
from shared.errors import TryAgain
from shared.model import Status
from shared.outbox.outbox import MAIL, PING, TOO_LATE, Attempt, DeliveryOutcome, Outbox, OutboxEntry, Trouble
from shared.outbox.webhook_messages import message_id, ping_body, ping_id, webhook_body, webhook_headers
from shared.outbox.webhooks import Webhook, Webhooks
from shared.tasks.records import Task
from shared.telemetry import metrics, spans
from workers.deliver.http_post import post
from workers.deliver.mailing import Mailing

log = structlog.get_logger()

#: Delay after the first failure; it triples with each further one.
FIRST_RETRY_MS = 5_000
LONGEST_RETRY_MS = 4 * 3600 * 1000
#: Random share by which a delay is extended, so that entries that failed together are not retried together.
JITTER = 0.2
#: How long after its end, and after its target began to fail, a task is still delivered.
GIVE_UP_MS = 24 * 3600 * 1000
#: A webhook that has only failed for this long is given up.
DEAD_MS = 3 * 24 * 3600 * 1000
#: Most characters of a recorded error.
ERROR_LENGTH = 500


def retry_delay_ms(failures: int, *, retry_after_s: float | None, jitter: float) -> int:
    """Return the delay after a number of failures in a row: at least ``retry_after_s``, at most the usual maximum.

    ``jitter`` is from 0 to 1.
    """
    delay_ms = min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 3 ** min(failures - 1, 20))
    asked_ms = min(LONGEST_RETRY_MS, int((retry_after_s or 0) * 1000))
    return int(max(delay_ms, asked_ms) * (1 + JITTER * jitter))


@dataclass(frozen=True, slots=True)
class _Came:
    """The result of an attempt."""

    status: int | None = None
    retry_after_s: float | None = None
    error: str | None = None
    #: Beginning of the body of a response that was no success.
    answer: str | None = None

    @property
    def is_gone(self) -> bool:
        """Whether the receiver is gone for good (410)."""
        return self.status == HTTPStatus.GONE


class Deliverer:
    """Delivers for any catalog."""

    def __init__(
        self,
        open_outbox: Callable[[str], Outbox],
        open_webhooks: Callable[[str], Webhooks],
        mailing: Mailing | None,
        *,
        private: bool,
        clock: Clock,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Without ``mailing`` no mail is sent.

        ``private`` allows calls to private addresses; ``draw`` returns a random number from 0 to 1.
        """
        self._open_outbox = open_outbox
        self._open_webhooks = open_webhooks
        self._mailing = mailing
        self._private = private
        self._clock = clock
        self._draw = draw

    def deliver_next(self, catalog_key: str, target: str = "") -> bool:
        """Deliver the first due entry of a target, or split an entry into targets; False if nothing is due.

        If it is killed, or the store is unreachable afterwards, the entry is delivered again with the same id.
        """
        outbox = self._open_outbox(catalog_key)
        entry = outbox.claim(self._clock(), target)
        if entry is None:
            return False
        if entry.task_id == PING:
            self._ping(catalog_key, outbox, entry)
            return True
        task = outbox.task(entry)
        if task is None:
            outbox.drop(entry)
        elif not target:
            # Entries of an earlier version name their target already.
            targets = [entry.target] if entry.target else self._targets(catalog_key, outbox, task)
            outbox.split(entry, targets, self._clock())
        elif target == MAIL:
            self._mail(catalog_key, outbox, entry, task)
        else:
            self._call(catalog_key, outbox, entry, task)
        return True

    def _targets(self, catalog_key: str, outbox: Outbox, task: Task) -> list[str]:
        wants_mail = task.status is Status.FAILED and bool(task.batch.notification_emails)
        webhooks = self._open_webhooks(catalog_key).all()
        troubles = outbox.troubles() if webhooks else {}
        open_ones = [
            webhook.id
            for webhook in webhooks
            if webhook.wants(task) and (webhook.id not in troubles or not troubles[webhook.id].given_up)
        ]
        return [MAIL] * wants_mail + open_ones

    def _call(self, catalog_key: str, outbox: Outbox, entry: OutboxEntry, task: Task) -> None:
        webhook = self._open_webhooks(catalog_key).get(entry.target)
        if webhook is None:
            outbox.drop_all(entry.target)
            return
        if webhook.paused:
            outbox.hold(entry, task.updated_ms, now_ms=self._clock(), keep_ms=GIVE_UP_MS)
            return
        body, name = webhook_body(catalog_key, task), message_id(catalog_key, task)
        self._attempt(catalog_key, outbox, entry, task, lambda at_ms: self._post(webhook, name, body, at_ms), webhook)

    def _ping(self, catalog_key: str, outbox: Outbox, entry: OutboxEntry) -> None:
        """Call a webhook once, even if it is paused or given up; what comes of it is only logged."""
        webhook = self._open_webhooks(catalog_key).get(entry.target)
        if webhook is None:
            outbox.drop_all(entry.target)
            return
        at_ms, started = self._clock(), time.monotonic()
        body, name = ping_body(catalog_key, at_ms), ping_id(catalog_key, webhook.id, at_ms)
        came = _try(lambda: self._post(webhook, name, body, at_ms))
        took_ms = int((time.monotonic() - started) * 1000)
        outcome = DeliveryOutcome.DELIVERED if came.error is None else DeliveryOutcome.GIVEN_UP
        attempt = Attempt(PING, entry.target, 1, at_ms, took_ms, outcome, came.status, came.error)
        attempt = replace(attempt, answer=came.answer, url=webhook.url)
        outbox.log_only(entry, attempt)
        _record(catalog_key, attempt)

    def _post(self, webhook: Webhook, name: str, body: bytes, at_ms: int) -> _Came:
        headers = webhook_headers(name, body, *webhook.secrets(at_ms), now_s=at_ms // 1000)
        answer = post(webhook.url, headers, body, private=self._private)
        error = None if 200 <= answer.status < 300 else f"answered with {answer.status}"
        return _Came(answer.status, answer.retry_after_s, error, answer.body or None)

    def _mail(self, catalog_key: str, outbox: Outbox, entry: OutboxEntry, task: Task) -> None:
        mailing = self._mailing
        if mailing is None:
            outbox.drop(entry)
            log.warning(
                "no mail is sent: SLUICE_SMTP_URL is not set", action="mail", catalog_key=catalog_key, task_id=task.id,
                recipients=len(task.batch.notification_emails), task_error=task.error,
            )  # fmt: skip
            return

        def send(_: int) -> _Came:
            mailing.send_failure(catalog_key, task)
            return _Came()

        self._attempt(catalog_key, outbox, entry, task, send)

    def _attempt(
        self,
        catalog_key: str,
        outbox: Outbox,
        entry: OutboxEntry,
        task: Task,
        deliver: Callable[[int], _Came],
        webhook: Webhook | None = None,
    ) -> None:
        """Deliver an entry, at the time that ``deliver`` gets, and record the result for it and its target."""
        before = outbox.troubles().get(entry.target)
        at_ms, started, number = self._clock(), time.monotonic(), entry.attempts + 1
        if before and at_ms > _give_up_ms(task, before):
            # Entries that are too late are dropped at once, without a pause after each.
            too_late = f"{TOO_LATE}, after a day without success: {before.reason}"
            attempt = Attempt(task.id, entry.target, number, at_ms, 0, DeliveryOutcome.GIVEN_UP, error=too_late)
            outbox.settle(entry, attempt, before)
            _record(catalog_key, attempt)
            return
        with _span(catalog_key, entry, task) as span:
            came = _try(lambda: deliver(at_ms))
            span.set(attempt=number, **{"http.response.status_code": came.status})
            if came.error is not None:
                span.fail(came.error)
        took_ms, now_ms = int((time.monotonic() - started) * 1000), self._clock()
        outcome, next_ms, trouble, rest_ms = DeliveryOutcome.DELIVERED, None, None, 0
        if came.error is not None:
            trouble = _worse(before, came, entry.target, since_ms=at_ms, now_ms=now_ms)
            rest_ms = now_ms + self._delay_ms(trouble.failures, came)
            again_ms = now_ms + self._delay_ms(number, came)
            given_up = trouble.given_up or again_ms > _give_up_ms(task, trouble)
            outcome = DeliveryOutcome.GIVEN_UP if given_up else DeliveryOutcome.FAILED
            next_ms = None if given_up else again_ms
        attempt = Attempt(task.id, entry.target, number, at_ms, took_ms, outcome, came.status, came.error, next_ms)
        attempt = replace(attempt, answer=came.answer, url=webhook.url if webhook else None)
        if webhook and trouble and trouble.given_up and self._mailing:
            self._mailing.send_given_up(catalog_key, webhook, trouble, now_ms=self._clock())
        outbox.settle(entry, attempt, trouble, rest_ms)
        _record(catalog_key, attempt)
        if trouble and trouble.given_up:
            outbox.drop_all(entry.target)
            log.error(
                "webhook given up", action="deliver", catalog_key=catalog_key, target=entry.target,
                failures=trouble.failures, error=trouble.reason,
            )  # fmt: skip

    def _delay_ms(self, failures: int, came: _Came) -> int:
        return retry_delay_ms(failures, retry_after_s=came.retry_after_s, jitter=self._draw())


def _try(deliver: Callable[[], _Came]) -> _Came:
    """Deliver.  Raises TryAgain if the store, of which a mail is written, is away: that is no fault of the receiver."""
    try:
        return deliver()
    except TryAgain:
        raise
    # Any error of a library, with a URL that somebody else chose, means: not delivered.
    except Exception as problem:
        return _Came(error=f"{type(problem).__name__}: {problem}"[:ERROR_LENGTH])


def _span(catalog_key: str, entry: OutboxEntry, task: Task) -> AbstractContextManager[spans.Span]:
    """Make a span of an attempt, if the task's request is part of a trace."""
    parent = task.batch.origin.traceparent
    if not parent:
        return nullcontext(spans.Span())
    facts = {"catalog_key": catalog_key, "task_id": task.id, "target": entry.target}
    return spans.span("deliver", parent=parent, kind=spans.SpanKind.CLIENT, **facts)


def _worse(before: Trouble | None, came: _Came, target: str, *, since_ms: int, now_ms: int) -> Trouble:
    """Add a failure to a target; a webhook that is gone or dead is given up, the mail server never."""
    failures, since_ms = (before.failures, before.since_ms) if before else (0, since_ms)
    given_up = target != MAIL and (came.is_gone or now_ms > since_ms + DEAD_MS)
    return Trouble(failures + 1, since_ms, came.error or "", given_up)


def _give_up_ms(task: Task, trouble: Trouble) -> int:
    """Return until when a task is tried at a target that fails; one that is sent again may be old already."""
    return max(task.updated_ms, trouble.since_ms) + GIVE_UP_MS


def _record(catalog_key: str, attempt: Attempt) -> None:
    metrics.DELIVERIES.labels("mail" if attempt.target == MAIL else "webhook", attempt.outcome).inc()
    say = {
        DeliveryOutcome.DELIVERED: log.info,
        DeliveryOutcome.FAILED: log.warning,
        DeliveryOutcome.GIVEN_UP: log.error,
    }[attempt.outcome]
    say(
        f"delivery {attempt.outcome}", action="deliver", catalog_key=catalog_key, task_id=attempt.task_id,
        target=attempt.target, attempt=attempt.number, status_code=attempt.status_code, error=attempt.error,
    )  # fmt: skip
