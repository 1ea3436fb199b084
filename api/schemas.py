"""The rules of everything that is sent to us, declared once, with the messages of the contract.

Those of entries lie in ``entry_schemas``.  The OpenAPI document is written from all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, pre_load, validate, validates_schema

from api import fields
from api.entry_schemas import Strict
from api.errors import Invalid, Problem
from api.fields import between, length
from api.waiting import MAX_WAIT_S
from shared.model import CatalogPart, OnInvalid, OnMissing, Status
from shared.reports import EntryOutcome

#: Task ids, pages and offsets are int32 in the public contract.
MAX_INT32 = 2**31 - 1


# --- queries ---------------------------------------------------------------------------------------------------------


class Query(Schema):
    """Query parameters.  Those not declared are ignored: clients send their own (`c`, `_dt`, `i`, `s`, `ui`, `us`)."""

    class Meta:
        unknown = EXCLUDE

    @pre_load
    def take_values(self, args: Any, **_: Any) -> dict[str, Any]:
        """Take every value of a repeatable parameter, the first of any other."""
        if not hasattr(args, "getlist"):
            return dict(args)
        keys = {field.data_key or name: field for name, field in self.load_fields.items()}
        sent = {name: field for name, field in keys.items() if name in args}
        return {
            name: args.getlist(name) if isinstance(field, fields.ListOf) else args[name] for name, field in sent.items()
        }


class WaitQuery(Query):
    """What a request takes that may wait for a task to end."""

    #: Seconds; None: do not wait, and say nothing of the task.
    wait = fields.QueryInteger(load_default=None, allow_none=False, validate=between(0, MAX_WAIT_S))


class SyncQuery(WaitQuery):
    """What a write of V1 takes; what only V2 can do is refused, lest it be done otherwise."""

    dry_run = fields.QueryFlag(validate=validate.Equal(False, error="not available in V1"))
    on_invalid = fields.Choice([OnInvalid.REJECT])


def _section() -> fields.Text:
    return fields.Text(load_default="Products", validate=length(1, 100))


class SectionQuery(Query):
    """What names one entry, beside its id."""

    section = _section()


class ItemsV1Query(SyncQuery):
    """What a write of items takes in V1; the section may stand in the body instead."""

    section = _section()
    force = fields.QueryFlag(load_default=False)


class SubmittingQuery(WaitQuery):
    """What everything takes that becomes a task."""

    section = _section()
    force = fields.QueryFlag(load_default=False)
    notification_emails = fields.ListOf(
        fields.Text(validate=validate.Email(error="value is not a valid email address")),
        data_key="notification_email",
        load_default=list,
    )


class WriteQuery(SubmittingQuery):
    """What every write of entries takes."""

    on_invalid = fields.Choice(list(OnInvalid), load_default=OnInvalid.REJECT)
    dry_run = fields.QueryFlag(load_default=False)


class PatchQuery(WriteQuery):
    """What a PATCH takes beside."""

    on_missing = fields.Choice([OnMissing.CREATE, OnMissing.IGNORE, OnMissing.FAIL], load_default=OnMissing.FAIL)


class PagedQuery(Query):
    """Pages by number or by offset, not both.  Neither is the first page; both are None where they were not sent."""

    page = fields.QueryInteger(load_default=None, allow_none=False, validate=between(1, MAX_INT32))
    offset = fields.QueryInteger(load_default=None, allow_none=False, validate=between(0, MAX_INT32))

    #: Parameters of which a request may have one.
    exclusive: tuple[str, ...] = ("offset", "page")

    @validates_schema(skip_on_field_errors=False, pass_original=True)
    def refuse_two_pagings(self, _: Any, original: Mapping[str, Any], **__: Any) -> None:
        """Refuse a request that says twice where to begin."""
        sent = [name for name in self.exclusive if name in original]
        if len(sent) > 1:
            raise ValidationError(f"{', '.join(sent)} are mutually exclusive")


class ItemsQuery(PagedQuery):
    """What a list of items takes."""

    section = _section()
    ids = fields.ListOf(fields.Text(), data_key="id", load_default=list, validate=length(None, 1000, "items"))
    num_results_per_page = fields.QueryInteger(load_default=100, validate=between(1, 1000))
    next_page_cursor = fields.Text(load_default=None, allow_none=False, validate=length(1, 1000))

    exclusive = ("next_page_cursor", "offset", "page")


class VariationsQuery(ItemsQuery):
    """What a list of variations takes."""

    item_id = fields.Text(load_default=None, allow_none=False, validate=length(1, 250))


class GroupsQuery(PagedQuery):
    """What a list of item groups takes."""

    ids = fields.ListOf(fields.Text(), data_key="id", load_default=list, validate=length(None, 1000, "items"))
    num_results_per_page = fields.QueryInteger(load_default=20, validate=between(1, 100))


class TaskType(StrEnum):
    """The types of task that may be asked for; of those we do not have, there are none to find."""

    INGESTION = "ingestion"
    CATALOG_EXPORT = "catalog_export"
    #: The public service has such tasks, and its clients may ask for them.
    USER_DATA_REQUEST = "user_data_request"


class TasksQuery(PagedQuery):
    """What a list of tasks takes.  Days are UTC, both included."""

    num_results_per_page = fields.QueryInteger(load_default=20, validate=between(1, 100))
    statuses = fields.ListOf(fields.Choice(list(Status)), data_key="status", load_default=list)
    types = fields.ListOf(fields.Choice(list(TaskType)), data_key="type", load_default=list)
    start_date = fields.QueryDate(load_default=None, allow_none=False)
    end_date = fields.QueryDate(load_default=None, allow_none=False)


class EntriesQuery(PagedQuery):
    """What a report takes."""

    num_results_per_page = fields.QueryInteger(load_default=100, validate=between(1, 1000))
    outcome = fields.Choice(list(EntryOutcome), load_default=None, allow_none=False)


class ChangesQuery(Query):
    """What the change feed takes."""

    after = fields.QueryInteger(load_default=0, allow_none=False, validate=between(0, MAX_INT32))
    section = fields.Text(load_default=None, allow_none=False, validate=length(1, 100))
    num_results_per_page = fields.QueryInteger(load_default=100, validate=between(1, 1000))


# --- bodies of the Tasks API -----------------------------------------------------------------------------------------

_WISHES = [Status.CANCELED, Status.QUEUED]


class TaskChange(Strict):
    """What to do with a task: take it back, or run it again."""

    status = fields.Choice(_WISHES, required=True)


class NamedTaskChange(TaskChange):
    """The same, with the task's id."""

    id = fields.WholeNumber(required=True, validate=between(1, MAX_INT32))


