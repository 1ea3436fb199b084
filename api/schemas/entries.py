"""Schemas of entries, as sent to V2.

`api.entries.fast_decoder` derives a decoder from each.  In every schema a known field inside ``data`` may be ``null``:
in a PATCH that removes the field.
"""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE

from api.schemas import fields
from api.schemas.base import Strict
from api.schemas.fields import between, length
from shared.limits import DATA_MAX_BYTES, GROUP_DATA_MAX_BYTES
from shared.model import Kind, OnMissing, Operation

MAX_SCORE = 500_000_000

ONE_ALPHANUMERIC = fields.ContainsOneOf(r"[^\W_]", "ensure this value has at least one alphanumeric character")
NO_EDITS_IN_PUT = "list edits are not permitted in PUT"
NO_EDITS_IN_CREATE = "list edits are not permitted with on_missing=CREATE"


def entry_id(*, required: bool = True) -> fields.Text:
    """Declare the id of an item or a variation."""
    return fields.Text(
        required=required,
        validate=length(1, 250),
        metadata={"description": "Any text, unique in its kind and section."},
    )


def parent_item_id(*, required: bool) -> fields.Text:
    """Declare the id of a variation's item."""
    return fields.Text(
        required=required, validate=length(1, 250), metadata={"description": "The item that it is a variation of."}
    )


def entry_name(*, required: bool, allow_none: bool = False) -> fields.Text:
    """Declare the name of an item or a variation."""
    return fields.Text(
        required=required,
        allow_none=allow_none,
        validate=[*length(1, 250), ONE_ALPHANUMERIC],
        metadata={"description": "Has at least one letter or digit."},
    )


def score() -> fields.WholeNumber:
    return fields.WholeNumber(
        allow_none=True,
        validate=between(-1, MAX_SCORE),
        metadata={"description": "A whole number, which `1337.0` is too. Returned as sent."},
    )


def named_section() -> fields.Text:
    """Declare the name of a section."""
    return fields.Text(validate=length(1, 100), metadata={"description": "The section of the catalog."})


def _texts(**kwargs: Any) -> fields.ListOf:
    return fields.ListOf(fields.Text(), **kwargs)


class Described(Strict):
    """Descriptive fields of items and variations, checked if present."""

    keywords = _texts(allow_none=True)
    url = fields.Text(allow_none=True, metadata={"description": "URL of its page."})
    image_url = fields.Text(allow_none=True, metadata={"description": "URL of its image."})
    facets = fields.MapOf(
        keys=fields.Text(validate=length(None, 100)),
        values=fields.OneOrMany(fields.TextOrNumber(fields.Text(validate=length(None, 200)))),
        allow_none=True,
        metadata={"description": "Facet names, each with its value or list of values: texts or numbers."},
    )
    group_ids = _texts(allow_none=True, metadata={"description": "The item groups that it belongs to."})
    description = fields.Text(allow_none=True, validate=length(None, 4000))


class Data(Described):
    """The known fields of ``data``, checked if present; unknown ones pass."""

    class Meta:
        unknown = INCLUDE

    active = fields.Flag(allow_none=True)
    deactivated = fields.Flag(allow_none=True)
    is_default = fields.Flag(allow_none=True)
    release_time = fields.Moment(allow_none=True, data_key="__cnstrc_release_time")


class EditableData(Data):
    """``data`` of a PATCH, in which the known lists may also be edited."""

    keywords_add = _texts(data_key="keywords:add")
    keywords_remove = _texts(data_key="keywords:remove")
    group_ids_add = _texts(data_key="group_ids:add")
    group_ids_remove = _texts(data_key="group_ids:remove")


def _open(edits_refused: str | None) -> str:
    """Describe what all open objects share."""
    text = "At most 64 levels deep. Numbers are kept exactly as written."
    if edits_refused is None:
        text += ' `null` removes a member; `"name:add"` and `"name:remove"` edit the list under `name`.'
    return text


def entry_data(schema: type[Data], edits_refused: str | None = None, *, note: str = "") -> fields.OpenObject:
    """Declare the ``data`` of an item or a variation."""
    return fields.OpenObject(
        schema,
        max_bytes=DATA_MAX_BYTES,
        edits_refused=edits_refused,
        allow_none=True,
        metadata={"description": f"Any object, up to 200 kB of JSON. {_open(edits_refused)}{note}"},
    )


