"""The rules of everything that is sent to us, declared once, with the messages of the contract.

``fast_path`` derives its decoders from the entry schemas, the OpenAPI document is written from all of them.  In every
schema ``null`` for a known field inside ``data`` is welcome: in a PATCH it removes the field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from marshmallow import EXCLUDE, INCLUDE, RAISE, Schema, ValidationError, pre_load, validate, validates_schema

from api import fields
from api.errors import Invalid, Problem
from api.fields import between, length
from api.waiting import MAX_WAIT_S
from shared.model import Kind, OnMissing, Operation, Status

#: What `data` may take, as sent.
DATA_MAX_BYTES = 200_000

MAX_SCORE = 500_000_000
#: Task ids, pages and offsets are int32 in the public contract.
MAX_INT32 = 2**31 - 1

ONE_ALPHANUMERIC = fields.ContainsOneOf(r"[^\W_]", "ensure this value has at least one alphanumeric character")
NO_EDITS_IN_PUT = "list edits are not permitted in PUT"
NO_EDITS_IN_CREATE = "list edits are not permitted with on_missing=CREATE"


_WORDS = {"unknown": fields.EXTRA, "type": fields.NOT_A_DICT}


class Strict(Schema):
    """An object with the declared fields and no others."""

    class Meta:
        unknown = RAISE

    error_messages = _WORDS


# --- entries ---------------------------------------------------------------------------------------------------------


def _id(*, required: bool = True) -> fields.Text:
    return fields.Text(required=required, validate=length(1, 250))


def _name(*, required: bool) -> fields.Text:
    return fields.Text(required=required, validate=[*length(1, 250), ONE_ALPHANUMERIC])


def _texts(**kwargs: Any) -> fields.ListOf:
    return fields.ListOf(fields.Text(), **kwargs)


class Data(Strict):
    """The known fields of ``data``, checked when present; any other passes."""

    class Meta:
        unknown = INCLUDE

    keywords = _texts(allow_none=True)
    url = fields.Text(allow_none=True)
    image_url = fields.Text(allow_none=True)
    facets = fields.MapOf(
        keys=fields.Text(validate=length(None, 100)),
        values=fields.OneOrMany(fields.TextOrNumber(fields.Text(validate=length(None, 200)))),
        allow_none=True,
    )
    group_ids = _texts(allow_none=True)
    description = fields.Text(allow_none=True, validate=length(None, 4000))
    active = fields.Flag(allow_none=True)
    deactivated = fields.Flag(allow_none=True)
    is_default = fields.Flag(allow_none=True)
    release_time = fields.Moment(allow_none=True, data_key="__cnstrc_release_time")


class EditableData(Data):
    """``data`` of a PATCH: the known lists may be edited, with what they may hold."""

    keywords_add = _texts(data_key="keywords:add")
    keywords_remove = _texts(data_key="keywords:remove")
    group_ids_add = _texts(data_key="group_ids:add")
    group_ids_remove = _texts(data_key="group_ids:remove")


def _data(schema: type[Data], edits_refused: str | None = None) -> fields.OpenObject:
    return fields.OpenObject(schema, max_bytes=DATA_MAX_BYTES, edits_refused=edits_refused, allow_none=True)


class ItemPut(Strict):
    """An item, whole."""

    id = _id()
    name = _name(required=True)
    suggested_score = fields.WholeNumber(allow_none=True, validate=between(-1, MAX_SCORE))
    data = _data(Data, NO_EDITS_IN_PUT)


class VariationPut(ItemPut):
    """A variation, whole."""

    item_id = _id()
    name = _name(required=False)


class ItemPatch(ItemPut):
    """What changes in an item that is there."""

    name = _name(required=False)
    data = _data(EditableData)


class VariationPatch(ItemPatch):
    """What changes in a variation that is there."""

    item_id = _id(required=False)


class ItemPatchCreate(ItemPut):
    """What changes in an item, or makes it."""

    data = _data(Data, NO_EDITS_IN_CREATE)


class VariationPatchCreate(VariationPut):
    """What changes in a variation, or makes it."""

    data = _data(Data, NO_EDITS_IN_CREATE)


class EntryDelete(Strict):
    """What goes."""

    id = _id()


_ENTRIES: dict[tuple[Kind, Operation], type[Strict]] = {
    (Kind.ITEMS, Operation.PUT): ItemPut,
    (Kind.ITEMS, Operation.PATCH): ItemPatch,
    (Kind.ITEMS, Operation.DELETE): EntryDelete,
    (Kind.VARIATIONS, Operation.PUT): VariationPut,
    (Kind.VARIATIONS, Operation.PATCH): VariationPatch,
    (Kind.VARIATIONS, Operation.DELETE): EntryDelete,
}
_CREATING: dict[Kind, type[Strict]] = {Kind.ITEMS: ItemPatchCreate, Kind.VARIATIONS: VariationPatchCreate}


def entry_schema(kind: Kind, operation: Operation, on_missing: OnMissing = OnMissing.FAIL) -> type[Strict]:
    """Name the schema of one entry.  ``on_missing`` matters to a PATCH only."""
    if operation is Operation.PATCH and on_missing is OnMissing.CREATE:
        return _CREATING[kind]
    return _ENTRIES[kind, operation]


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


class WriteQuery(WaitQuery):
    """What every write takes."""

    section = fields.Text(load_default="Products", validate=length(1, 100))
    force = fields.QueryFlag(load_default=False)
    notification_emails = fields.ListOf(
        fields.Text(validate=validate.Email(error="value is not a valid email address")),
        data_key="notification_email",
        load_default=list,
    )


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

    section = fields.Text(load_default="Products", validate=length(1, 100))
    ids = fields.ListOf(fields.Text(), data_key="id", load_default=list, validate=length(None, 1000, "items"))
    num_results_per_page = fields.QueryInteger(load_default=100, validate=between(1, 1000))
    next_page_cursor = fields.Text(load_default=None, allow_none=False, validate=length(1, 1000))

    exclusive = ("next_page_cursor", "offset", "page")


class VariationsQuery(ItemsQuery):
    """What a list of variations takes."""

    item_id = fields.Text(load_default=None, allow_none=False, validate=length(1, 250))


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


# --- loading ---------------------------------------------------------------------------------------------------------


def load_query(schema: type[Query], args: Mapping[str, Any]) -> dict[str, Any]:
    """Read query parameters; the names in the result are those of the schema's fields.

    Raises Invalid.  The values of a repeatable parameter have no place of their own in a query, so a problem with one
    is named after the parameter alone.
    """
    try:
        return _loaded(schema, args)
    except ValidationError as refused:
        found = [Problem(problem.loc.partition("[")[0], problem.msg) for problem in problems(refused.messages)]
        raise Invalid(*dict.fromkeys(found)) from None


def load_body(schema: type[Strict], value: Any) -> dict[str, Any]:
    """Check a decoded body.  Raises Invalid."""
    try:
        return _loaded(schema, value)
    except ValidationError as refused:
        raise Invalid(*problems(refused.messages)) from None


def _loaded(schema: type[Schema], value: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = schema().load(value)
    return loaded


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
