"""Tally the fields of items.  Pure.

The fields of an item are the members of its ``data``; of ``facets`` and ``metadata`` in there, their members.  A null
counts as no value.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from shared.catalog.field_stats import FieldStats, FieldType

#: Fields that are kept of a section; of more, those that most items have.
MOST_FIELDS = 1000
#: Fields that are tallied: those found beyond are left out, so that no feed takes much memory.
MOST_TALLIED = 5_000
#: Bytes of names and examples that are kept of a section.
MOST_BYTES = 256 * 1024
#: Longest name of a field in the public contract, characters.
LONGEST_NAME = 300
#: Examples of a field, and the items that are looked at for them.
EXAMPLES = 5
LOOKED_AT = 100
#: Characters of an example.
EXAMPLE_LENGTH = 100
#: Members of ``data`` whose own members are the fields.
CONTAINERS = ("metadata", "facets")

_TYPES: dict[type, FieldType] = {
    str: FieldType.STRING,
    int: FieldType.NUMBER,
    Decimal: FieldType.NUMBER,
    bool: FieldType.BOOLEAN,
    list: FieldType.ARRAY,
    dict: FieldType.OBJECT,
}


class _TalliedItem(msgspec.Struct):
    #: Absent, or null, if nothing was sent.
    data: dict[str, Any] | None = None


class _RawItem(msgspec.Struct):
    data: dict[str, msgspec.Raw] | None = None


_decode_raw = msgspec.json.Decoder(_RawItem).decode
_decode_any = msgspec.json.Decoder(float_hook=Decimal).decode
# A Decimal is written with the digits that were sent.
_decode = msgspec.json.Decoder(_TalliedItem, float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode
#: What is raised of a number with too many digits, and of one whose exponent no Decimal has.
_TOO_GREAT = (msgspec.ValidationError, InvalidOperation)


def _data_of(body: bytes) -> dict[str, Any]:
    """Decode the data of an item; a number too great for Python counts as any other."""
    try:
        return _decode(body).data or {}
    except _TOO_GREAT:
        return {name: _value_of(bytes(raw)) for name, raw in (_decode_raw(body).data or {}).items()}


def _value_of(text: bytes) -> Any:
    try:
        return _decode_any(text)
    except _TOO_GREAT:
        return {b"{": {}, b"[": []}.get(text[:1], Decimal(0))


class PresenceTally:
    """Counts values by field and type, and collects examples."""

    def __init__(self) -> None:
        #: Number of items.
        self.items = 0
        self._values: Counter[tuple[str, type]] = Counter()
        self._examples: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._looks: Counter[str] = Counter()
        #: Fields that need no more examples.
        self._fed: set[str] = set()

    def add(self, bodies: Iterable[bytes]) -> None:
        """Count items, each as its JSON."""
        for body in bodies:
            fields = _fields(_data_of(body))
            hungry = fields.keys() - self._fed
            if left_out := {name for name in hungry if not self._admits(name)}:
                fields = {name: value for name, value in fields.items() if name not in left_out}
                hungry -= left_out
            self.items += 1
            self._values.update(zip(fields, map(type, fields.values()), strict=True))
            self._feed(hungry, fields)

    def _admits(self, name: str) -> bool:
        return name in self._looks or (1 <= len(name) <= LONGEST_NAME and len(self._looks) < MOST_TALLIED)

    def _feed(self, hungry: Iterable[str], fields: Mapping[str, Any]) -> None:
        for name in hungry:
            examples, value = self._examples[name], fields[name]
            if value not in (None, "", [], {}):
                examples[_as_text(value)] = None
            self._looks[name] += 1
            if len(examples) == EXAMPLES or self._looks[name] == LOOKED_AT:
                self._fed.add(name)

    def result(self, since: Mapping[str, int], now_ms: int) -> list[FieldStats]:
        """Return the fields by name, each with when it was first found: in ``since``, or now."""
        types: defaultdict[str, dict[FieldType, int]] = defaultdict(dict)
        for (name, kind), count in self._values.items():
            if kind in _TYPES:
                found = types[name]
                found[_TYPES[kind]] = found.get(_TYPES[kind], 0) + count
        fields = [
            FieldStats(
                name,
                sum(found.values()),
                next(iter(found)) if len(found) == 1 else FieldType.MIXED,
                list(self._examples[name]),
                since.get(name, now_ms),
            )
            for name, found in types.items()
        ]
        return sorted(_most_present(fields), key=lambda field: field.name)


def _fields(data: dict[str, Any]) -> dict[str, Any]:
    """Take the members out of the containers; a field of ``data`` itself goes before one of the same name."""
    for container in CONTAINERS:
        if type(inner := data.get(container)) is dict:
            data = {**inner, **data}
            del data[container]
    return data


def _as_text(value: Any) -> str:
    text = value if isinstance(value, str) else _encode(value).decode()
    return text if len(text) <= EXAMPLE_LENGTH else text[:EXAMPLE_LENGTH] + "…"


def _most_present(fields: list[FieldStats]) -> Iterable[FieldStats]:
    size = 0
    for field in sorted(fields, key=lambda field: (-field.items, field.name))[:MOST_FIELDS]:
        size += len(field.name.encode()) + sum(len(text.encode()) for text in field.examples)
        if size > MOST_BYTES:
            return
        yield field
