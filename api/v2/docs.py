"""OpenAPI descriptions of the reads and writes of entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marshmallow import Schema

from api.openapi.describe import Answer, Description, EntriesBody, Tag, View, describe
from api.schemas.base import Query
from api.schemas.entries import entry_schema
from api.tasks.answers import AcceptedSchema, Findings
from api.v2.answers import StoredGroupSchema, StoredItem, StoredVariation, page_of
from api.v2.queries import write_query
from shared.model import Kind, Operation

TAGS = {Kind.ITEMS: Tag.ITEMS, Kind.VARIATIONS: Tag.VARIATIONS, Kind.ITEM_GROUPS: Tag.ITEM_GROUPS}

WHOLE: dict[Kind, dict[str, Any]] = {
    Kind.ITEMS: {
        "id": "sku-1",
        "name": "Blue shirt",
        "suggested_score": 42,
        "data": {"url": "https://shop.example/sku-1", "keywords": ["shirt"], "facets": {"colour": ["blue"]}},
    },
    Kind.VARIATIONS: {"id": "sku-1-m", "item_id": "sku-1", "name": "Blue shirt, M", "data": {"size": "M"}},
    Kind.ITEM_GROUPS: {"id": "shirts", "name": "Shirts", "parent_ids": ["clothes"]},
}
_CHANGES: dict[Kind, dict[str, Any]] = {
    Kind.ITEMS: {"id": "sku-1", "data": {"price": 17.5, "keywords:add": ["sale"], "url": None}},
    Kind.VARIATIONS: {"id": "sku-1-m", "data": {"stock": 3}},
    Kind.ITEM_GROUPS: {"id": "shirts", "name": "Shirts and blouses"},
}

_SUMMARIES = {
    Operation.PUT: "Create or replace {many}",
    Operation.PATCH: "Change fields of {many}",
    Operation.DELETE: "Delete {many}",
}
_TEXTS = {
    Operation.PUT: "Of several entries with the same id, the last one wins (warning `DUPLICATE_ITEM`).",
    Operation.PATCH: (
        "Top-level fields are replaced, `null` removes. `data` is merged member by member, one level deep. If one "
        "entry cannot be applied, nothing changes."
    ),
    Operation.DELETE: "An id that does not exist is not an error.",
}
_MORE = {
    (Kind.ITEMS, Operation.DELETE): " Variations of a deleted item are deleted too.",
    (Kind.VARIATIONS, Operation.PUT): " A variation whose item does not exist is stored (warning `ORPHAN_VARIATION`).",
}


def describe_write(kind: Kind, operation: Operation) -> Callable[[View], View]:
    """Describe the route that does such a write."""
    examples = {
        Operation.PUT: WHOLE[kind],
        Operation.PATCH: _CHANGES[kind],
        Operation.DELETE: {"id": WHOLE[kind]["id"]},
    }
    accepted = Answer(
        "The task of the batch; for a dry run, its findings.",
        (AcceptedSchema, Findings),
        {"task_id": 7, "task_status_path": "/v1/tasks/7?key=acme"},
        headers=("X-RateLimit-Tasks-Remaining",),
    )
    return describe(
        Description(
            _SUMMARIES[operation].format(many=kind.many),
            TAGS[kind],
            {200: accepted},
            text=_TEXTS[operation] + _MORE.get((kind, operation), ""),
            query=write_query(kind, operation),
            body=EntriesBody(kind.value, entry_schema(kind, operation), examples[operation]),
            errors=(409, 429),
        )
    )


_STORED: dict[Kind, type[Schema]] = {
    Kind.ITEMS: StoredItem,
    Kind.VARIATIONS: StoredVariation,
    Kind.ITEM_GROUPS: StoredGroupSchema,
}
_PAGES = {kind: page_of(kind.value, schema) for kind, schema in _STORED.items()}


def describe_list(kind: Kind, query: type[Query]) -> Callable[[View], View]:
    """Describe the route that lists entries."""
    example = {kind.value: [_example(kind)], "total_count": 1}
    return describe(
        Description(
            f"List {kind.many}",
            TAGS[kind],
            {200: Answer("A page; empty past the end.", _PAGES[kind], example, headers=("X-Changes-After",))},
            text=(
                "Ordered by id. With `id`, only the requested entries that exist. Read by cursor, page after page, "
                "every entry that is not changed meanwhile comes exactly once. With `page` or `offset` each page is "
                "consistent in itself, but entries move up when others are deleted."
            ),
            query=query,
        )
    )


def describe_one(kind: Kind, query: type[Query]) -> Callable[[View], View]:
    """Describe the route that reads one entry."""
    return describe(
        Description(
            f"Read one {kind.one}",
            TAGS[kind],
            {
                200: Answer(
                    "The entry as sent or merged, always with `data`, and when it last changed.",
                    _STORED[kind],
                    _example(kind),
                )
            },
            query=query,
            errors=(404,),
        )
    )


def _example(kind: Kind) -> dict[str, Any]:
    return WHOLE[kind] | {"updated_at": "2026-01-31T12:00:00Z"}
