"""Schemas of V1's answers."""

from __future__ import annotations

from marshmallow import fields as ma

from api.openapi.answers import count
from api.schemas import fields
from api.schemas.base import Strict
from api.schemas.entries import group_id
from api.schemas.fields import length
from api.v1.group_bodies import MAX_GROUPS
from api.v1.schemas import GroupV1, GroupV1Change


class NestedGroup(GroupV1):
    """An item group and those below it, as sent in V1."""

    children = fields.ListOf(
        fields.Object(lambda: NestedGroup()), allow_none=True, metadata={"description": "The groups that lie in it."}
    )


class NestedGroups(Strict):
    """The body of a V1 write of item groups."""

    item_groups = fields.ListOf(fields.Object(NestedGroup), required=True, validate=length(1, MAX_GROUPS, "items"))


class OneGroup(GroupV1Change):
    """The fields of an item group to create or change; its id is in the path."""

    id = group_id(required=False)


class GroupNode(Strict):
    """An item group and those below it."""

    id = fields.Text(required=True)
    name = fields.Text(required=True)
    data = ma.Dict(required=True, allow_none=True)
    children = fields.ListOf(
        fields.Object(lambda: GroupNode()), required=True, metadata={"description": "The groups that lie in it."}
    )


class GroupTreeSchema(Strict):
    """Trees of item groups."""

    item_groups = fields.ListOf(fields.Object(GroupNode), required=True)
    total_count = count(description="Number of groups.")


class GroupCounts(Strict):
    """The result of a V1 write."""

    processed = count(description="Groups sent, including those inside others.")
    inserted = count(description="Groups created.")
    updated = count(description="Groups changed.")
    deleted = count(description="Groups deleted because they were not sent.")


class ProcessedGroups(Strict):
    """The result of a V1 write."""

    item_groups = fields.Object(GroupCounts, required=True)


class PlacedGroup(Strict):
    """An item group and its place in the tree."""

    id = fields.Text(required=True)
    name = fields.Text(required=True)
    parent_id = fields.Text(required=True, allow_none=True, metadata={"description": "The group that it lies in."})
    data = ma.Dict(required=True, allow_none=True)
    path = fields.Text(required=True, metadata={"description": "Ids of the groups above it, outermost first."})
    path_list = fields.ListOf(fields.Text(), required=True, metadata={"description": "The same ids as a list."})


class Message(Strict):
    """A message."""

    message = fields.Text(required=True)
