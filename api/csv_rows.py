"""CSV columns: what their names mean, and the entry that a row is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from api.errors import Invalid
from api.json_bodies import decode
from shared.model import Kind, Operation

#: What separates the elements of a list in a cell.
SEPARATOR = "|"

_ID_COLUMNS = {Kind.ITEMS: "id", Kind.VARIATIONS: "variation_id", Kind.ITEM_GROUPS: "id"}
#: Columns that whole entries cannot do without, beside their id.
_WHOLE = {Kind.ITEMS: ("item_name",), Kind.VARIATIONS: ("item_id",), Kind.ITEM_GROUPS: ("name",)}

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

_encode = msgspec.json.Encoder().encode
_JSON = msgspec.json.Decoder(Raw)

#: Reads a cell.  Raises ValueError.
Read = Callable[[str], Any]


def _text(cell: str) -> str:
    return cell


def _list(cell: str) -> list[str]:
    return [element for element in map(str.strip, cell.split(SEPARATOR)) if element]


def _one(cell: str) -> list[str]:
    return [cell]


def _number(cell: str) -> Raw | str:
    # What is no number is left for the rules to refuse.
    return Raw(cell.strip().encode()) if _NUMBER.fullmatch(cell.strip()) else cell


def _flag(cell: str) -> bool | str:
    return _FLAGS.get(cell.strip().lower(), cell)


def _json(cell: str) -> Raw:
    try:
        return decode(_JSON, cell.encode())
    except Invalid as refused:
        raise ValueError(refused.errors[0].msg) from None


#: By column: where in an entry it goes, and how it is read.
_DESCRIBED: dict[str, tuple[tuple[str, ...], Read]] = {
    "item_name": (("name",), _text),
    "suggested_score": (("suggested_score",), _number),
    "url": (("data", "url"), _text),
    "image_url": (("data", "image_url"), _text),
    "description": (("data", "description"), _text),
    "keywords": (("data", "keywords"), _list),
    "group_ids": (("data", "group_ids"), _list),
    "active": (("data", "active"), _flag),
}
_COLUMNS: dict[Kind, dict[str, tuple[tuple[str, ...], Read]]] = {
    Kind.ITEMS: {"id": (("id",), _text), **_DESCRIBED},
    Kind.VARIATIONS: {"variation_id": (("id",), _text), "item_id": (("item_id",), _text), **_DESCRIBED},
    Kind.ITEM_GROUPS: {
        "id": (("id",), _text),
        "name": (("name",), _text),
        "parent_id": (("parent_ids",), _one),
        "data": (("data",), _json),
    },
}


def _meaning(name: str, kind: Kind) -> tuple[tuple[str, ...], Read] | None:
    """Say where a column goes and how it is read; None if it is ignored."""
    if kind is not Kind.ITEM_GROUPS:
        for prefix, where, read in (
            ("facet:", ("data", "facets"), _list),
            ("metadata:json:", ("data",), _json),
            ("metadata:", ("data",), _text),
        ):
            rest = name.removeprefix(prefix)
            if rest and rest != name:
                return (*where, rest), read
    return _COLUMNS[kind].get(name)


class Columns:
    """The columns of one file."""

    def __init__(self, names: Sequence[str], kind: Kind, operation: Operation) -> None:
        """Read the first row.  Raises ValueError if it cannot be that."""
        self._width = len(names)
        self._names = [name.strip() for name in names]
        self._top: list[tuple[int, str, Read]] = []
        self._data: list[tuple[int, str, Read]] = []
        self._facets: list[tuple[int, str, Read]] = []
        needed = [_ID_COLUMNS[kind]]
        if operation in (Operation.SYNC, Operation.PUT):
            needed += _WHOLE[kind]
        missing = [name for name in needed if name not in self._names]
        if missing:
            found = ", ".join(map(repr, self._names))[:200]
            raise ValueError(
                f"the first line has to name the columns, separated by commas: {missing[0]!r} is missing in {found}"
            )
        if operation in (Operation.KEEP, Operation.DELETE):
            self._top.append((self._names.index(needed[0]), "id", _text))
            return
        self._place(kind)

    def _place(self, kind: Kind) -> None:
        taken: dict[tuple[str, ...], str] = {}
        for index, name in enumerate(self._names):
            if (meaning := _meaning(name, kind)) is None:
                continue
            where, read = meaning
            if where in taken:
                raise ValueError(f"the columns {taken[where]!r} and {name!r} are one field")
            taken[where] = name
            of = {1: self._top, 2: self._data, 3: self._facets}[len(where)]
            of.append((index, where[-1], read))
        if ("data", "facets") in taken and self._facets:
            raise ValueError(f"the columns {taken['data', 'facets']!r} and {self._names[self._facets[0][0]]!r} collide")

    def entry(self, row: Sequence[str]) -> tuple[Raw, str | None]:
        """Write the entry that a row is, blank cells left out; or tell what keeps it from being one."""
        if len(row) != self._width:
            return Raw(b"null"), f"{len(row)} cells, where the first line names {self._width} columns"
        try:
            entry = {name: read(row[index]) for index, name, read in self._top if row[index]}
            data = {name: read(row[index]) for index, name, read in self._data if row[index]}
            facets = {name: read(row[index]) for index, name, read in self._facets if row[index]}
        except ValueError as problem:
            return Raw(b"null"), str(problem)
        if facets:
            data["facets"] = facets
        if data:
            entry["data"] = data
        return Raw(_encode(entry)), None
