"""``/v1/webhooks``: list deliveries, and call a webhook on request."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request

from api.entries.json_body import parse_json
from api.errors import Conflict, Invalid, NotFound, Problem
from api.follow import docs as described_webhooks
from api.follow.schemas import DeliveriesQuery, Resending
from api.follow.webhooks import ONE, found
from api.http.auth import authorize, caller
from api.http.bodies import read_json_body
from api.http.idempotency import note_repeat, read_idempotency_key
from api.openapi.describe import describe
from api.schemas.base import load_body, load_query
from api.services import current_services
from shared.clock import iso
from shared.model import TERMINAL
from shared.outbox import resends
from shared.outbox.outbox import Attempt
from shared.outbox.webhooks import Webhook

blueprint = Blueprint("deliveries", __name__, url_prefix="/v1/webhooks")
blueprint.before_request(authorize)


@blueprint.get("/deliveries")
@describe(described_webhooks.DELIVERIES)
def get_deliveries() -> Response:
    """List the last delivery attempts, of e-mails too, newest first."""
    size = load_query(DeliveriesQuery, request.args)["num_results_per_page"]
    return jsonify(deliveries=list(map(_attempt, current_services().outbox(caller().catalog_key).attempts(size))))


@blueprint.post(f"{ONE}/ping")
@describe(described_webhooks.PING)
def post_ping(webhook_id: str) -> Response:
    """Queue a ping; a worker sends it within a second."""
    services, catalog_key, key = current_services(), caller().catalog_key, read_idempotency_key({})
    repeated = resends.ping(
        services.client, catalog_key, _webhook(webhook_id), now_ms=services.clock(), idempotency=key
    )
    note_repeat(repeated)
    return jsonify(queued=1)


@blueprint.post(f"{ONE}/resend")
@describe(described_webhooks.RESEND)
def post_resend(webhook_id: str) -> Response:
    """Queue calls for one ended task, or for those since a time that are not known to be delivered."""
    options = load_body(Resending, parse_json(read_json_body()))
    if len(options) != 1:
        raise Invalid(Problem("body", "say either task_id or since"))
    services, catalog_key = current_services(), caller().catalog_key
    webhook = _webhook(webhook_id)
    if webhook.paused:
        raise Conflict("The webhook is paused: resume it first.")
    key = read_idempotency_key({name: str(value) for name, value in options.items()})
    if "since" in options:
        resend, which = resends.resend_since, _ms(options["since"])
    else:
        resend, which = resends.resend, options["task_id"]
        _refuse_unless_ended(which)
    queued = resend(services.client, catalog_key, webhook, which, now_ms=services.clock(), idempotency=key)
    note_repeat(queued.repeated)
    more = {} if queued.until_ms is None else {"more_since": _exactly(queued.until_ms)}
    return jsonify(queued=queued.tasks, **more)


def _ms(moment: datetime) -> int:
    """Count the milliseconds of a moment, UTC unless it says otherwise."""
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)


def _exactly(ms: int) -> str:
    """Write a moment to the millisecond, so that what is sent again does not begin before it."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def _webhook(webhook_id: str) -> Webhook:
    return found(current_services().webhooks(caller().catalog_key).get(webhook_id))


def _refuse_unless_ended(task_id: int) -> None:
    task = current_services().tasks(caller().catalog_key).get(task_id)
    if task is None:
        raise NotFound(f"task {task_id} not found")
    if task.status not in TERMINAL:
        raise Invalid(Problem("task_id", f"task {task_id} has not ended"))


def _attempt(attempt: Attempt) -> dict[str, Any]:
    shown = asdict(attempt)
    at_ms, next_ms = shown.pop("at_ms"), shown.pop("next_ms")
    shown |= {"attempt": shown.pop("number"), "at": iso(at_ms), "next_attempt": next_ms and iso(next_ms)}
    shown["task_id"] = shown["task_id"] or None
    return {name: value for name, value in shown.items() if value is not None}
