"""OpenAPI descriptions of the items of V1."""

from __future__ import annotations

from collections.abc import Mapping

from marshmallow import Schema, validate

from api.openapi.describe import Answer, Description, JsonBody, Tag
from api.schemas import fields
from api.schemas.fields import length
from api.v1.item_bodies import MAX_VARIATIONS
from api.v1.schemas import CallV1, ItemsV1Query, ItemV1, ItemV1Change, ItemV1Delete, VariationV1


def _variations() -> fields.ListOf:
    variations = fields.Object(VariationV1)
    return fields.ListOf(
        variations,
        allow_none=True,
        validate=length(None, MAX_VARIATIONS, "items"),
        metadata={
            "description": "All variations of the item, replacing those it has. Without it they stay as they are."
        },
    )


def _items(schema: type[Schema]) -> fields.ListOf:
    return fields.ListOf(fields.Object(schema), required=True, validate=validate.Length(min=1))


class ItemWithVariations(ItemV1):
    """An item with its variations."""

    variations = _variations()


class ItemWithVariationsChange(ItemV1Change):
    """An item with its variations, which may be renamed."""

    variations = _variations()


class ItemsWithVariations(CallV1):
    """Items of one section."""

    items = _items(ItemWithVariations)


class ItemsWithVariationsChanges(CallV1):
    """Items of one section."""

    items = _items(ItemWithVariationsChange)


class ItemDeletes(CallV1):
    """Items of one section to delete."""

    items = _items(ItemV1Delete)


_ITEM = {
    "item_name": "Blue shirt",
    "id": "sku-1",
    "section": "Products",
    "url": "https://shop.example/sku-1",
    "metadata": {"price": 19.90},
    "variations": [{"id": "sku-1-m", "facets": {"size": ["M"]}}],
}
_NAMED = {"id": "sku-1", "section": "Products"}

_ADD = "An item that exists already fails the whole call (409)."
_MODIFY = (
    "Replaces everything except a `suggested_score` that was not sent. An item that does not exist fails the whole "
    "call (409), or is created with `force`."
)
_AMEND = "The item is identified by its `id`, or else by its name, which stays. An item that does not exist is skipped."
_DELETE = "By `id`, or else by `item_name`; its variations are deleted too. Other fields of the item are ignored."
_DONE = "The answer comes when the write is applied, after everything that was accepted before."


def _write(summary: str, text: str, schema: type[Schema], example: Mapping[str, object]) -> Description:
    return Description(
        summary,
        Tag.ITEMS,
        {204: Answer("Applied.", {}, media_types=(), headers=("X-Task-Id",))},
        text=f"{text} {_DONE}",
        query=ItemsV1Query,
        body=JsonBody(schema, example),
        errors=(409, 429, 504),
    )


POST_ONE = _write("Add an item with its variations (V1)", _ADD, ItemWithVariations, _ITEM)
PUT_ONE = _write("Modify an item with its variations (V1)", _MODIFY, ItemWithVariationsChange, _ITEM)
PATCH_ONE = _write("Change fields of an item (V1)", _AMEND, ItemWithVariations, _ITEM)
DELETE_ONE = _write("Delete an item (V1)", _DELETE, ItemV1Delete, _NAMED)
POST_MANY = _write(
    "Add items with their variations (V1)", _ADD, ItemsWithVariations, {"items": [_ITEM], "section": "Products"}
)
PUT_MANY = _write(
    "Modify items with their variations (V1)",
    _MODIFY,
    ItemsWithVariationsChanges,
    {"items": [_ITEM], "section": "Products"},
)
DELETE_MANY = _write("Delete items (V1)", _DELETE, ItemDeletes, {"items": [_NAMED], "section": "Products"})