class ItemPut(Strict):
    """An item, whole."""

    id = entry_id()
    name = entry_name(required=True)
    suggested_score = score()
    data = entry_data(Data, NO_EDITS_IN_PUT)


class VariationPut(ItemPut):
    """A variation, whole."""

    item_id = parent_item_id(required=True)
    name = entry_name(required=False, allow_none=True)


class ItemPatch(ItemPut):
    """Changes of an existing item."""

    name = entry_name(required=False)
    data = entry_data(EditableData)


class VariationPatch(ItemPatch):
    """Changes of an existing variation."""

    item_id = parent_item_id(required=False)
    name = entry_name(required=False, allow_none=True)


class ItemPatchCreate(ItemPut):
    """Changes of an item, or a new item, which needs a name."""

    name = entry_name(required=False)
    data = entry_data(Data, NO_EDITS_IN_CREATE)


class VariationPatchCreate(VariationPut):
    """Changes of a variation, or a new variation, which needs an item."""

    item_id = parent_item_id(required=False)
    data = entry_data(Data, NO_EDITS_IN_CREATE)


class EntryDelete(Strict):
    """An entry to delete."""

    id = entry_id()


def group_id(*, required: bool = True, **kwargs: Any) -> fields.Text:
    """Declare the id of an item group."""
    kwargs.setdefault("metadata", {"description": "Any text, unique in the catalog."})
    return fields.Text(required=required, validate=length(1, 200), **kwargs)


class GroupData(Strict):
    """``data`` of an item group, which has no known fields."""

    class Meta:
        unknown = INCLUDE


def group_data(edits_refused: str | None = None) -> fields.OpenObject:
    """Declare the ``data`` of an item group."""
    return fields.OpenObject(
        GroupData,
        max_bytes=GROUP_DATA_MAX_BYTES,
        edits_refused=edits_refused,
        allow_none=True,
        metadata={"description": f"Any object, up to 5 kB of JSON. {_open(edits_refused)}"},
    )


class GroupPut(Strict):
    """An item group, whole."""

    id = group_id()
    name = fields.Text(required=True, validate=length(1, 500))
    parent_ids = fields.ListOf(
        group_id(metadata={}), allow_none=True, metadata={"description": "The groups that it lies in."}
    )
    data = group_data(NO_EDITS_IN_PUT)


class GroupPatch(GroupPut):
    """Changes of an existing item group."""

    name = fields.Text(validate=length(1, 500))
    data = group_data()


class GroupPatchCreate(GroupPut):
    """Changes of an item group, or a new item group, which needs a name."""

    name = fields.Text(validate=length(1, 500))
    data = group_data(NO_EDITS_IN_CREATE)


class GroupDelete(Strict):
    """An item group to delete."""

    id = group_id()


#: Schemas by kind and operation.
ENTRY_SCHEMAS: dict[tuple[Kind, Operation], type[Strict]] = {
    (Kind.ITEMS, Operation.PUT): ItemPut,
    (Kind.ITEMS, Operation.PATCH): ItemPatch,
    (Kind.ITEMS, Operation.DELETE): EntryDelete,
    (Kind.VARIATIONS, Operation.PUT): VariationPut,
    (Kind.VARIATIONS, Operation.PATCH): VariationPatch,
    (Kind.VARIATIONS, Operation.DELETE): EntryDelete,
    (Kind.ITEM_GROUPS, Operation.PUT): GroupPut,
    (Kind.ITEM_GROUPS, Operation.PATCH): GroupPatch,
    (Kind.ITEM_GROUPS, Operation.DELETE): GroupDelete,
}
_CREATING: dict[Kind, type[Strict]] = {
    Kind.ITEMS: ItemPatchCreate,
    Kind.VARIATIONS: VariationPatchCreate,
    Kind.ITEM_GROUPS: GroupPatchCreate,
}


def entry_schema(kind: Kind, operation: Operation, on_missing: OnMissing = OnMissing.FAIL) -> type[Strict]:
    """Return the schema of an entry.  ``on_missing`` matters only for a PATCH."""
    if operation is Operation.PATCH and on_missing is OnMissing.CREATE:
        return _CREATING[kind]
    return ENTRY_SCHEMAS[kind, operation]
