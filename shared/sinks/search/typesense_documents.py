"""The fields of documents in Typesense, and the entries that they are read back as."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from shared.catalog.pages import StoredEntry
from shared.codec import encode_json
from shared.model import Kind
from shared.sinks.mapping import ColumnType, Document, Variations
from shared.sinks.mapping import Mapping as SinkMapping

_TYPES: Mapping[ColumnType, Mapping[str, Any]] = {
    ColumnType.TEXT: {"type": "string", "facet": True},
    ColumnType.TEXTS: {"type": "string[]", "facet": True},
    ColumnType.INTEGER: {"type": "int64", "facet": True},
    ColumnType.NUMBER: {"type": "float", "facet": True},
    ColumnType.BOOLEAN: {"type": "bool", "facet": True},
    ColumnType.TIME: {"type": "int64"},
    ColumnType.JSON: {"type": "string", "index": False},
}
#: Every document has them, beside its id.
_FIXED = (
    {"name": "item_id", "type": "string", "optional": True, "facet": True},
    {"name": "updated_at", "type": "int64", "optional": True},
    {"name": "body", "type": "string", "optional": True, "index": False},
)


def schema(mapping: SinkMapping, kind: Kind) -> dict[str, Any]:
    """Declare the collection of a kind, but for its name."""
    fields = [*_FIXED, *({"name": one.name, "optional": True, **_TYPES[one.type]} for one in mapping.columns(kind))]
    if mapping.mode is Variations.NESTED and kind is Kind.ITEMS:
        fields += _within(mapping, Kind.VARIATIONS, "variations", "[]")
    if mapping.mode is Variations.FLAT and kind is Kind.VARIATIONS:
        fields += _within(mapping, Kind.ITEMS, "item", "")
    nested = mapping.mode in (Variations.NESTED, Variations.FLAT)
    return {"fields": fields, **({"enable_nested_fields": True} if nested else {})}


def _within(mapping: SinkMapping, kind: Kind, name: str, many: str) -> Iterator[dict[str, Any]]:
    """Declare what is searched of entries inside others; the rest of them is stored."""
    yield {"name": f"{name}.id", "type": f"string{many}", "optional": True, "facet": True}
    for column in mapping.columns(kind):
        if column.type is not ColumnType.JSON:
            of = _TYPES[column.type]
            type_ = of["type"] if of["type"].endswith("[]") else of["type"] + many
            yield {**of, "name": f"{name}.{column.name}", "type": type_, "optional": True}


def row_of(one: Document, mapping: SinkMapping, kind: Kind) -> dict[str, Any]:
    """Write a document as a row.  Raises ValueError, OverflowError."""
    row = _row(one, mapping, kind)
    if one.related is not None:
        other = Kind.VARIATIONS if kind is Kind.ITEMS else Kind.ITEMS
        rows = [_present(_row(each, mapping, other)) for each in one.related]
        if kind is Kind.ITEMS:
            row["variations"] = rows
        elif rows:
            row["item"] = rows[0]
    return row


def _row(one: Document, mapping: SinkMapping, kind: Kind) -> dict[str, Any]:
    row: dict[str, Any] = {"id": one.id, "body": one.body.decode(), "updated_at": one.updated_ms // 1000}
    if one.item_id is not None:
        row["item_id"] = one.item_id
    return row | {column.name: _value(one.columns[column.name], column.type) for column in mapping.columns(kind)}


def _present(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is null: inside others the server takes it for a value of a wrong type."""
    return {name: value for name, value in row.items() if value is not None}


def _value(value: Any, type_: ColumnType) -> Any:
    if value is None:
        return None
    if type_ is ColumnType.TIME:
        return int(datetime.fromisoformat(value).timestamp())
    return encode_json(value).decode() if type_ is ColumnType.JSON else value


def entry_of(found: Mapping[str, Any]) -> StoredEntry:
    """Read a document back as the entry that it was."""
    return StoredEntry(found["id"], found["updated_at"] * 1000, found["body"].encode())


def read_lines(body: bytes) -> list[Any]:
    """Read an export."""
    return list(map(json.loads, body.splitlines()))
