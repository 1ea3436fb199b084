"""Merge many PATCHes at once, as rows of one table.

`shared.catalog.merging` takes every entry apart and puts it together again, and its ``data`` too.  Here all entries
are read as rows, the columns that were sent are compared and put in place together, and only the rows that changed are
written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum, auto
from functools import lru_cache
from textwrap import indent
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType
from stringzilla import count

from shared.catalog.equality import same
from shared.catalog.merging import NULL, decode_fields, decode_list, encode_fields, may_have_nulls

#: Entries processed together: few enough to stay in a processor's cache.
AT_ONCE = 128
#: Limits beyond which merging one by one is faster: fewer entries (callers check that); more columns, sent or in all,
#: each of which costs a little in every row; more frequent unknown fields.
FEWEST = 32
SENT_COLUMNS, COLUMNS = 16, 100
SURPRISES = 2
#: Tables whose reader is remembered, some ten kilobytes each, and the characters of all names in one.
TABLES = 64
NAMES_LENGTH = 10_000


class _Names(NamedTuple):
    """The fields of entries, and those of their ``data``; None if that is a field like any other."""

    top: tuple[str, ...]
    data: tuple[str, ...] | None


class _Table(NamedTuple):
    """A reader of entries that have only these fields."""

    read: Callable[[bytes], list[Any]]
    #: Makes an empty ``data``.
    no_data: Callable[[], Any]
    #: By name, the attribute that is a field, of a row and of its data.
    top: dict[str, str]
    data: dict[str, str]


class _With(Enum):
    """The target of a merge, which decides what a null does."""

    #: Entries; there is no null among the changes.
    VALUES = auto()
    #: Entries; a null removes.
    NULLS = auto()
    #: PATCHes that name all the fields already; a null stays one.
    PATCHES = auto()


#: Merges changes into rows; yields each as JSON, those in which nothing changed as they were stored, and nothing at all
#: for those of which that cannot be told.
_Merge = Callable[[Sequence[bytes], Sequence[Any], Sequence[Any]], Iterator[bytes]]


class _NotPlain(Exception):
    """Not of the kind that can be merged here."""


def merge_columns(stored: Sequence[bytes], sent: bytes, first: bytes) -> list[bytes] | None:
    """Merge what was sent into entries that are stored, one each, as `merging.merge` does; returns all of it.

    ``sent`` is a JSON list, ``first`` its first entry.  None if there is more to do than to set and to remove fields,
    or one by one is faster.  An entry in which nothing changes comes back as the object it was; one that changes has
    its fields in the order of the others, and so has its ``data``, if some was sent.
    """
    return _merge(stored, sent, first, _With.NULLS if may_have_nulls(sent) else _With.VALUES)


def compose_columns(patches: Sequence[bytes], sent: bytes, first: bytes) -> list[bytes] | None:
    """Compose each PATCH with the one sent behind it, as `merging.composed` does; otherwise as `merge_columns`.

    In the place of one that is sent a field which the PATCH before it did not name, there is an empty one.
    """
    return _merge(patches, sent, first, _With.PATCHES)


def _merge(stored: Sequence[bytes], sent: bytes, first: bytes, way: _With) -> list[bytes] | None:
    merged: list[bytes] = []
    surprises = 0
    try:
        changing, changes = _read_sent(sent, first)
        nested = _nested(sent, changing, changes)
        known = _with(_joined(_Names((), changing.data and ()), stored[:1], COLUMNS), changing)
        for start in range(0, len(stored), AT_ONCE):
            some = stored[start : start + AT_ONCE]
            try:
                rows = _table(known).read(_listed(some))
            except msgspec.ValidationError:
                surprises += 1
                if surprises > SURPRISES:
                    return None
                known = _joined(known, some, COLUMNS)
                rows = _table(known).read(_listed(some))
            merged += _merger(known, changing, way, nested)(some, rows, changes[start : start + AT_ONCE])
    except (msgspec.MsgspecError, _NotPlain):
        return None
    return merged


def _read_sent(sent: bytes, first: bytes) -> tuple[_Names, list[Any]]:
    """Read what is sent, and name its fields.  Raises _NotPlain, or what msgspec does."""
    # If the first has no data to merge, none may have.
    none = _Names((), () if "data" in decode_fields(first) else None)
    names = _plain(_joined(none, [first], SENT_COLUMNS))
    try:
        return names, _table(names).read(sent)
    except msgspec.ValidationError:
        names = _plain(_joined(none, decode_list(sent), SENT_COLUMNS))
        return names, _table(names).read(sent)


def _nested(sent: bytes, changing: _Names, changes: Sequence[Any]) -> bool:
    """Return whether fields that are sent may hold lists or objects: there are more brackets than entries need."""
    braces = len(changes)
    if changing.data is not None:
        braces += sum([change.data is not UNSET for change in changes])
    return bool(count(sent, b"[") > 1 or count(sent, b"{") > braces)


def _plain(changing: _Names) -> _Names:
    """Raise _NotPlain where data is replaced whole, or a list is edited."""
    if "data" in changing.top or any(name.endswith((":add", ":remove")) for name in changing.data or ()):
        raise _NotPlain
    return changing


def _joined(known: _Names, entries: Iterable[bytes], most: int) -> _Names:
    """Add the fields of some entries.  Raises _NotPlain if they are too many, or not plain, or what msgspec does."""
    top, data = dict.fromkeys(known.top), dict.fromkeys(known.data or ())
    for entry in entries:
        fields = decode_fields(entry)
        if known.data is not None and "data" in fields:
            data.update(dict.fromkeys(decode_fields(fields.pop("data"))))
        top.update(dict.fromkeys(fields))
    return _few(top, None if known.data is None else data, most)


def _with(known: _Names, changing: _Names) -> _Names:
    """Add the fields that are sent behind those that are known.  Raises _NotPlain if they are too many then."""
    data = None if known.data is None or changing.data is None else known.data + changing.data
    return _few(known.top + changing.top, data, COLUMNS)


def _few(top: Iterable[str], data: Iterable[str] | None, most: int) -> _Names:
    """Name each field once.  Raises _NotPlain if they are too many."""
    names = _Names(tuple(dict.fromkeys(top)), None if data is None else tuple(dict.fromkeys(data)))
    all_names = names.top + (names.data or ())
    if len(all_names) > most or sum(map(len, all_names)) > NAMES_LENGTH:
        raise _NotPlain
    return names


def _listed(entries: Sequence[bytes]) -> bytes:
    return b"[%b]" % b",".join(entries)


@lru_cache(TABLES)
def _table(names: _Names) -> _Table:
    """Prepare to read entries.  Raises _NotPlain if a field has a name that cannot be written as it is."""
    top, data = _attributes(names.top), _attributes(names.data or ())
    try:
        no_data = _struct(data)
        row = _struct(top) if names.data is None else _struct(top, ("data", no_data | UnsetType, UNSET))
    except ValueError:
        raise _NotPlain from None
    return _Table(msgspec.json.Decoder(list[row]).decode, no_data, top, data)  # type: ignore[valid-type]


def _attributes(names: Iterable[str]) -> dict[str, str]:
    return {name: f"f{i}" for i, name in enumerate(names)}


def _struct(attributes: dict[str, str], *more: tuple[str, Any, Any]) -> Any:
    fields = [*((attribute, msgspec.Raw, UNSET) for attribute in attributes.values()), *more]
    names = {attribute: name for name, attribute in attributes.items()}
    return msgspec.defstruct("_Row", fields, rename=names, forbid_unknown_fields=True, gc=False)


@lru_cache(TABLES)
def _merger(known: _Names, changing: _Names, way: _With, nested: bool) -> _Merge:
    """Write the code that merges such changes: to name an attribute costs a third of what it does to look one up.

    No name of a field gets into the code.
    """
    table, sent = _table(known), _table(changing)
    top = "".join(_replace(f"change.{one}", f"row.{table.top[name]}", way, nested) for name, one in sent.top.items())
    data = "".join(_replace(f"sent.{one}", f"data.{table.data[name]}", way, nested) for name, one in sent.data.items())
    code = f"""
