"""Merge many PATCHes at once, column by column.

`workers.merging` takes every entry apart by itself, and puts it together again: twice, for its ``data`` too.  Here all
entries are read as rows of one table, the columns that were sent are compared and put in place, and only the rows that
changed are written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from operator import attrgetter, ne, or_
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from workers.merging import NULL, decode_fields, encode_fields

#: Entries that are taken in hand together: few enough to stay in a processor's cache.
AT_ONCE = 64
#: Where one by one is faster: for fewer entries; for more columns, each of which costs a little in every row, of what
#: is sent and of all; where fields that were not heard of before show more often.
FEWEST = 32
SENT_COLUMNS, COLUMNS = 16, 100
SURPRISES = 2
#: Tables whose reader is remembered, some ten kilobytes each, and the characters of all names in one.
TABLES = 64
NAMES_LENGTH = 10_000


_NoData = Callable[[], Any]


class _Names(NamedTuple):
    """The fields of entries, and those of their ``data``; None if that is a field like any other."""

    top: tuple[str, ...]
    data: tuple[str, ...] | None


class _Table(NamedTuple):
    """How to read entries that have no other fields than these."""

    read: Callable[[bytes], list[Any]]
    #: Makes an empty ``data``.
    no_data: _NoData
    #: By name, the attribute that is a field, of a row and of its data.
    top: dict[str, str]
    data: dict[str, str]


class _NotPlain(Exception):
    """Not of the kind that can be merged here."""


def merge_columns(stored: Sequence[bytes], sent: Sequence[bytes]) -> list[bytes] | None:
    """Merge each entry that was sent into a stored one, as `merging.merge` does; returns them all.

    None if there is more to do than to set and to remove fields, or one by one is faster.  An entry in which nothing
    changes comes back as it was; one that changes has its fields in the order of the others, and so has its ``data``,
    if some was sent.
    """
    merged: list[bytes] = []
    surprises = 0
    if len(sent) < FEWEST:
        return None
    try:
        # If the first has no data to merge, none may have.
        data = () if "data" in decode_fields(sent[0]) else None
        changing = _with_sent(_Names((), data), sent[:1])
        known = _joined(_Names((), data), [stored[0], sent[0]], COLUMNS)
        for first in range(0, len(stored), AT_ONCE):
            some, changes = stored[first : first + AT_ONCE], sent[first : first + AT_ONCE]
            try:
                merged += _merged(known, changing, some, changes)
            except msgspec.ValidationError:
                surprises += 1
                if surprises > SURPRISES:
                    return None
                changing = _with_sent(changing, changes)
                known = _joined(known, [*some, *changes], COLUMNS)
                merged += _merged(known, changing, some, changes)
    except (msgspec.MsgspecError, _NotPlain):
        return None
    return merged


def _merged(known: _Names, changing: _Names, stored: Sequence[bytes], sent: Sequence[bytes]) -> Iterable[bytes]:
    """Merge entries that have no fields but the known ones, and of which no others change.

    Raises _NotPlain, or msgspec.ValidationError if one has others.
    """
    table, sent_table = _table(known), _table(changing)
    rows, changes = table.read(_listed(stored)), sent_table.read(_listed(sent))
    changed = [False] * len(rows)
    for name, column in sent_table.top.items():
        changed = _replace(rows, table.top[name], changes, column, changed)
    if changing.data is not None:
        data, data_changes, began = _data_of(rows, table.no_data, changes, sent_table.no_data)
        changed = list(map(or_, changed, began))
        for name, column in sent_table.data.items():
            changed = _replace(data, table.data[name], data_changes, column, changed)
    return (encode_fields(row) if new else old for old, row, new in zip(stored, rows, changed, strict=True))


def _replace(
    rows: Sequence[Any], column: str, changes: Sequence[Any], sent_column: str, changed: list[bool]
) -> list[bool]:
    """Put a column in place; returns which rows have changed, in this one or before."""
    old, new = list(map(attrgetter(column), rows)), list(map(attrgetter(sent_column), changes))
    if UNSET in new or NULL in new:
        new = [was if sent is UNSET else UNSET if sent == NULL else sent for was, sent in zip(old, new, strict=True)]
    if old == new:
        return changed
    for row, value in zip(rows, new, strict=True):
        setattr(row, column, value)
    return list(map(or_, changed, map(ne, old, new)))


def _data_of(
    rows: Sequence[Any], no_data: _NoData, changes: Sequence[Any], no_changes: _NoData
) -> tuple[list[Any], list[Any], list[bool]]:
    """List the data of rows, and what of it changes.

    A row that has none gets some if it is sent some; returns which did, too.
    """
    data, data_changes = [row.data for row in rows], [change.data for change in changes]
    began = [False] * len(rows)
    if UNSET in data or UNSET in data_changes:
        for i, row in enumerate(rows):
            if data[i] is UNSET:
                data[i] = no_data()
                if data_changes[i] is not UNSET:
                    row.data, began[i] = data[i], True
            if data_changes[i] is UNSET:
                data_changes[i] = no_changes()
    return data, data_changes, began


def _listed(entries: Sequence[bytes]) -> bytes:
    return b"[%b]" % b",".join(entries)


def _with_sent(changing: _Names, sent: Iterable[bytes]) -> _Names:
    """Add the fields that entries were sent with.  Raises as `_joined`, and _NotPlain where a list is edited."""
    names = _joined(changing, sent, SENT_COLUMNS)
    if "data" in names.top or any(name.endswith((":add", ":remove")) for name in names.data or ()):
        raise _NotPlain
    return names


def _joined(known: _Names, entries: Iterable[bytes], most: int) -> _Names:
    """Add the fields of some entries.  Raises _NotPlain if they are too many, or not plain, or what msgspec does."""
    top, data = dict.fromkeys(known.top), dict.fromkeys(known.data or ())
    for entry in entries:
        fields = decode_fields(entry)
        if known.data is not None and "data" in fields:
            data.update(dict.fromkeys(decode_fields(fields.pop("data"))))
        top.update(dict.fromkeys(fields))
    if len(top) + len(data) > most or sum(map(len, [*top, *data])) > NAMES_LENGTH:
        raise _NotPlain
    return _Names(tuple(top), None if known.data is None else tuple(data))


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
