"""What can be done about a webhook on the *Followers* page: ping, pause, resume, resend, rotate its secret."""

from __future__ import annotations

import structlog
from flask import Blueprint, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response as AnyResponse

from api.dashboard.guard import writable
from api.dashboard.visitors import visitor
from api.errors import Conflict, Invalid, NotFound, Problem
from api.http.idempotency import digest_parts
from api.services import current_services
from shared.credentials import digest_of
from shared.idempotency import IdempotencyKey
from shared.model import TERMINAL
from shared.outbox import resends
from shared.outbox.webhooks import Webhook

log = structlog.get_logger()

HOUR_MS = 3600 * 1000
#: Hours back from which on it is told again of what it missed, as the form offers them.
SPANS = {"1": "the last hour", "24": "the last day", "72": "the last three days", "168": "the last week"}
#: Hours for which calls are signed with the old secret too.
OVERLAPS = {"0": "no longer", "1": "for an hour", "24": "for a day", "168": "for a week"}


def register(blueprint: Blueprint) -> None:
    one = "/c/<catalog_key>/webhooks/<webhook_id>"
    for name, view in (
        ("ping", post_ping), ("pause", post_pause), ("resume", post_resume), ("resend", post_resend),
        ("secret", post_secret),
    ):  # fmt: skip
        blueprint.add_url_rule(f"{one}/{name}", view.__name__, view, methods=["POST"])


def post_ping(catalog_key: str, webhook_id: str) -> AnyResponse:
    services, webhook = current_services(), _webhook(catalog_key, webhook_id)
    resends.ping(services.client, catalog_key, webhook, now_ms=services.clock())
    return _done(catalog_key, webhook, "pinged")


def post_pause(catalog_key: str, webhook_id: str) -> AnyResponse:
    webhook = _webhook(catalog_key, webhook_id)
    _set_paused(catalog_key, webhook, paused=True)
    return _done(catalog_key, webhook, "paused")


def post_resume(catalog_key: str, webhook_id: str) -> AnyResponse:
    """End its pause, or its rest after failures; also begin again after it was given up."""
    webhook = _webhook(catalog_key, webhook_id)
    _set_paused(catalog_key, webhook, paused=False)
    current_services().outbox(catalog_key).forget_trouble(webhook.id, current_services().clock())
    return _done(catalog_key, webhook, "resumed")


def post_resend(catalog_key: str, webhook_id: str) -> AnyResponse:
    """Tell of one task once more, or of all that it missed."""
    services, webhook = current_services(), _webhook(catalog_key, webhook_id)
    if webhook.paused:
        raise Conflict("The webhook is paused: resume it first.")
    now_ms, hours, since = services.clock(), request.form.get("hours", ""), request.form.get("since_ms", "")
    task_id = request.form.get("task_id", "")
    if hours in SPANS or _is_number(since, 15):
        since_ms = int(since) if since else now_ms - int(hours) * HOUR_MS
        queued = resends.resend_since(services.client, catalog_key, webhook, since_ms, now_ms=now_ms)
    elif _is_number(task_id, 10):
        task = services.tasks(catalog_key).get(int(task_id))
        if task is None or task.status not in TERMINAL:
            raise NotFound(f"There is no ended update {task_id} in this catalog, or no longer.")
        queued = resends.resend(services.client, catalog_key, webhook, task.id, now_ms=now_ms)
    else:
        raise Invalid(Problem("hours", f"one of {', '.join(SPANS)}, or a task"))
    # Told on the next page.
    session["queued"] = {"webhook_id": webhook.id, "tasks": queued.tasks, "until_ms": queued.until_ms}
    return _done(catalog_key, webhook, "told again")


def post_secret(catalog_key: str, webhook_id: str) -> str:
    """Rotate the secret and show the new one, once."""
    services, webhook = current_services(), _webhook(catalog_key, webhook_id)
    hours = request.form.get("overlap", "24")
    if hours not in OVERLAPS:
        raise Invalid(Problem("overlap", f"one of {', '.join(OVERLAPS)}"))
    # A form that is sent twice rotates once: the receiver has been told of neither of two new secrets.
    of = request.form.get("of") or secret_mark(webhook)
    scope = digest_parts(b"page", webhook.id.encode(), of.encode())
    new, repeated = services.webhooks(catalog_key).rotate_once(
        webhook.id, now_ms=services.clock(), overlap_ms=int(hours) * HOUR_MS,
        idempotency=IdempotencyKey(scope, "rotation"),
    )  # fmt: skip
    if new is None:
        raise _gone(webhook_id)
    if not repeated:
        _note(catalog_key, webhook, "secret rotated")
    return render_template(
        "secret_made.html", catalog_key=catalog_key, page="followers", webhook=new, overlap=OVERLAPS[hours]
    )


def _is_number(text: str, digits: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= digits


def secret_mark(webhook: Webhook) -> str:
    """Name the secret that a form rotates, without telling it."""
    return digest_of(webhook.secret)[:16]


def _set_paused(catalog_key: str, webhook: Webhook, *, paused: bool) -> None:
    private = current_services().settings.webhook_private == "allow"
    changed, _ = current_services().webhooks(catalog_key).change_once(webhook.id, private=private, paused=paused)
    if changed is None:
        raise _gone(webhook.id)


def _webhook(catalog_key: str, webhook_id: str) -> Webhook:
    found = current_services().webhooks(writable(catalog_key)).get(webhook_id)
    if found is None:
        raise _gone(webhook_id)
    return found


def _gone(webhook_id: str) -> NotFound:
    return NotFound(f"There is no webhook {webhook_id} of this catalog, or no longer.")


def _done(catalog_key: str, webhook: Webhook, what: str) -> AnyResponse:
    _note(catalog_key, webhook, what)
    return redirect(url_for("dashboard.get_followers", catalog_key=catalog_key), 303)


def _note(catalog_key: str, webhook: Webhook, what: str) -> None:
    log.info(f"webhook {what}", action="webhooks", catalog_key=catalog_key, webhook=webhook.id, by=visitor().name)
