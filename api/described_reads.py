"""What the reads of entries say of themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marshmallow import Schema

from api.described_writes import TAGS, WHOLE
from api.describing import Answer, Description, View, describe
from api.entry_answers import StoredGroup, StoredItem, StoredVariation, page_of
from shared.model import Kind

_STORED: dict[Kind, type[Schema]] = {
    Kind.ITEMS: StoredItem,
    Kind.VARIATIONS: StoredVariation,
    Kind.ITEM_GROUPS: StoredGroup,
}
_PAGES = {kind: page_of(kind.value, schema) for kind, schema in _STORED.items()}


def describe_list(kind: Kind, query: type[Schema]) -> Callable[[View], View]:
    """Describe the route that lists entries."""
    example = {kind.value: [_example(kind)], "total_count": 1}
    return describe(
        Description(
            f"List {kind.many}",
            TAGS[kind],
            {200: Answer("A page; past the end it is empty.", _PAGES[kind], example)},
            text="Ordered by id. Of those asked for by id, those that are there.",
            query=query,
        )
    )


def describe_one(kind: Kind, query: type[Schema] | None = None) -> Callable[[View], View]:
    """Describe the route that reads one entry."""
    return describe(
        Description(
            f"Read one {kind.one}",
            TAGS[kind],
            {200: Answer("As it was sent or merged, and when it last changed.", _STORED[kind], _example(kind))},
            query=query,
            errors=(404,),
        )
    )


def _example(kind: Kind) -> dict[str, Any]:
    return WHOLE[kind] | {"updated_at": "2026-01-31T12:00:00Z"}
