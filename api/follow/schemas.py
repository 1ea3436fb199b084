"""Schemas of requests to the change feed and to webhooks."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from marshmallow import ValidationError

from api.schemas import fields, query_fields
from api.schemas.base import Query, Strict
from api.schemas.fields import between, length
from api.schemas.queries import MAX_ADDRESSES, MAX_INT32, MailAddress, page_size
from api.waiters import MAX_WAIT_S
from shared.model import TERMINAL, Kind
from shared.store.positions import Position


class FeedPosition(fields.Text):
    """A position that the feed, or a page of entries, has told; or the id of a task."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        try:
            return Position.read(super()._deserialize(value, attr, data, **kwargs))
        except ValueError:
            raise ValidationError("value is not a position of ours") from None


class CursorPut(Strict):
    """A position to keep."""

    after = FeedPosition(
        required=True,
        metadata={
            "description": "A position that the feed, or the first page of a walk, has told; `0`: the beginning."
        },
    )


class Included(StrEnum):
    """What a page of the feed has besides ids."""

    ENTRIES = "entries"


class ChangesQuery(Query):
    """Parameters of the change feed."""

    after = FeedPosition(
        load_default=None,
        allow_none=False,
        metadata={
            "description": "Return only changes after this position, or after the task of this id; "
            "by default from the first task on."
        },
    )
    cursor = fields.Text(
        load_default=None,
        allow_none=False,
        metadata={"description": "Return only changes after the position of this cursor; not with `after`."},
    )
    section = fields.Text(
        load_default=None,
        allow_none=False,
        validate=length(1, 100),
        metadata={"description": "Return only changes in this section."},
    )
    kinds = fields.ListOf(
        fields.Choice(list(Kind)),
        load_default=lambda: list(Kind),
        metadata={"description": "Return only changes of entries of this kind. Repeatable."},
    )
    include = fields.ListOf(
        fields.Choice(list(Included)),
        load_default=list,
        metadata={
            "description": "`entries`: return each entry as it is, as `entry`; null if it does not exist. "
            "A page then ends with about 1,000 entries."
        },
    )
    wait = query_fields.QueryInteger(
        load_default=0,
        allow_none=False,
        validate=between(0, MAX_WAIT_S),
        metadata={
            "description": "Seconds to wait for a change if there is none; at once if too many requests wait already."
        },
    )
    num_results_per_page = page_size(100, most=1000)


class WebhookWishes(Strict):
    """What may be said of a webhook at any time."""

    statuses = fields.ListOf(
        fields.Choice(sorted(TERMINAL)),
        metadata={"description": "Call it only for tasks that end so; empty: for all."},
    )
    kinds = fields.ListOf(
        fields.Choice(list(Kind)),
        metadata={"description": "Call it only for tasks with entries of these kinds; empty: for all."},
    )
    sections = fields.ListOf(
        fields.Text(validate=length(1, 100)),
        validate=length(None, 100, "items"),
        metadata={"description": "Call it only for tasks in these sections; empty: for all."},
    )
    paused = fields.Flag(
        metadata={
            "description": "While true, nothing is sent; what waits is kept for a day. False also begins again after "
            "it was given up."
        }
    )
    notification_emails = fields.ListOf(
        fields.Text(validate=MailAddress(error="value is not a valid email address")),
        validate=length(None, MAX_ADDRESSES, "items"),
        metadata={"description": "Who gets a mail when the webhook is given up."},
    )


def _url(*, required: bool) -> fields.Text:
    return fields.Text(
        required=required,
        validate=length(1, 2000),
        metadata={
            "description": "`https://` or `http://`. Private addresses are refused unless a setting allows them."
        },
    )


class NewWebhook(WebhookWishes):
    """A new webhook, called when tasks end."""

    url = _url(required=True)


class WebhookChange(WebhookWishes):
    """What changes about a webhook; what is left out stays."""

    url = _url(required=False)


class SecretRotation(Strict):
    """How to rotate a secret."""

    overlap_hours = fields.WholeNumber(
        load_default=24,
        validate=between(0, 168),
        metadata={"description": "Hours for which calls are signed with the old secret too."},
    )


class Resending(Strict):
    """Which tasks to tell of once more: either one, or those since a time."""

    task_id = fields.WholeNumber(
        validate=between(1, MAX_INT32), metadata={"description": "This task, which must have ended."}
    )
    since = fields.Moment(
        metadata={"description": "Tasks that ended then or later, except those that the delivery log has as delivered."}
    )


class DeliveriesQuery(Query):
    """Parameters of the delivery log."""

    num_results_per_page = page_size(100, most=1000)
