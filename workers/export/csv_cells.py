"""Spread an entry over the columns of a CSV upload.

A value goes into its own column if an upload reads the same value from there, and into a column of JSON otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from shared.model import Kind
from workers.export.json_lines import ON_ONE_LINE

#: Separates the elements of a list in a cell.
_SEPARATOR = "|"
#: Fields of ``data`` that have columns of their own names; those of others are ``metadata:<name>``.
OWN_COLUMNS = ("url", "image_url", "description", "keywords", "group_ids", "active")
_LISTS = frozenset({"keywords", "group_ids"})
_FLAGS = frozenset({"active", "deactivated", "is_default"})
_ID_COLUMN = {Kind.ITEMS: "id", Kind.VARIATIONS: "variation_id"}

_TEXT = msgspec.json.Decoder(str).decode
_TEXTS = msgspec.json.Decoder(list[str]).decode
_FACETS = msgspec.json.Decoder(dict[str, list[str]]).decode


class _Entry(msgspec.Struct):
    id: str
    item_id: str = ""
    name: str = ""
    suggested_score: Raw = Raw()
    data: dict[str, Raw] = {}


class _Group(msgspec.Struct):
    id: str
    name: str = ""
    parent_ids: Raw = Raw(b"[]")
    data: Raw = Raw()


_entry = msgspec.json.Decoder(_Entry).decode
_group = msgspec.json.Decoder(_Group).decode


class Unwritable(Exception):
    """An entry that no CSV file can have as it is; the reason."""


def cells_of(kind: Kind, body: bytes) -> dict[str, str]:
    """Return the cells of an entry by column.  Raises Unwritable.

    Blanks around a name are lost when it is read again, as around all cells; around an id they would make another id.
    """
    if kind is Kind.ITEM_GROUPS:
        group = _group(body)
        parents, data = _json(group.parent_ids), _json(group.data)
        return {"parent_ids": parents, "id": _checked(kind, group.id), "name": group.name, "data": data}
    entry = _entry(body)
    cells = {_ID_COLUMN[kind]: _checked(kind, entry.id), "item_name": entry.name}
    if kind is Kind.VARIATIONS:
        cells["item_id"] = _checked(Kind.ITEMS, entry.item_id)
    if score := _json(entry.suggested_score):
        cells["suggested_score"] = score
    for field, value in entry.data.items():
        if not _fits(field):
            raise Unwritable(f"the field {field[:100]!r} of {kind.one} {entry.id!r} cannot name a column")
        cells.update(_cells(field, value))
    return cells


def _cells(field: str, value: Raw) -> Iterator[tuple[str, str]]:
    if field == "facets" and (facets := _plain_facets(value)):
        yield from ((f"facet:{name}", _SEPARATOR.join(values)) for name, values in facets.items())
    elif field != "facets" and (cell := _plain_cell(field, value)):
        yield field if field in OWN_COLUMNS else f"metadata:{field}", cell
    else:
        yield f"metadata:json:{field}", _json(value)


def _plain_cell(field: str, value: Raw) -> str:
    """Return the cell that an upload reads as the value; empty if there is none."""
    text = bytes(value)
    if field in _LISTS:
        elements = _read_texts(value)
        return _SEPARATOR.join(elements) if elements and _are_plain(elements) else ""
    if field in _FLAGS:
        return text.decode() if text in (b"true", b"false") else ""
    if text.startswith(b'"') and not field.startswith("json:") and _fits(cell := _TEXT(text)):
        return cell
    return ""


def _plain_facets(value: Raw) -> dict[str, list[str]]:
    try:
        facets = _FACETS(value)
    except msgspec.ValidationError:
        return {}
    plain = all(_fits(name) and values and _are_plain(values) for name, values in facets.items())
    return facets if plain else {}


def _read_texts(value: Raw) -> list[str]:
    try:
        return _TEXTS(value)
    except msgspec.ValidationError:
        return []


def _are_plain(elements: list[str]) -> bool:
    return all(_fits(element) and _SEPARATOR not in element for element in elements)


def _fits(text: str) -> bool:
    """Return whether a cell is read as it is written: blanks around it are not."""
    return bool(text) and text == text.strip()


def _checked(kind: Kind, entry_id: str) -> str:
    if entry_id != entry_id.strip():
        raise Unwritable(f"the id {entry_id!r} of {kind.one} has blanks around it")
    return entry_id


def _json(value: Raw) -> str:
    return bytes(value).translate(ON_ONE_LINE).decode()
