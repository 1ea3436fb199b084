"""The *Followers* page: who follows a catalog, how far behind they are, and what came of calling them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template, session

from api.dashboard.guard import readable
from api.dashboard.pages.webhook_acts import OVERLAPS, SPANS, secret_mark
from api.dashboard.visitors import visitor
from api.follow.webhooks import webhook_state
from api.services import current_services
from shared.outbox.outbox import MAIL, PING, TOO_LATE, Attempt
from shared.outbox.webhook_messages import message_id, ping_body, ping_id, unsigned_headers, webhook_body
from shared.outbox.webhooks import Webhook
from shared.tasks.cursors import lag_s
from shared.tasks.records import Task

#: Most deliveries listed.
DELIVERIES = 50


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """One attempt, with what was sent."""

    attempt: Attempt
    #: None of a mail, and where the webhook or the task is no longer kept.
    request: str | None


def register(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/c/<catalog_key>/followers", "get_followers", get_followers, methods=["GET"])


def get_followers(catalog_key: str) -> str:
    readable(catalog_key)
    services = current_services()
    outbox, now_ms = services.outbox(catalog_key), services.clock()
    troubles, webhooks = outbox.troubles(), services.webhooks(catalog_key).all()
    return render_template(
        "followers.html",
        catalog_key=catalog_key,
        page="followers",
        cursors=[(report, lag_s(report, now_ms) * 1000) for report in services.cursors(catalog_key).all()],
        webhooks=[
            (webhook, webhook_state(webhook, troubles.get(webhook.id)), troubles.get(webhook.id))
            for webhook in webhooks
        ],
        waiting={webhook.id: outbox.waiting(webhook.id) for webhook in webhooks},
        urls={webhook.id: webhook.url for webhook in webhooks},
        deliveries=_deliveries(catalog_key, webhooks, outbox.attempts(DELIVERIES)),
        may_write=visitor().may_write(catalog_key),
        now_ms=now_ms,
        spans=SPANS,
        overlaps=OVERLAPS,
        secret_mark=secret_mark,
        queued=session.pop("queued", None),
        live="idle",
    )


def _deliveries(catalog_key: str, webhooks: Sequence[Webhook], attempts: Sequence[Attempt]) -> list[DeliveryLine]:
    known = {webhook.id: webhook for webhook in webhooks}
    task_ids = sorted({attempt.task_id for attempt in attempts if attempt.task_id != PING})
    tasks = dict(zip(task_ids, current_services().tasks(catalog_key).get_many(task_ids), strict=True))
    return [DeliveryLine(attempt, _request(catalog_key, attempt, known, tasks)) for attempt in attempts]


def _request(
    catalog_key: str, attempt: Attempt, webhooks: Mapping[str, Webhook], tasks: Mapping[int, Task | None]
) -> str | None:
    """Write the request of an attempt once more, without its signatures: it follows from the task, which has ended."""
    webhook, task = webhooks.get(attempt.target), tasks.get(attempt.task_id)
    if attempt.target == MAIL or (attempt.error or "").startswith(TOO_LATE) or webhook is None:
        return None
    if attempt.task_id == PING:
        name, body = ping_id(catalog_key, webhook.id, attempt.at_ms), ping_body(catalog_key, attempt.at_ms)
    elif task is not None:
        name, body = message_id(catalog_key, task), webhook_body(catalog_key, task)
    else:
        return None
    headers = unsigned_headers(name, attempt.at_ms // 1000) | {"webhook-signature": "v1,(hidden)"}
    # Attempts of an older version do not tell where they went.
    lines = [
        *([f"POST {attempt.url}"] if attempt.url else []),
        *(f"{header}: {value}" for header, value in headers.items()),
        "",
        body.decode(),
    ]
    return "\n".join(lines)
