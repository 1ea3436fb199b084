"""Query parameters that several calls share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, validate, validates_schema

from api.schemas import fields, query_fields
from api.schemas.base import Query
from api.schemas.fields import between, length
from api.schemas.wait import QueryWait
from api.waiters import MAX_WAIT_S
from shared.model import OnInvalid, OnMissing

#: Task ids, pages and offsets are int32 in the public contract.
MAX_INT32 = 2**31 - 1

#: The section of whatever names none.
DEFAULT_SECTION = "Products"
NO_SECTION_OF_GROUPS = "item groups belong to the key, not to a section"


# --- queries ---------------------------------------------------------------------------------------------------------


class MailAddress(validate.Email):
    """An address that every mail server takes: not all know letters beyond ASCII before the @."""

    def __call__(self, value: str) -> str:
        user, _, _ = super().__call__(value).rpartition("@")
        if not user.isascii():
            raise ValidationError(self._format_error(value))
        return value


class WaitQuery(Query):
    """Parameters of a request that may wait for a task to end."""

    #: None: do not wait, and leave the task out of the answer.
    wait = QueryWait(
        load_default=None,
        allow_none=False,
        validate=between(0, MAX_WAIT_S),
        metadata={
            "description": "Seconds to wait for the task to end. The answer comes when it has ended or the time is "
            "up, with the task as it is then; at once if too many requests wait already. `indexed`: up to 30 seconds, "
            "and until every required sink has the task, which `index_built` says."
        },
    )


def section_or_default() -> fields.Text:
    return fields.Text(
        load_default=DEFAULT_SECTION, validate=length(1, 100), metadata={"description": "The section of the catalog."}
    )


def on_invalid_choice() -> fields.Choice:
    """Declare what a write does with an entry that breaks the rules."""
    return fields.Choice(
        list(OnInvalid),
        load_default=OnInvalid.REJECT,
        metadata={
            "description": "What to do with an entry that breaks the rules: `REJECT` refuses the whole request; "
            "`SKIP` applies the others and names the entry in the task (warning `INVALID_ENTRY`, outcome `failed`). "
            "If all entries break the rules, the answer is 400."
        },
    )


def on_missing_choice() -> fields.Choice:
    """Declare what a PATCH does with an id that does not exist."""
    return fields.Choice(
        [OnMissing.CREATE, OnMissing.IGNORE, OnMissing.FAIL],
        load_default=OnMissing.FAIL,
        metadata={
            "description": "What to do with an id that does not exist: `FAIL` fails the whole task and nothing "
            "changes; `IGNORE` skips the entry; `CREATE` creates it, which requires the fields of a PUT and allows "
            "no list edits."
        },
    )


def page_size(default: int, *, most: int) -> query_fields.QueryInteger:
    """Declare the size of a page."""
    return query_fields.QueryInteger(
        load_default=default,
        validate=between(1, most),
        metadata={"description": "Most results on a page."},
    )


class SectionQuery(Query):
    """Parameters that name one entry, besides its id."""

    section = section_or_default()


class GroupSection(Query):
    """Parameters of a call about item groups: of sections only the default, which clients may send."""

    section = fields.Text(
        validate=validate.Equal(DEFAULT_SECTION, error=NO_SECTION_OF_GROUPS),
        metadata={"description": "Item groups have no section; only the default is accepted."},
    )


#: Addresses that one write may have mailed.
MAX_ADDRESSES = 10


class SubmittingQuery(WaitQuery):
    """Parameters of every request that becomes a task."""

    section = section_or_default()
    force = query_fields.QueryFlag(
        load_default=False,
        metadata={
            "description": "Waive the safeguard: without it, a task that would delete more than half of the items, "
            "variations or item groups fails. Waives what guards say about shares too, but neither required fields nor "
            "a schema."
        },
    )
    force_reason = fields.Text(
        load_default="",
        validate=length(None, 200),
        metadata={"description": "Why the task is forced, for those who look at it later. Shown in the task."},
    )
    notification_emails = fields.ListOf(
        fields.Text(validate=MailAddress(error="value is not a valid email address")),
        data_key="notification_email",
        load_default=list,
        validate=length(None, MAX_ADDRESSES, "items"),
        metadata={"description": "Address that gets an e-mail if the task fails. Repeatable, ten times at most."},
    )


class PagedQuery(Query):
    """Pages by number or by offset, not both.  Without either, the first page; both are None if not sent."""

    page = query_fields.QueryInteger(
        load_default=None,
        allow_none=False,
        validate=between(1, MAX_INT32),
        metadata={"description": "Number of the page, from 1. Not together with `offset`."},
    )
    offset = query_fields.QueryInteger(
        load_default=None,
        allow_none=False,
        validate=between(0, MAX_INT32),
        metadata={"description": "Number of results to skip. Not together with `page`."},
    )

    #: Parameters of which a request may have only one.
    exclusive: tuple[str, ...] = ("offset", "page")

    @validates_schema(skip_on_field_errors=False, pass_original=True)
    def refuse_two_pagings(self, _: Any, original: Mapping[str, Any], **__: Any) -> None:
        """Refuse a request with two starting points."""
        sent = [name for name in self.exclusive if name in original]
        if len(sent) > 1:
            raise ValidationError(f"{', '.join(sent)} are mutually exclusive")


def offset_of(query: dict[str, Any], size: int) -> int | None:
    """Return the offset of a page; None if the request names neither page nor offset."""
    if query["page"] is not None:
        return int((query["page"] - 1) * size)
    return None if query["offset"] is None else int(query["offset"])
