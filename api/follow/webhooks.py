"""``/v1/webhooks``: manage webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify

from api.entries.json_body import parse_json
from api.errors import Invalid, NotFound, Problem
from api.follow import docs as described_webhooks
from api.follow.schemas import NewWebhook, SecretRotation, WebhookChange
from api.http.auth import authorize, caller
from api.http.bodies import read_json_body
from api.http.idempotency import note_repeat, read_idempotency_key
from api.openapi.describe import describe
from api.schemas.base import load_body
from api.services import current_services
from shared.clock import iso
from shared.outbox.outbox import Outbox, Trouble
from shared.outbox.webhooks import BadWebhook, Webhook

#: Ids are longer than any other word at this place of a path.
ONE = "/<string(minlength=11):webhook_id>"

_LISTS = ("statuses", "kinds", "sections", "notification_emails")

blueprint = Blueprint("webhooks", __name__, url_prefix="/v1/webhooks")
blueprint.before_request(authorize)


@blueprint.get("")
@describe(described_webhooks.LIST)
def get_list() -> Response:
    services, catalog_key = current_services(), caller().catalog_key
    outbox = services.outbox(catalog_key)
    troubles = outbox.troubles()
    return jsonify(webhooks=[_listed(webhook, troubles, outbox) for webhook in services.webhooks(catalog_key).all()])


@blueprint.post("")
@describe(described_webhooks.MAKE)
def post() -> Response:
    """Create a webhook; its secret is only in this response and in those to its repeats."""
    options = load_body(NewWebhook, parse_json(read_json_body()))
    services = current_services()
    try:
        webhook, repeated = services.webhooks(caller().catalog_key).add_once(
            options["url"],
            private=services.settings.webhook_private == "allow",
            now_ms=services.clock(),
            idempotency=read_idempotency_key(options),
            **_wishes(options),
        )
    except BadWebhook as problem:
        raise Invalid(Problem("url", str(problem))) from None
    note_repeat(repeated)
    return jsonify(_shown(webhook) | {"secret": webhook.secret})


@blueprint.patch(ONE)
@describe(described_webhooks.CHANGE)
def patch(webhook_id: str) -> Response:
    """Change a webhook; resuming it ends its rest, and clears its failures."""
    options = load_body(WebhookChange, parse_json(read_json_body()))
    services, catalog_key = current_services(), caller().catalog_key
    wishes = _wishes(options) | ({"url": options["url"]} if "url" in options else {})
    try:
        webhook, repeated = services.webhooks(catalog_key).change_once(
            webhook_id,
            private=services.settings.webhook_private == "allow",
            idempotency=read_idempotency_key(options),
            **wishes,
        )
    except BadWebhook as problem:
        raise Invalid(Problem("url", str(problem))) from None
    note_repeat(repeated)
    outbox = services.outbox(catalog_key)
    if webhook and options.get("paused") is False:
        outbox.forget_trouble(webhook_id, services.clock())
    return jsonify(_listed(found(webhook), outbox.troubles(), outbox))


@blueprint.post(f"{ONE}/secret")
@describe(described_webhooks.ROTATE)
def post_secret(webhook_id: str) -> Response:
    """Rotate a secret; it is only in this response and in those to its repeats."""
    options = load_body(SecretRotation, parse_json(read_json_body()))
    services = current_services()
    webhook, repeated = services.webhooks(caller().catalog_key).rotate_once(
        webhook_id,
        now_ms=services.clock(),
        overlap_ms=options["overlap_hours"] * 3_600_000,
        idempotency=read_idempotency_key(options),
    )
    note_repeat(repeated)
    webhook = found(webhook)
    return jsonify(_shown(webhook) | {"secret": webhook.secret})


@blueprint.delete(ONE)
@describe(described_webhooks.REMOVE)
def delete(webhook_id: str) -> Response:
    webhooks = current_services().webhooks(caller().catalog_key)
    is_gone, repeated = webhooks.remove_once(webhook_id, idempotency=read_idempotency_key({}))
    if not is_gone:
        raise NotFound("webhook not found")
    note_repeat(repeated)
    return get_list()


def found(webhook: Webhook | None) -> Webhook:
    """Return a webhook that is there.  Raises NotFound."""
    if webhook is None:
        raise NotFound("webhook not found")
    return webhook


def _wishes(options: Mapping[str, Any]) -> dict[str, Any]:
    """Pick what a request says of a webhook, but for its URL."""
    wishes = {name: tuple(options[name]) for name in _LISTS if name in options}
    return wishes | ({"paused": options["paused"]} if "paused" in options else {})


def _shown(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "created_at": iso(webhook.created_ms),
        **{name: list(getattr(webhook, name)) for name in _LISTS},
        "paused": webhook.paused,
    }


def _listed(webhook: Webhook, troubles: Mapping[str, Trouble], outbox: Outbox) -> dict[str, Any]:
    trouble, waiting = troubles.get(webhook.id), outbox.waiting(webhook.id)
    shown = _shown(webhook) | {"state": webhook_state(webhook, trouble), "waiting": waiting}
    if trouble is not None:
        shown["trouble"] = {"failures": trouble.failures, "since": iso(trouble.since_ms), "reason": trouble.reason}
    return shown


def webhook_state(webhook: Webhook, trouble: Trouble | None) -> str:
    """Name the state of a webhook."""
    if webhook.paused:
        return "paused"
    if trouble is None:
        return "ok"
    return "given_up" if trouble.given_up else "failing"