def merge(stored, rows, changes):
    for before, row, change in zip(stored, rows, changes, strict=True):
        changed = False
{indent(top, " " * 8)}
{indent(_data(data, way), " " * 8) if changing.data is not None else ""}
        yield encode(row) if changed else before
"""
    names: dict[str, Any] = {"UNSET": UNSET, "NULL": NULL, "encode": encode_fields, "no_data": table.no_data}
    names["differ"] = _differ
    exec(code, names)
    merge: _Merge = names["merge"]
    return merge


#: First bytes of the values that hold others.
_NESTED = b"{["


def _differ(stored: Any, value: Any) -> bool:
    """Return whether two fields that are written differently are different: only objects and lists may be the same."""
    if stored is UNSET or value is UNSET:
        return True
    text = bytes(value)
    return text[0] not in _NESTED or not same(bytes(stored), text)


def _data(columns: str, way: _With) -> str:
    begin = "yield b''; continue" if way is _With.PATCHES else "row.data = data = no_data()"
    return f"""
sent, data = change.data, row.data
if sent is not UNSET:
    if data is UNSET:
        {begin}
        changed = True
{indent(columns, " " * 4)}
"""


_BEFORE_IT_IS_COMPARED = {
    _With.VALUES: "",
    _With.NULLS: "if value == NULL: value = UNSET",
    _With.PATCHES: "if {stored} is UNSET: yield b''; continue",
}


def _replace(sent: str, stored: str, way: _With, nested: bool) -> str:
    closer = f" and differ({stored}, value)" if nested else ""
    return f"""
value = {sent}
if value is not UNSET:
    {_BEFORE_IT_IS_COMPARED[way].format(stored=stored)}
    if value != {stored}{closer}:
        {stored} = value
        changed = True
"""
