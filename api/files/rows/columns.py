"""CSV columns: the field of an entry that each one sets, and how its cells are read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from api.entries.json_body import decode
from api.errors import Invalid
from shared.model import Kind, Operation

#: Separates the elements of a list in a cell.
SEPARATOR = "|"

_ID_COLUMNS = {Kind.ITEMS: ("id",), Kind.VARIATIONS: ("variation_id", "id"), Kind.ITEM_GROUPS: ("id",)}
#: Columns that whole entries need besides their id; one of each tuple.
_WHOLE: dict[Kind, list[tuple[str, ...]]] = {
    Kind.ITEMS: [("item_name",)],
    Kind.VARIATIONS: [("item_id",)],
    Kind.ITEM_GROUPS: [("name",), ("parent_ids", "parent_id")],
}

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

#: One element of a cell with several facets, and its two halves; a backslash escapes the next character.
_ELEMENTS = re.compile(r"((?:[^|\\]|\\.|\\$)*)(?:\||$)", re.DOTALL)
_HALVES = re.compile(r"((?:[^:\\]|\\.)*):(.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\([|:\\])")

_JSON = msgspec.json.Decoder(Raw)

#: Reads a cell.  Raises ValueError.
Read = Callable[[str], Any]


class Meaning(NamedTuple):
    """The field that a column sets, and how its cells are read."""

    #: Path of the field in an entry.
    path: tuple[str, ...]
    #: None: the text is taken as it is.
    read: Read | None


def _list(cell: str) -> list[str]:
    elements = cell.split(SEPARATOR)
    # Fast path: nearly always there is nothing to strip.
    if "" not in elements and " " not in cell and cell.isprintable():
        return elements
    return [element for element in map(str.strip, elements) if element]


def _one(cell: str) -> list[str]:
    return [cell]


def _number(cell: str) -> Raw | str:
    # The entry rules reject what is not a number.
    return Raw(cell.encode()) if _NUMBER.fullmatch(cell) else cell


def _flag(cell: str) -> bool | str:
    return _FLAGS.get(cell.lower(), cell)


def _json(cell: str) -> Raw:
    try:
        return decode(_JSON, cell.encode())
    except Invalid as refused:
        raise ValueError(refused.errors[0].msg) from None


def _json_list(cell: str) -> Raw:
    if not cell.startswith("["):
        raise ValueError('not a JSON array of ids such as ["shoes", "sale"]')
    return _json(cell)


def _facets(cell: str) -> dict[str, list[str]]:
    """Read ``color: red|size: medium``; a name that is repeated has several values."""
    facets: dict[str, list[str]] = {}
    for element in _ELEMENTS.findall(cell):
        if not element.strip():
            continue
        if (halves := _HALVES.fullmatch(element)) is None:
            raise ValueError(f"{element.strip()[:50]!r} is not a facet of the form name: value")
        name, value = (_ESCAPED.sub(r"\1", half).strip() for half in halves.groups())
        if not name:
            raise ValueError(f"{element.strip()[:50]!r} is a facet without a name")
        if value:
            facets.setdefault(name, []).append(value)
    return facets


#: Fields of ``data`` that are booleans, also when sent as metadata.
_DATA_FLAGS = ("active", "deactivated", "is_default")

_DESCRIBED: dict[str, Meaning] = {
    "item_name": Meaning(("name",), None),
    "suggested_score": Meaning(("suggested_score",), _number),
    "url": Meaning(("data", "url"), None),
    "image_url": Meaning(("data", "image_url"), None),
    "description": Meaning(("data", "description"), None),
    "keywords": Meaning(("data", "keywords"), _list),
    "group_ids": Meaning(("data", "group_ids"), _list),
    "active": Meaning(("data", "active"), _flag),
    "facets": Meaning(("data", "facets"), _facets),
}
_COLUMNS: dict[Kind, dict[str, Meaning]] = {
    Kind.ITEMS: {"id": Meaning(("id",), None), **_DESCRIBED},
    Kind.VARIATIONS: {
        "variation_id": Meaning(("id",), None),
        "item_id": Meaning(("item_id",), None),
        **_DESCRIBED,
    },
    Kind.ITEM_GROUPS: {
        "id": Meaning(("id",), None),
        "name": Meaning(("name",), None),
        "parent_ids": Meaning(("parent_ids",), _json_list),
        "parent_id": Meaning(("parent_ids",), _one),
        "data": Meaning(("data",), _json),
    },
}
JSON_PREFIX = "metadata:json:"
#: Column names that are prefixes.
_PREFIXES = {
    "facet:": Meaning(("data", "facets"), _list),
    JSON_PREFIX: Meaning(("data",), _json),
    "metadata:": Meaning(("data",), None),
}


def meaning_of(name: str, kind: Kind) -> Meaning | None:
    """Look up a column; None if it is unknown."""
    if kind is not Kind.ITEM_GROUPS:
        for prefix, (path, read) in _PREFIXES.items():
            rest = name.removeprefix(prefix).strip()
            if rest and name.startswith(prefix):
                return Meaning((*path, rest), _flag if rest in _DATA_FLAGS and read is None else read)
    return _COLUMNS[kind].get(name)


def known_columns(kind: Kind) -> list[str]:
    """List the known columns, and the known prefixes."""
    return [*_COLUMNS[kind], *(() if kind is Kind.ITEM_GROUPS else _PREFIXES)]


def column_for(path: tuple[str, ...], kind: Kind) -> str | None:
    """Name the column that would set a field of an entry."""
    return next((name for name, meaning in _COLUMNS[kind].items() if meaning.path == path), None)


def needed_columns(kind: Kind, operation: Operation) -> list[tuple[str, ...]]:
    """List the columns that a file needs; one of each tuple."""
    if operation in (Operation.SYNC, Operation.PUT):
        return [_ID_COLUMNS[kind], *_WHOLE[kind]]
    return [_ID_COLUMNS[kind]]
