"""The rules of entries, as they are sent to V2.

``fast_path`` derives a decoder from each.  In every schema ``null`` for a known field inside ``data`` is welcome: in a
PATCH it removes the field.
"""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, RAISE, Schema

from api import fields
from api.fields import between, length
from shared.model import Kind, OnMissing, Operation

#: What `data` may take, as sent.
DATA_MAX_BYTES = 200_000
#: The same, of an item group.
GROUP_DATA_MAX_BYTES = 5_000

MAX_SCORE = 500_000_000

ONE_ALPHANUMERIC = fields.ContainsOneOf(r"[^\W_]", "ensure this value has at least one alphanumeric character")
NO_EDITS_IN_PUT = "list edits are not permitted in PUT"
NO_EDITS_IN_V1 = "list edits are not permitted in V1"
NO_EDITS_IN_CREATE = "list edits are not permitted with on_missing=CREATE"


_WORDS = {"unknown": fields.EXTRA, "type": fields.NOT_A_DICT}


class Strict(Schema):
    """An object with the declared fields and no others."""

    class Meta:
        unknown = RAISE

    error_messages = _WORDS


def entry_id(*, required: bool = True) -> fields.Text:
    """Declare the id of an item or a variation."""
    return fields.Text(required=required, validate=length(1, 250))


def entry_name(*, required: bool) -> fields.Text:
    """Declare the name of an item or a variation."""
    return fields.Text(required=required, validate=[*length(1, 250), ONE_ALPHANUMERIC])


def _score() -> fields.WholeNumber:
    return fields.WholeNumber(allow_none=True, validate=between(-1, MAX_SCORE))


def section() -> fields.Text:
    """Declare the name of a section."""
    return fields.Text(validate=length(1, 100))


def _texts(**kwargs: Any) -> fields.ListOf:
    return fields.ListOf(fields.Text(), **kwargs)


class Described(Strict):
    """What describes items and variations, checked when present."""

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


class Data(Described):
    """The known fields of ``data``, checked when present; any other passes."""

    class Meta:
        unknown = INCLUDE

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


def entry_data(schema: type[Data], edits_refused: str | None = None) -> fields.OpenObject:
    """Declare the ``data`` of an item or a variation."""
    return fields.OpenObject(schema, max_bytes=DATA_MAX_BYTES, edits_refused=edits_refused, allow_none=True)


class ItemPut(Strict):
    """An item, whole."""

    id = entry_id()
    name = entry_name(required=True)
    suggested_score = _score()
    data = entry_data(Data, NO_EDITS_IN_PUT)


class VariationPut(ItemPut):
    """A variation, whole."""

    item_id = entry_id()
    name = entry_name(required=False)


class ItemPatch(ItemPut):
    """What changes in an item that is there."""

    name = entry_name(required=False)
    data = entry_data(EditableData)


class VariationPatch(ItemPatch):
    """What changes in a variation that is there."""

    item_id = entry_id(required=False)


class ItemPatchCreate(ItemPut):
    """What changes in an item, or makes it."""

    data = entry_data(Data, NO_EDITS_IN_CREATE)


class VariationPatchCreate(VariationPut):
    """What changes in a variation, or makes it."""

    data = entry_data(Data, NO_EDITS_IN_CREATE)


class ItemV1(Described):
    """An item of V1, without its ``variations``; its ``id`` is its ``item_name`` if it has none."""

    id = entry_id(required=False)
    item_name = entry_name(required=True)
    section = section()
    suggested_score = _score()
    metadata = entry_data(Data, NO_EDITS_IN_V1)


class ItemV1Change(ItemV1):
    """An item of V1 that is there already, and may get another name."""

    new_item_name = entry_name(required=False)


class VariationV1(Described):
    """A variation inside an item of V1."""

    id = entry_id()
    item_name = entry_name(required=False)
    suggested_score = _score()
    metadata = entry_data(Data, NO_EDITS_IN_V1)


class ItemV1Delete(Strict):
    """An item of V1 that goes; senders may name all that is in it."""

    class Meta:
        unknown = INCLUDE

    id = entry_id(required=False)
    item_name = fields.Text(validate=length(1, 250))
    section = section()


class CallV1(Strict):
    """What the body of a call of V1 may say beside its items."""

    section = section()


class EntryDelete(Strict):
    """What goes."""

    id = entry_id()


def group_id(*, required: bool = True, **kwargs: Any) -> fields.Text:
    """Declare the id of an item group."""
    return fields.Text(required=required, validate=length(1, 200), **kwargs)


class GroupData(Strict):
    """``data`` of an item group: nothing in it is known."""

    class Meta:
        unknown = INCLUDE


def group_data(edits_refused: str | None = None) -> fields.OpenObject:
    """Declare the ``data`` of an item group."""
    return fields.OpenObject(GroupData, max_bytes=GROUP_DATA_MAX_BYTES, edits_refused=edits_refused, allow_none=True)


class GroupPut(Strict):
    """An item group, whole."""

    id = group_id()
    name = fields.Text(required=True, validate=length(1, 500))
    parent_ids = fields.ListOf(group_id(), allow_none=True)
    data = group_data(NO_EDITS_IN_PUT)


class GroupPatch(GroupPut):
    """What changes in an item group that is there."""

    name = fields.Text(validate=length(1, 500))
    data = group_data()


class GroupPatchCreate(GroupPut):
    """What changes in an item group, or makes it."""

    data = group_data(NO_EDITS_IN_CREATE)


class GroupV1(Strict):
    """An item group of V1, without its ``children``, which are groups like it."""

    id = group_id()
    name = fields.Text(required=True, validate=length(1, 500))
    parent_id = group_id(required=False, allow_none=True)
    data = group_data(NO_EDITS_IN_V1)


class GroupV1Change(GroupV1):
    """What changes in an item group of V1, or makes it."""

    name = fields.Text(validate=length(1, 500))


class GroupDelete(Strict):
    """An item group that goes."""

    id = group_id()


#: What may be sent, and by which rules.
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
    """Name the schema of one entry.  ``on_missing`` matters to a PATCH only."""
    if operation is Operation.PATCH and on_missing is OnMissing.CREATE:
        return _CREATING[kind]
    return ENTRY_SCHEMAS[kind, operation]
