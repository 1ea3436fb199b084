"""What the items of V1 say of themselves."""

from __future__ import annotations

from collections.abc import Mapping

from marshmallow import Schema, validate

from api import fields
from api.describing import Answer, Description, JsonBody, Tag
from api.entry_schemas import CallV1, ItemV1, ItemV1Change, ItemV1Delete, VariationV1
from api.fields import length
from api.schemas import ItemsV1Query
from api.whole_items import MAX_VARIATIONS


def _variations() -> fields.ListOf:
    variations = fields.Object(VariationV1)
    return fields.ListOf(variations, allow_none=True, validate=length(None, MAX_VARIATIONS, "items"))


def _items(schema: type[Schema]) -> fields.ListOf:
    return fields.ListOf(fields.Object(schema), required=True, validate=validate.Length(min=1))


class WholeItem(ItemV1):
    """An item with its variations."""

    variations = _variations()


class WholeItemChange(ItemV1Change):
    """An item with its variations, that may get another name."""

    variations = _variations()


class WholeItems(CallV1):
    """Items of one section."""

    items = _items(WholeItem)


class WholeItemChanges(CallV1):
    """Items of one section."""

    items = _items(WholeItemChange)


class ItemDeletes(CallV1):
    """Items of one section that go."""

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

_ADD = "An item that is there already fails the whole call: 409."
_MODIFY = (
    "All is replaced but a `suggested_score` that was not sent. An item that is not there fails the whole call (409), "
    "or is made if `force` says so."
)
_AMEND = "The name tells which item is meant, and stays. One that is not there is left alone."
_DELETE = "By `id`, or else by `item_name`; variations go along. Whatever else is sent is not looked at."
_DONE = "The answer comes once it is written, after all that was accepted before."


def _write(summary: str, text: str, schema: type[Schema], example: Mapping[str, object]) -> Description:
    return Description(
        summary,
        Tag.ITEMS,
        {204: Answer("It is written.", {}, media_types=())},
        text=f"{text} {_DONE}",
        query=ItemsV1Query,
        headers=("Idempotency-Key",),
        body=JsonBody(schema, example),
        errors=(409, 429, 504),
    )


POST_ONE = _write("Add an item with its variations (V1)", _ADD, WholeItem, _ITEM)
PUT_ONE = _write("Modify an item with its variations (V1)", _MODIFY, WholeItemChange, _ITEM)
PATCH_ONE = _write("Change fields of an item (V1)", _AMEND, WholeItem, _ITEM)
DELETE_ONE = _write("Delete an item (V1)", _DELETE, ItemV1Delete, _NAMED)
POST_MANY = _write("Add items with their variations (V1)", _ADD, WholeItems, {"items": [_ITEM], "section": "Products"})
PUT_MANY = _write(
    "Modify items with their variations (V1)", _MODIFY, WholeItemChanges, {"items": [_ITEM], "section": "Products"}
)
DELETE_MANY = _write("Delete items (V1)", _DELETE, ItemDeletes, {"items": [_NAMED], "section": "Products"})
