"""What the writes of entries say of themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from api.describing import Answer, Description, EntriesBody, Tag, View, describe
from api.entry_schemas import entry_schema
from api.schemas import PatchQuery, WriteQuery
from api.task_answers import Accepted, Findings
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
    Operation.PUT: "Of several entries with one id, the last counts (warning `DUPLICATE_ITEM`).",
    Operation.PATCH: (
        "Top-level fields replace, `null` removes. `data` is merged member by member, one level deep. Changes nothing "
        "at all if one entry cannot be applied."
    ),
    Operation.DELETE: "An id that is not there is no error.",
}
_MORE = {
    (Kind.ITEMS, Operation.DELETE): " Variations of a deleted item go with it.",
    (Kind.VARIATIONS, Operation.PUT): " One whose item is not there is stored (warning `ORPHAN_VARIATION`).",
}


def describe_write(kind: Kind, operation: Operation) -> Callable[[View], View]:
    """Describe the route that does such a write."""
    examples = {
        Operation.PUT: WHOLE[kind],
        Operation.PATCH: _CHANGES[kind],
        Operation.DELETE: {"id": WHOLE[kind]["id"]},
    }
    accepted = Answer(
        "The batch became a task; or, of a dry run, what it found.",
        (Accepted, Findings),
        {"task_id": 7, "task_status_path": "/v1/tasks/7?key=acme"},
        headers=("X-RateLimit-Tasks-Remaining", "Idempotency-Replayed"),
    )
    return describe(
        Description(
            _SUMMARIES[operation].format(many=kind.many),
            TAGS[kind],
            {200: accepted},
            text=_TEXTS[operation] + _MORE.get((kind, operation), ""),
            query=PatchQuery if operation is Operation.PATCH else WriteQuery,
            headers=("Idempotency-Key",),
            body=EntriesBody(kind.value, entry_schema(kind, operation), examples[operation]),
            errors=(409, 429),
        )
    )
