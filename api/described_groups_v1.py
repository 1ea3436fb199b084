"""What the item groups of V1 say of themselves."""

from __future__ import annotations

from typing import Any

from api import entry_answers
from api.describing import Answer, Description, JsonBody, Tag
from api.schemas import SyncQuery

_TREE: list[dict[str, Any]] = [
    {
        "id": "clothes",
        "name": "Clothes",
        "data": None,
        "children": [{"id": "shirts", "name": "Shirts", "data": {"rank": 1}, "children": []}],
    }
]
_SENT = {
    "item_groups": [
        {"id": "clothes", "name": "Clothes", "children": [{"id": "shirts", "name": "Shirts", "data": {"rank": 1}}]}
    ]
}
_READ = "Groups below each other, siblings by id. A group without a parent that is there lies at the top."
_WRITTEN = "The answer comes once the groups are written, after all that was accepted before; 1,000 groups at most."
_PROCESSED = Answer(
    "What was done.",
    entry_answers.ProcessedGroups,
    {"item_groups": {"processed": 2, "inserted": 1, "updated": 1, "deleted": 0}},
)
_ERRORS = (409, 429, 504)


def _write(summary: str) -> Description:
    return Description(
        summary,
        Tag.ITEM_GROUPS,
        {200: _PROCESSED},
        text=_WRITTEN,
        query=SyncQuery,
        headers=("Idempotency-Key",),
        body=JsonBody(entry_answers.NestedGroups, _SENT),
        errors=_ERRORS,
    )


ALL = Description(
    "Read all item groups as a tree (V1)",
    Tag.ITEM_GROUPS,
    {
        200: Answer(
            "The groups at the top, each with its own.",
            entry_answers.GroupTree,
            {"item_groups": _TREE, "total_count": 2},
        )
    },
    text=_READ,
)
ONE = Description(
    "Read an item group and all below it (V1)",
    Tag.ITEM_GROUPS,
    {
        200: Answer(
            "The group; none if it is not there.", entry_answers.GroupTree, {"item_groups": _TREE, "total_count": 2}
        )
    },
    text=_READ,
)
ADD = _write("Create item groups; those that are there stay as they are (V1)")
REPLACE = _write("Replace all item groups: what is not sent is deleted (V1)")
UPSERT = _write("Create item groups, or change their fields (V1)")
DELETE = Description(
    "Delete all item groups (V1)",
    Tag.ITEM_GROUPS,
    {
        200: Answer(
            "They are gone.",
            entry_answers.Message,
            {"message": "We've started deleting all of your groups. This may take some time to complete."},
        )
    },
    query=SyncQuery,
    headers=("Idempotency-Key",),
    errors=_ERRORS,
)
PUT_ONE = Description(
    "Create an item group, or change its fields (V1)",
    Tag.ITEM_GROUPS,
    {
        200: Answer(
            "The group, and the groups above it, outermost first.",
            entry_answers.PlacedGroup,
            {
                "id": "shirts",
                "name": "Shirts",
                "parent_id": "clothes",
                "data": None,
                "path": "/clothes",
                "path_list": ["clothes"],
            },
        )
    },
    text="A new one needs a name. The answer comes once it is written, after all that was accepted before.",
    query=SyncQuery,
    headers=("Idempotency-Key",),
    body=JsonBody(entry_answers.OneGroup, {"name": "Shirts", "parent_id": "clothes"}),
    errors=(404, *_ERRORS),
)
