"""Teach apispec to write our kinds of field as JSON Schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apispec.ext.marshmallow.common import make_schema_key
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import fields as ma
from marshmallow import validate

from api.schemas import fields, query_fields
from api.schemas.wait import INDEXED, QueryWait

_FLAG_TEXT = "A boolean in a query, in any of the usual spellings and in any case."
_FLAGS = ["true", "false", "True", "False", "TRUE", "FALSE", "1", "0", "yes", "no", "on", "off", "t", "f", "y", "n"]

_EDIT_KEY = ":(add|remove)$"


def teach(converter: OpenAPIConverter) -> None:
    """Teach apispec our fields."""
    converter.add_attribute_function(_our_kind)
    converter.add_attribute_function(_no_null_default)


def _our_kind(converter: OpenAPIConverter, field: ma.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    for kind, write in _WRITERS.items():
        if isinstance(field, kind):
            return write(converter, field, ret)
    return {}


def _no_null_default(_: OpenAPIConverter, __: ma.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    """Remove the default that apispec writes where None stands for "not sent"."""
    if "default" in ret and ret["default"] is None:
        del ret["default"]
    return {}


def _text(_: OpenAPIConverter, field: ma.Field[Any], __: dict[str, Any]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for validator in field.validators:
        if isinstance(validator, fields.ContainsOneOf):
            written["pattern"] = validator.characters
        if isinstance(validator, validate.Email):
            written["format"] = "email"
    return written


def _query_flag(converter: OpenAPIConverter, _: ma.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    ret.pop("type", None)
    if "Flag" not in converter.spec.components.schemas:
        schema = {"anyOf": [{"type": "boolean"}, {"type": "string", "enum": _FLAGS}], "description": _FLAG_TEXT}
        converter.spec.components.schema("Flag", schema)
    return {"$ref": "#/components/schemas/Flag"}


def _query_wait(_: OpenAPIConverter, __: ma.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    bounds = {name: ret.pop(name) for name in ("type", "minimum", "maximum")}
    return {"anyOf": [bounds, {"type": "string", "enum": [INDEXED]}]}


def _text_or_number(converter: OpenAPIConverter, field: Any, _: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [converter.field2property(field.text), {"type": "number"}]}


def _one_or_many(converter: OpenAPIConverter, field: Any, ret: dict[str, Any]) -> dict[str, Any]:
    ret.pop("type", None), ret.pop("items", None)
    inner = converter.field2property(field.inner)
    return {"anyOf": [inner, {"type": "array", "items": inner}]}


def _map(converter: OpenAPIConverter, field: Any, _: dict[str, Any]) -> dict[str, Any]:
    return {"propertyNames": {"maxLength": converter.field2property(field.names)["maxLength"]}}


def _open_object(converter: OpenAPIConverter, field: Any, ret: dict[str, Any]) -> dict[str, Any]:
    """Write whether edit keys, which no property names, are allowed."""
    if field.edits_refused:
        edits: dict[str, Any] = {"propertyNames": {"not": {"pattern": _EDIT_KEY}}}
    else:
        edits = {"patternProperties": {_EDIT_KEY: {"type": "array"}}}
    schemas, name = converter.spec.components.schemas, type(field.schema).__name__
    if field.schema.fields:
        schemas[name].update(edits)
        return {}
    # A schema without known fields is written in place: its edit keys depend on where it stands.
    schemas.pop(name, None)
    converter.refs.pop(make_schema_key(field.schema), None)
    ret.pop("$ref", None), ret.pop("anyOf", None)
    return {"type": ["object", "null"] if field.allow_none else "object", **edits}


_WRITERS: dict[type[ma.Field[Any]], Callable[[OpenAPIConverter, Any, dict[str, Any]], dict[str, Any]]] = {
    query_fields.QueryFlag: _query_flag,
    QueryWait: _query_wait,
    fields.JsonSchema: lambda *_: {"type": ["object", "boolean"]},
    fields.TextOrNumber: _text_or_number,
    fields.OneOrMany: _one_or_many,
    fields.MapOf: _map,
    fields.OpenObject: _open_object,
    fields.Text: _text,
}
