"""The rules of a body, once with marshmallow, as usual, and once with msgspec, the fastest there is."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from marshmallow import INCLUDE, Schema, fields, validate
from msgspec import Meta


class DataSchema(Schema):
    class Meta:
        unknown = INCLUDE

    url = fields.String()
    image_url = fields.String()
    description = fields.String(validate=validate.Length(max=4000))
    keywords = fields.List(fields.String())
    group_ids = fields.List(fields.String())
    facets = fields.Dict(keys=fields.String(validate=validate.Length(max=100)))
    active = fields.Boolean()


class PutSchema(Schema):
    id = fields.String(required=True, validate=validate.Length(1, 250))
    name = fields.String(required=True, validate=validate.Length(1, 250))
    suggested_score = fields.Integer(validate=validate.Range(-1, 500_000_000))
    data = fields.Nested(DataSchema)


class PatchSchema(PutSchema):
    name = fields.String(validate=validate.Length(1, 250))


class DeleteSchema(Schema):
    id = fields.String(required=True, validate=validate.Length(1, 250))


def _body_schema(entry: type[Schema]) -> Schema:
    items = fields.List(fields.Nested(entry), required=True, validate=validate.Length(1, 10_000))
    return Schema.from_dict({"items": items})()


#: By HTTP method.
BODY_SCHEMAS = {
    "PUT": _body_schema(PutSchema),
    "PATCH": _body_schema(PatchSchema),
    "DELETE": _body_schema(DeleteSchema),
}

Text = Annotated[str, Meta(min_length=1, max_length=250)]


class FastData(msgspec.Struct):
    url: str | None = None
    image_url: str | None = None
    description: Annotated[str, Meta(max_length=4000)] | None = None
    keywords: list[str] | None = None
    group_ids: list[str] | None = None
    facets: dict[str, Any] | None = None
    active: bool | None = None


class FastItem(msgspec.Struct):
    id: Text
    name: Text | None = None
    suggested_score: Annotated[int, Meta(ge=-1, le=500_000_000)] | None = None
    data: FastData | None = None


class FastBody(msgspec.Struct):
    items: Annotated[list[FastItem], Meta(min_length=1, max_length=10_000)]


check_fast = msgspec.json.Decoder(FastBody).decode
