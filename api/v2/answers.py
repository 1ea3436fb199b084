"""Schemas of answers about entries, for the OpenAPI document."""

from __future__ import annotations

from marshmallow import Schema
from marshmallow import fields as ma

from api.openapi.answers import TOTAL_COUNT, moment
from api.schemas import fields
from api.schemas.base import Strict
from api.schemas.entries import GroupPut, ItemPut, VariationPut


class StoredItem(ItemPut):
    """An item, as sent or merged."""

    updated_at = moment(description="When it last changed.")


class StoredVariation(VariationPut):
    """A variation, as sent or merged."""

    updated_at = moment(description="When it last changed.")


class StoredGroupSchema(GroupPut):
    """An item group, as sent or merged."""

    updated_at = moment(description="When it last changed.")


def page_of(name: str, schema: type[Schema]) -> type[Strict]:
    """Create the schema of a page of entries."""
    members = {
        name: fields.ListOf(fields.Object(schema), required=True),
        "total_count": ma.Integer(metadata={"minimum": 0, "description": TOTAL_COUNT}),
        "next_page_cursor": fields.Text(metadata={"description": "Cursor for the next page; absent on the last one."}),
    }
    page: type[Strict] = type(f"PageOf{schema.__name__.removeprefix('Stored')}s", (Strict,), members)
    return page


# --- item groups of V1 -----------------------------------------------------------------------------------------------
