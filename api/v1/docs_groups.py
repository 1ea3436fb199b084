"""OpenAPI descriptions of the item groups of V1."""

from __future__ import annotations

from typing import Any

from api.openapi.describe import Answer, Description, JsonBody, Tag
from api.schemas.queries import GroupSection
from api.v1.answers import GroupTreeSchema, Message, NestedGroups, OneGroup, PlacedGroup, ProcessedGroups
from api.v1.schemas import GroupsV1Query

_TREE: list[dict[str, Any]] = [
    {
        "id": "clothes",
        "name": "Clothes",
        "data": {},
        "children": [{"id": "shirts", "name": "Shirts", "data": {"rank": 1}, "children": []}],
    }
]
_SENT = {
    "item_groups": [
        {"id": "clothes", "name": "Clothes", "children": [{"id": "shirts", "name": "Shirts", "data": {"rank": 1}}]}
    ]
}
_READ = "A tree of groups, siblings ordered by id. A group whose parent does not exist is at the top."
_WRITTEN = (
    "The answer comes when the groups are written, after everything that was accepted before. At most 1,000 groups."
)
_PROCESSED = Answer(
    "Numbers of groups created, changed and deleted.",
    ProcessedGroups,
    {"item_groups": {"processed": 2, "inserted": 1, "updated": 1, "deleted": 0}},
    headers=("X-Task-Id",),
)
_ERRORS = (409, 429, 504)


def _write(summary: str) -> Description:
    return Description(
        summary,
        Tag.ITEM_GROUPS,
        {200: _PROCESSED},
        text=_WRITTEN,
        query=GroupsV1Query,
        body=JsonBody(NestedGroups, _SENT),
        errors=_ERRORS,
    )


ALL = Description(
    "Read all item groups as a tree (V1)",
    Tag.ITEM_GROUPS,
    {
        200: Answer(
            "The top groups, each with those below it.",
            GroupTreeSchema,
            {"item_groups": _TREE, "total_count": 2},
        )
    },
    text=_READ,
    query=GroupSection,
)
ONE = Description(
    "Read an item group and all below it (V1)",
    Tag.ITEM_GROUPS,
    {
        200: Answer(
            "The group; an empty list if it does not exist.", GroupTreeSchema, {"item_groups": _TREE, "total_count": 2}
        )
    },
    text=_READ,
    query=GroupSection,
)
ADD = _write("Create item groups; existing ones stay as they are (V1)")
REPLACE = _write("Replace all item groups, deleting those not sent (V1)")
UPSERT = _write("Create item groups, or change their fields (V1)")
DELETE = Description(
    "Delete all item groups (V1)",
    Tag.ITEM_GROUPS,
    {
        200: Answer(
            "All groups are deleted.",
            Message,
            {"message": "We've started deleting all of your groups. This may take some time to complete."},
            headers=("X-Task-Id",),
        )
    },
    query=GroupsV1Query,
    errors=_ERRORS,
)
PUT_ONE = Description(
    "Create an item group, or change its fields (V1)",
    Tag.ITEM_GROUPS,
    {
        200: Answer(
            "The group, with the groups above it, outermost first.",
            PlacedGroup,
            {
                "id": "shirts",
                "name": "Shirts",
                "parent_id": "clothes",
                "data": {},
                "path": "/clothes",
                "path_list": ["clothes"],
            },
            headers=("X-Task-Id",),
        )
    },
    text="A new group needs a name. The answer comes when it is written, after everything that was accepted before.",
    query=GroupsV1Query,
    body=JsonBody(OneGroup, {"name": "Shirts", "parent_id": "clothes"}),
    errors=(404, *_ERRORS),
)