class TaskChanges(Strict):
    """Changes of many tasks, all or none."""

    tasks = fields.ListOf(fields.Object(NamedTaskChange), required=True, validate=length(1, 1000, "items"))


class NewTask(Strict):
    """A task that brings nothing: an export."""

    type = fields.Choice([TaskType.CATALOG_EXPORT], required=True)
    section = _section()
    catalog_part = fields.Choice(list(CatalogPart), required=True)
    from_timestamp = fields.Moment(load_default=None)


# --- webhooks --------------------------------------------------------------------------------------------------------


class NewWebhook(Strict):
    """Whom to tell when tasks end."""

    url = fields.Text(required=True, validate=length(1, 2000))


class DeliveriesQuery(Query):
    """What the delivery log takes."""

    num_results_per_page = fields.QueryInteger(load_default=100, validate=between(1, 1000))


# --- loading ---------------------------------------------------------------------------------------------------------


def load_query(schema: type[Query], args: Mapping[str, Any]) -> dict[str, Any]:
    """Read query parameters; the names in the result are those of the schema's fields.

    Raises Invalid.  The values of a repeatable parameter have no place of their own in a query, so a problem with one
    is named after the parameter alone.
    """
    try:
        # Most requests say nothing that the schema knows, but the key.
        if _names(schema).isdisjoint(args):
            return dict(_defaults(schema))
        return _loaded(schema, args)
    except ValidationError as refused:
        found = [Problem(problem.loc.partition("[")[0], problem.msg) for problem in problems(refused.messages)]
        raise Invalid(*dict.fromkeys(found)) from None


@cache
def _defaults(schema: type[Query]) -> dict[str, Any]:
    return _loaded(schema, {})


@cache
def _names(schema: type[Query]) -> frozenset[str]:
    """Name the parameters that a schema knows, as they are sent."""
    return frozenset(field.data_key or name for name, field in _instance(schema).fields.items())


def load_body(schema: type[Strict], value: Any) -> dict[str, Any]:
    """Check a decoded body.  Raises Invalid."""
    try:
        return _loaded(schema, value)
    except ValidationError as refused:
        raise Invalid(*(Problem(loc or "body", msg) for loc, msg in problems(refused.messages))) from None


def _loaded(schema: type[Schema], value: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = _instance(schema).load(value)
    return loaded


@cache
def _instance(schema: type[Schema]) -> Schema:
    """Make a schema once: making one costs more than loading with it."""
    return schema()


#: Names in a message are cut to this, since a sender may choose them as long as a body.
_NAME_LENGTH = 100


def problems(messages: Any, loc: str = "") -> Iterator[Problem]:
    """Flatten marshmallow's nested messages, in the order of their places."""
    if isinstance(messages, dict):
        for key in sorted(messages, key=lambda key: (isinstance(key, str), key)):
            yield from problems(messages[key], _below(loc, key))
    elif isinstance(messages, list):
        for message in messages:
            yield from problems(message, loc)
    else:
        yield Problem(loc, str(messages))


def _below(loc: str, key: str | int) -> str:
    if key == "_schema":  # marshmallow's word for the object itself
        return loc
    if isinstance(key, int):
        return f"{loc}[{key}]"
    name = key if len(key) <= _NAME_LENGTH else key[:_NAME_LENGTH] + "…"
    return f"{loc}.{name}" if loc else name
