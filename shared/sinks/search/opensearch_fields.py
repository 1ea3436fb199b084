"""The fields of documents in OpenSearch, and the entries that they are read back as."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from shared.catalog.pages import StoredEntry
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


class _Source(msgspec.Struct):
    """What of a document is an entry; numbers in the body stay as they are spelled."""

    id: str
    updated_at: str
    body: msgspec.Raw


class _Hit(msgspec.Struct):
    source: _Source | None = msgspec.field(name="_source", default=None)


class _Hits(msgspec.Struct):
    hits: list[_Hit]


class _Search(msgspec.Struct):
    hits: _Hits


class _Many(msgspec.Struct):
    docs: list[_Hit]


_decode_search = msgspec.json.Decoder(_Search).decode
_decode_many = msgspec.json.Decoder(_Many).decode


def entries_found(answer: bytes) -> list[StoredEntry]:
    """Read the answer of a search as entries."""
    return list(_entries(_decode_search(answer).hits.hits))


def entries_got(answer: bytes) -> list[StoredEntry]:
    """Read the answer to a request for several documents as entries, without those that are not there."""
    return list(_entries(_decode_many(answer).docs))


def _entries(hits: list[_Hit]) -> Iterator[StoredEntry]:
    for hit in hits:
        if (one := hit.source) is not None:
            moment = datetime.fromisoformat(one.updated_at)
            yield StoredEntry(one.id, int(moment.timestamp() * 1000), bytes(one.body))
