"""What answers about entries look like, for the OpenAPI document."""

from __future__ import annotations

from marshmallow import Schema
from marshmallow import fields as ma

from api import fields
from api.answer_schemas import count, moment
from api.entry_schemas import GroupPut, GroupV1, GroupV1Change, ItemPut, Strict, VariationPut, group_id
from api.fields import length
from api.nested_groups import MAX_GROUPS


class StoredItem(ItemPut):
    """An item, as it was sent or merged."""

    updated_at = moment()


class StoredVariation(VariationPut):
    """A variation, as it was sent or merged."""

    updated_at = moment()


class StoredGroup(GroupPut):
    """An item group, as it was sent or merged."""

    updated_at = moment()


def page_of(name: str, schema: type[Schema]) -> type[Strict]:
    """Make the schema of a page of entries."""
    members = {
        name: fields.ListOf(fields.Object(schema), required=True),
        "total_count": ma.Integer(metadata={"minimum": 0}),
        "next_page_cursor": fields.Text(),
    }
    page: type[Strict] = type(f"PageOf{schema.__name__.removeprefix('Stored')}s", (Strict,), members)
    return page


# --- item groups of V1 -----------------------------------------------------------------------------------------------


class NestedGroup(GroupV1):
    """An item group and those below it, as V1 sends them."""

    children = fields.ListOf(fields.Object(lambda: NestedGroup()), allow_none=True)


class NestedGroups(Strict):
    """A body of V1."""

    item_groups = fields.ListOf(fields.Object(NestedGroup), required=True, validate=length(1, MAX_GROUPS, "items"))


class OneGroup(GroupV1Change):
    """What changes in an item group, or makes it; its id stands in the path."""

    id = group_id(required=False)


class GroupNode(Strict):
    """An item group and those below it."""

    id = fields.Text(required=True)
    name = fields.Text(required=True)
    data = ma.Dict(required=True, allow_none=True)
    children = fields.ListOf(fields.Object(lambda: GroupNode()), required=True)


class GroupTree(Strict):
    """Item groups, each with those below it."""

    item_groups = fields.ListOf(fields.Object(GroupNode), required=True)
    total_count = count()


class GroupCounts(Strict):
    """What a write of V1 did."""

    processed = count()
    inserted = count()
    updated = count()
    deleted = count()


class ProcessedGroups(Strict):
    """What a write of V1 did."""

    item_groups = fields.Object(GroupCounts, required=True)


class PlacedGroup(Strict):
    """An item group and where it lies."""

    id = fields.Text(required=True)
    name = fields.Text(required=True)
    parent_id = fields.Text(required=True, allow_none=True)
    data = ma.Dict(required=True, allow_none=True)
    path = fields.Text(required=True)
    path_list = fields.ListOf(fields.Text(), required=True)


class Message(Strict):
    """A sentence."""

    message = fields.Text(required=True)
