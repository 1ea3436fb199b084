"""Read single fields of many entries at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Raw

from shared.codec import encode_json
from shared.guards.rules import DATA

#: A field of some entries.
Column = list[Any]

#: Values that say nothing; b"" is a field that is not there.
EMPTY = frozenset({b"", b"null", b'""', b"[]", b"{}"})
_LONGEST_EMPTY = max(map(len, EMPTY))

_ABSENT = Raw()
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_any = msgspec.json.Decoder().decode
_NUMBERS = frozenset({int, float})
_NEVER_EMPTY = _NUMBERS | {bool}
#: No number this great is looked at: as a whole number it would be too great to be divided.
_GREAT = 1e300
_BLANK = re.compile(rb"\[[ \t\r\n]*\]|\{[ \t\r\n]*\}")
_PLAIN_NUMBER = re.compile(r"\s*-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\s*", re.ASCII)


#: What no name of a field that is read may have: the decoder refuses it.
_UNREADABLE = re.compile(r'["\\\x00-\x1f\x7f]')


def can_be_read(name: str) -> bool:
    """Return whether a field of this name can be read."""
    return _UNREADABLE.search(name) is None


def read_columns(entries: Sequence[bytes], names: Sequence[str], raw: frozenset[str]) -> list[Column]:
    """Read the named fields of entries, a column for each name.

    They are decoded, None standing for a field that is not there; those in ``raw`` stay JSON, empty if not there.
    """
    decode, columns = _reader(tuple(names), raw.intersection(names))
    try:
        rows = list(map(decode, entries))
    except msgspec.ValidationError:
        # Some number is too great for Python.
        texts = read_columns(entries, names, frozenset(names))
        return [one if name in raw else list(map(plain, one)) for name, one in zip(names, texts, strict=True)]
    return [list(map(column, rows)) for column in columns]


@lru_cache(maxsize=64)
def _reader(names: tuple[str, ...], raw: frozenset[str]) -> tuple[Callable[[bytes], Any], list[Callable[[Any], Any]]]:
    """Make a decoder that skips all other fields, and what picks each field out of a row."""
    top: list[Any] = []
    inner: list[Any] = []
    renamed: dict[str, str] = {}
    columns: list[Callable[[Any], Any]] = []
    for number, name in enumerate(names):
        attribute, is_data = f"f{number}", name.startswith(DATA)
        slot = (attribute, Raw, _ABSENT) if name in raw else (attribute, Any, None)
        (inner if is_data else top).append(slot)
        renamed[attribute] = name.removeprefix(DATA) if is_data else name
        columns.append(attrgetter(f"data.{attribute}" if is_data else attribute))
    data = msgspec.defstruct("Data", inner, rename={one[0]: renamed[one[0]] for one in inner}, gc=False)
    if inner:
        top.append(("data", data, msgspec.field(default_factory=data)))
    names_of_top = {one[0]: renamed.get(one[0], "data") for one in top}
    return msgspec.json.Decoder(msgspec.defstruct("Entry", top, rename=names_of_top, gc=False)).decode, columns


def plain(value: bytes | Raw) -> Any:
    """Decode a value; a number that is too great stays a text, and what is not there is None."""
    text = bytes(value)
    try:
        return _decode_any(text) if text else None
    except msgspec.ValidationError:
        return text.decode()


def read_all(entry: bytes) -> dict[str, bytes]:
    """Read every field of an entry, and of its data, by name; not its id."""
    fields = _decode_object(entry)
    found = {name: bytes(value) for name, value in fields.items() if name not in ("id", "data")}
    data = fields.get("data")
    if data is not None and bytes(data).startswith(b"{"):
        found |= {DATA + name: bytes(value) for name, value in _decode_object(data).items()}
    return found


def empty_ones(column: Column) -> list[int]:
    """List where a column has no value: not there, null, an empty text, list or object."""
    kinds = set(map(type, column))
    if kinds <= _NEVER_EMPTY or (Raw not in kinds and all(column)):
        return []
    if kinds == {Raw} and min(map(len, column)) > _LONGEST_EMPTY and not any(map(_blank, column)):
        return []
    return [i for i, value in enumerate(column) if is_empty(value)]


def is_empty(value: Any) -> bool:
    """Return whether a value of a column says nothing."""
    if isinstance(value, Raw):
        return (len(value) <= _LONGEST_EMPTY and bytes(value) in EMPTY) or _blank(value)
    return value is None or value in ("", [], {})


def _blank(value: Raw) -> bool:
    """Return whether a value is a list or object with nothing but white space in it."""
    return _BLANK.fullmatch(bytes(value)) is not None


def numbers_of(column: Column) -> Sequence[float | None]:
    """Return the numbers of a numeric column, also those sent as texts, as CSV columns are; None for anything else."""
    kinds = set(map(type, column))
    if kinds == {float} or (kinds <= _NUMBERS and min(column) > -_GREAT and max(column) < _GREAT):
        return column
    return list(map(_number, column))


def _number(value: Any) -> float | None:
    if isinstance(value, str) and _PLAIN_NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -_GREAT < value < _GREAT else None


def text_of(value: Any) -> str:
    """Write a value of a column for people, as JSON."""
    text = bytes(value) if isinstance(value, Raw) else encode_json(value)
    return text.decode()


#: UTF-8 that was read as Latin-1 or Windows-1252 and written as UTF-8 once more, and the sign for what could not be
#: read at all; as they are in JSON, with and without escapes.
_GARBLED = re.compile(
    rb"\xc3[\x82\x83](?:\xc2[\x80-\xbf]|\xc5[\x92\x93\xa0\xa1\xb8\xbd\xbe]|\xc6\x92|\xcb[\x86\x9c]|\xe2[\x80-\x84][\x80-\xbf])"
    rb"|\xc3\xa2\xe2\x82\xac|\xc3\xa2\xc2\x80"
    rb"|\xef\xbf\xbd"
    rb"|\\u00[cC][23]\\u00[89abAB][0-9a-fA-F]|\\u00[eE]2\\u20[aA][cC]|\\u00[eE]2\\u0080|\\u[fF]{3}[dD]"
)


def is_garbled(value: Any) -> bool:
    """Return whether a text looks decoded with a wrong character encoding: ``GrÃ¶ÃŸe`` for ``Größe``."""
    return _GARBLED.search(bytes(value) if isinstance(value, Raw) else encode_json(value)) is not None
