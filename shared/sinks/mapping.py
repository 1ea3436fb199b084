"""Mappings: which fields of an entry become which columns of a destination.

A mapping is data, so it can be stored, compared and checked; `Mapped` applies it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from shared.catalog.pages import StoredEntry
from shared.codec import encode_json
from shared.model import Kind


class ColumnType(StrEnum):
    """The type of a column."""

    TEXT = "text"
    #: A list of texts; a single one counts as a list of one.
    TEXTS = "texts"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    #: A date and time in ISO 8601, with an offset.
    TIME = "time"
    #: Anything.
    JSON = "json"


class Variations(StrEnum):
    """What becomes of variations."""

    #: A table of their own.
    TABLE = "table"
    #: Also a list within their item.
    NESTED = "nested"
    #: Also rows with the fields of their item.
    FLAT = "flat"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: taken from an entry, or the same for all."""

    name: str
    type: ColumnType = ColumnType.TEXT
    #: Members to go down by, from the entry on; empty for a constant.
    path: tuple[str, ...] = ()
    value: Any = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """What is delivered of items and of variations."""

    items: tuple[Column, ...] = (Column("name", path=("name",)),)
    variations: tuple[Column, ...] = (Column("name", path=("name",)),)
    mode: Variations = Variations.TABLE

    @property
    def digest(self) -> str:
        return hashlib.sha256(encode_json(self)).hexdigest()[:16]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds that are delivered."""
        return (Kind.ITEMS,) if self.mode is Variations.NONE else (Kind.ITEMS, Kind.VARIATIONS)

    def columns(self, kind: Kind) -> tuple[Column, ...]:
        return self.items if kind is Kind.ITEMS else self.variations


#: The mapping of a sink that was given none.
DEFAULT = Mapping()


class Unmappable(ValueError):
    """An entry cannot have a column's type; the text says which."""


@dataclass(frozen=True, slots=True)
class Document:
    """An entry as a destination gets it."""

    id: str
    #: The item of a variation.
    item_id: str | None
    updated_ms: int
    #: The whole entry, JSON.
    body: bytes
    #: The columns of the mapping.
    columns: dict[str, Any] = field(default_factory=dict)
    #: What is put into it: the variations of an item, the item of a variation; None if nothing has to be.
    related: tuple[Document, ...] | None = None


_decode: Callable[[bytes], Any] = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_level = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_any = msgspec.json.decode
_number_decoder: Callable[[str], int | float] = msgspec.json.Decoder(int | float).decode


def document(mapping: Mapping, kind: Kind, entry: StoredEntry) -> Document:
    """Map an entry.  Raises Unmappable."""
    members = _decode(entry.body)
    item_id = _any(members["item_id"]) if kind is Kind.VARIATIONS else None
    columns = {}
    for column in mapping.columns(kind):
        try:
            columns[column.name] = _value(column, members)
        # Numbers may be sent that no number here can hold.
        except (ValueError, OverflowError, msgspec.DecodeError) as problem:
            source = ".".join(column.path)
            raise Unmappable(f"{source} cannot become the {column.type} column {column.name}: {problem}") from None
    return Document(entry.id, item_id, entry.updated_ms, entry.body, columns)


def _value(column: Column, members: dict[str, msgspec.Raw]) -> Any:
    if not column.path:
        return column.value
    *parents, last = column.path
    for name in parents:
        found = members.get(name)
        if found is None or not bytes(found).lstrip().startswith(b"{"):
            return None
        members = _decode_level(found)
    raw = members.get(last)
    if raw is None or column.type is ColumnType.JSON:
        return raw
    value = _any(raw)
    # A facet of one value is often sent as a list of one.
    if isinstance(value, list) and len(value) == 1 and column.type is not ColumnType.TEXTS:
        value = value[0]
    if value is None:
        return None
    return _CHECKS[column.type](value, raw)


def _text(value: Any, raw: msgspec.Raw) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("it is no text")
    # As it was sent: 19.90 keeps its zero.
    return bytes(raw).decode().strip("[] \t\r\n")


def _texts(value: Any, raw: msgspec.Raw) -> Any:
    if isinstance(value, list):
        return [_text(one, msgspec.Raw(encode_json(one))) for one in value]
    return [_text(value, raw)]


def _integer(value: Any, raw: msgspec.Raw) -> Any:
    number = _number_of(value)
    if number != int(number) or not -(2**63) <= number < 2**63:
        raise ValueError("it is no whole number of 64 bits")
    return int(number)


def _number(value: Any, raw: msgspec.Raw) -> Any:
    _number_of(value)
    if isinstance(value, str):
        return msgspec.Raw(value.strip().encode())
    return msgspec.Raw(bytes(raw).strip(b"[] \t\r\n"))


def _number_of(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("it is no number")
    if isinstance(value, str):
        try:
            return _number_decoder(value.strip())
        except (msgspec.DecodeError, ValueError):
            raise ValueError("it is no number") from None
    return value


def _boolean(value: Any, raw: msgspec.Raw) -> Any:
    named = {"true": True, "false": False}
    found = named.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise ValueError("it is neither true nor false")
    return found


def _time(value: Any, raw: msgspec.Raw) -> Any:
    if not isinstance(value, str):
        raise ValueError("it is no time")
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("it has no offset, such as Z")
    return value


_CHECKS: dict[ColumnType, Callable[[Any, msgspec.Raw], Any]] = {
    ColumnType.TEXT: _text,
    ColumnType.TEXTS: _texts,
    ColumnType.INTEGER: _integer,
    ColumnType.NUMBER: _number,
    ColumnType.BOOLEAN: _boolean,
    ColumnType.TIME: _time,
}
