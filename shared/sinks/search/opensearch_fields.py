"""The fields of documents in OpenSearch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.model import Kind
from shared.sinks.mapping import ColumnType, Variations
from shared.sinks.mapping import Mapping as SinkMapping

_KEYWORD = {"type": "keyword", "ignore_above": 8191}
_TYPES: Mapping[ColumnType, Mapping[str, Any]] = {
    ColumnType.TEXT: {"type": "text", "fields": {"keyword": _KEYWORD}},
    ColumnType.TEXTS: {"type": "text", "fields": {"keyword": _KEYWORD}},
    ColumnType.INTEGER: {"type": "long"},
    ColumnType.NUMBER: {"type": "double"},
    ColumnType.BOOLEAN: {"type": "boolean"},
    ColumnType.TIME: {"type": "date"},
    ColumnType.JSON: {"type": "object", "enabled": False},
}
_BODY = {"type": "object", "enabled": False}
#: Every document has them; ``id`` orders as the catalogue does.
_FIXED: Mapping[str, Mapping[str, Any]] = {
    "id": {"type": "keyword"},
    "item_id": {"type": "keyword"},
    "updated_at": {"type": "date"},
    "body": _BODY,
}


def properties(mapping: SinkMapping, kind: Kind) -> dict[str, Any]:
    """Declare the fields of a kind."""
    fields = {**_FIXED, **_columns(mapping, kind)}
    if mapping.mode is Variations.NESTED and kind is Kind.ITEMS:
        fields["variations"] = {"type": "nested", "dynamic": False, "properties": _within(mapping, Kind.VARIATIONS)}
    if mapping.mode is Variations.FLAT and kind is Kind.VARIATIONS:
        fields["item"] = {"dynamic": False, "properties": _within(mapping, Kind.ITEMS)}
    return fields


def _within(mapping: SinkMapping, kind: Kind) -> dict[str, Any]:
    return {"id": {"type": "keyword"}, "body": _BODY, **_columns(mapping, kind)}


def _columns(mapping: SinkMapping, kind: Kind) -> dict[str, Any]:
    return {column.name: _TYPES[column.type] for column in mapping.columns(kind)}
