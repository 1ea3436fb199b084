"""What webhooks say of themselves, and what answers about them look like."""

from __future__ import annotations

from marshmallow import fields as ma

from api import fields
from api.answer_schemas import count, moment, positive
from api.describing import Answer, Description, JsonBody, Tag
from api.entry_schemas import Strict
from api.schemas import DeliveriesQuery, NewWebhook
from shared.outbox import Told


class Webhook(Strict):
    """Who is told when tasks end."""

    id = fields.Text(required=True)
    url = fields.Text(required=True)
    created_at = moment()


class MadeWebhook(Webhook):
    """A webhook that was just made."""

    secret = fields.Text(required=True)


class WebhookList(Strict):
    """All webhooks of a catalog, oldest first."""

    webhooks = fields.ListOf(fields.Object(Webhook), required=True)


class Delivery(Strict):
    """An attempt to tell somebody."""

    task_id = positive(required=True)
    target = fields.Text(required=True)
    attempt = positive(required=True)
    at = moment()
    took_ms = count()
    outcome = fields.Choice(list(Told), required=True)
    status_code = ma.Integer()
    error = fields.Text()
    next_attempt = ma.DateTime()


class DeliveryList(Strict):
    """The last attempts, newest first."""

    deliveries = fields.ListOf(fields.Object(Delivery), required=True)


_TIME = "2026-01-31T12:00:00Z"
_URL = "https://shop.example/sluice"
_WEBHOOK = {"id": "wh_0123456789ab", "url": _URL, "created_at": _TIME}

LIST = Description(
    "List webhooks",
    Tag.WEBHOOKS,
    {200: Answer("All of them, without their secrets.", WebhookList, {"webhooks": [_WEBHOOK]})},
)
MAKE = Description(
    "Make a webhook",
    Tag.WEBHOOKS,
    {
        200: Answer(
            "The webhook, with its secret, which is shown only now.",
            MadeWebhook,
            {**_WEBHOOK, "secret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="},
        )
    },
    text=(
        "It is called with `task.done`, `task.failed` or `task.canceled` for every task that ends from now on, signed "
        "as Standard Webhooks says; at least once, each time with the same `webhook-id`. Anything but a 2xx is tried "
        "again later, for a day."
    ),
    body=JsonBody(NewWebhook, {"url": _URL}),
)
REMOVE = Description(
    "Remove a webhook",
    Tag.WEBHOOKS,
    {200: Answer("Those that are left.", WebhookList, {"webhooks": []})},
    text="What it was still to be told is dropped.",
    errors=(404,),
)
DELIVERIES = Description(
    "Read what came of webhooks and mail",
    Tag.WEBHOOKS,
    {
        200: Answer(
            "The last attempts, a thousand at most, newest first.",
            DeliveryList,
            {
                "deliveries": [
                    {
                        "task_id": 7,
                        "target": "wh_0123456789ab",
                        "attempt": 1,
                        "at": _TIME,
                        "took_ms": 31,
                        "outcome": "failed",
                        "status_code": 503,
                        "error": "answered with 503",
                        "next_attempt": "2026-01-31T12:00:05Z",
                    }
                ]
            },
        )
    },
    query=DeliveriesQuery,
)
