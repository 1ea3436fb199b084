"""``/v1/webhooks``: whom to tell when tasks end, and what came of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, request

from api import described_webhooks
from api.auth import authorize, caller
from api.bodies import read_json_body
from api.describing import describe
from api.errors import Invalid, NotFound, Problem
from api.json_bodies import parse_json
from api.schemas import DeliveriesQuery, NewWebhook, load_body, load_query
from api.services import services
from shared.clock import iso
from shared.outbox import Attempt
from shared.webhooks import BadWebhook, Webhook

blueprint = Blueprint("webhooks", __name__, url_prefix="/v1/webhooks")
blueprint.before_request(authorize)


@blueprint.get("")
@describe(described_webhooks.LIST)
def get_list() -> Response:
    return jsonify(webhooks=list(map(_shown, services().webhooks(caller().catalog_key).all())))


@blueprint.post("")
@describe(described_webhooks.MAKE)
def post() -> Response:
    """Make a webhook; its secret is in this answer and in no other."""
    url = load_body(NewWebhook, parse_json(read_json_body()))["url"]
    tools = services()
    try:
        webhook = tools.webhooks(caller().catalog_key).add(
            url, private=tools.settings.webhook_private == "allow", now_ms=tools.clock()
        )
    except BadWebhook as problem:
        raise Invalid(Problem("url", str(problem))) from None
    return jsonify(_shown(webhook) | {"secret": webhook.secret})


# Ids are longer than any other word that stands in their place in a path.
@blueprint.delete("/<string(minlength=11):webhook_id>")
@describe(described_webhooks.REMOVE)
def delete(webhook_id: str) -> Response:
    if not services().webhooks(caller().catalog_key).remove(webhook_id):
        raise NotFound("webhook not found")
    return get_list()


@blueprint.get("/deliveries")
@describe(described_webhooks.DELIVERIES)
def get_deliveries() -> Response:
    """Tell of the last attempts to deliver, newest first; mail is among them."""
    size = load_query(DeliveriesQuery, request.args)["num_results_per_page"]
    return jsonify(deliveries=list(map(_attempt, services().outbox(caller().catalog_key).attempts(size))))


def _shown(webhook: Webhook) -> dict[str, Any]:
    return {"id": webhook.id, "url": webhook.url, "created_at": iso(webhook.created_ms)}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    shown = asdict(attempt)
    at_ms, next_ms = shown.pop("at_ms"), shown.pop("next_ms")
    shown |= {"attempt": shown.pop("number"), "at": iso(at_ms), "next_attempt": next_ms and iso(next_ms)}
    return {name: value for name, value in shown.items() if value is not None}
