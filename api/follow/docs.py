"""OpenAPI descriptions of webhooks, with the schemas of their answers."""

from __future__ import annotations

from marshmallow import fields as ma

from api.follow.schemas import DeliveriesQuery, NewWebhook, Resending, SecretRotation, WebhookChange
from api.openapi.answers import count, moment, positive
from api.openapi.describe import Answer, Description, JsonBody, Tag
from api.schemas import fields
from api.schemas.base import Strict
from shared.model import TERMINAL, Kind
from shared.outbox.outbox import DeliveryOutcome


class WebhookSchema(Strict):
    """A webhook, called when tasks end."""

    id = fields.Text(required=True)
    url = fields.Text(required=True)
    created_at = moment()
    statuses = fields.ListOf(fields.Choice(sorted(TERMINAL)), required=True)
    kinds = fields.ListOf(fields.Choice(list(Kind)), required=True)
    sections = fields.ListOf(fields.Text(), required=True)
    notification_emails = fields.ListOf(fields.Text(), required=True)
    paused = fields.Flag(required=True)


class MadeWebhook(WebhookSchema):
    """A webhook that was just created."""

    secret = fields.Text(required=True, metadata={"description": "The signing key: `whsec_`, then base64."})


class WebhookTrouble(Strict):
    """The current failures of a webhook."""

    failures = positive(required=True, description="Failed attempts in a row.")
    since = moment(description="Time of the first of them.")
    reason = fields.Text(required=True, metadata={"description": "Why the last attempt failed."})


class ListedWebhook(WebhookSchema):
    """A webhook and its state."""

    state = fields.Text(required=True, metadata={"enum": ["ok", "failing", "given_up", "paused"]})
    waiting = count(description="Deliveries that wait.")
    trouble = fields.Object(WebhookTrouble, metadata={"description": "Present if the last call failed."})


class WebhookList(Strict):
    """All webhooks of a catalog, oldest first."""

    webhooks = fields.ListOf(fields.Object(ListedWebhook), required=True)


class Delivery(Strict):
    """An attempt to deliver a notification."""

    task_id = positive(description="The task that ended; absent for a ping.")
    target = fields.Text(required=True, metadata={"description": "A webhook's id, or `mail`."})
    url = fields.Text(metadata={"description": "What was called; absent for a mail, and where nothing was called."})
    attempt = positive(required=True, description="Number of the attempt, from 1.")
    at = moment()
    took_ms = count(description="Duration in milliseconds.")
    outcome = fields.Choice(
        list(DeliveryOutcome),
        required=True,
        metadata={"description": "`failed` attempts are repeated later, `given_up` ones are not."},
    )
    status_code = ma.Integer(metadata={"description": "Status of the response, if there was one."})
    error = fields.Text(metadata={"description": "Why it failed."})
    answer = fields.Text(metadata={"description": "Beginning of the body of a response that was no success."})
    next_attempt = ma.DateTime(metadata={"description": "When it is tried again."})


class DeliveryList(Strict):
    """The last attempts, newest first."""

    deliveries = fields.ListOf(fields.Object(Delivery), required=True)


class QueuedDeliveries(Strict):
    """What was queued."""

    queued = count(description="Number of calls.")
    more_since = ma.DateTime(metadata={"description": "Present if there are more: send it as `since`."})


_TIME = "2026-01-31T12:00:00Z"
_URL = "https://shop.example/sluice"
_WEBHOOK = {
    "id": "wh_0123456789ab",
    "url": _URL,
    "created_at": _TIME,
    "statuses": ["FAILED"],
    "kinds": [],
    "sections": [],
    "notification_emails": [],
    "paused": False,
}
_LISTED = _WEBHOOK | {"state": "ok", "waiting": 0}

LIST = Description(
    "List webhooks",
    Tag.WEBHOOKS,
    {200: Answer("All of them, without their secrets.", WebhookList, {"webhooks": [_LISTED]})},
)
MAKE = Description(
    "Create a webhook",
    Tag.WEBHOOKS,
    {
        200: Answer(
            "The webhook, with its secret, which is shown only now and to repeats.",
            MadeWebhook,
            {**_WEBHOOK, "secret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="},
        )
    },
    text=(
        "Called with `task.done`, `task.failed` or `task.canceled` for every task that ends from now on, signed "
        "according to Standard Webhooks. Delivery is at least once, each time with the same `webhook-id`; any response "
        "but a 2xx is retried for a day."
    ),
    body=JsonBody(NewWebhook, {"url": _URL, "statuses": ["FAILED"]}),
)
CHANGE = Description(
    "Change a webhook, pause or resume it",
    Tag.WEBHOOKS,
    {200: Answer("The webhook as it is now.", ListedWebhook, _LISTED)},
    text="What is left out stays as it is.",
    body=JsonBody(WebhookChange, {"paused": True}),
    errors=(404,),
)
ROTATE = Description(
    "Rotate the secret of a webhook",
    Tag.WEBHOOKS,
    {
        200: Answer(
            "The webhook, with its new secret, which is shown only now and to repeats.",
            MadeWebhook,
            {**_WEBHOOK, "secret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="},
        )
    },
    text="Until the overlap is over, calls have two signatures.",
    body=JsonBody(SecretRotation, {"overlap_hours": 24}),
    errors=(404,),
)
PING = Description(
    "Call a webhook now",
    Tag.WEBHOOKS,
    {200: Answer("A ping is queued.", QueuedDeliveries, {"queued": 1})},
    text=(
        "Sends a signed `webhook.ping`, once, before all that waits, and also if the webhook is paused or given up. "
        "What comes of it is in the deliveries, without a `task_id`."
    ),
    errors=(404,),
)
RESEND = Description(
    "Call a webhook once more",
    Tag.WEBHOOKS,
    {200: Answer("The calls are queued.", QueuedDeliveries, {"queued": 12})},
    text=(
        "Tells of one ended task, or of those that ended since a time and are not known to be delivered, at most "
        "1,000. Each has the same `webhook-id` as before. A webhook that was failing or given up begins anew."
    ),
    body=JsonBody(Resending, {"since": _TIME}),
    errors=(404,),
)
REMOVE = Description(
    "Remove a webhook",
    Tag.WEBHOOKS,
    {200: Answer("The remaining webhooks.", WebhookList, {"webhooks": []})},
    text="Its pending deliveries are dropped.",
    errors=(404,),
)
DELIVERIES = Description(
    "List deliveries of webhooks and e-mails",
    Tag.WEBHOOKS,
    {
        200: Answer(
            "The last attempts, at most 1,000, newest first.",
            DeliveryList,
            {
                "deliveries": [
                    {
                        "task_id": 7,
                        "target": "wh_0123456789ab",
                        "url": "https://shop.example/hook",
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
