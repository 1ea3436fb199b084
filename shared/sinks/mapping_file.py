"""Mapping files: YAML or JSON, checked with messages that say where.

.. code-block:: yaml

    items:
      name: name                                  # a column from a member of the entry
      price: {from: data.price, type: number}
      colors: {from: data.facets.color, type: texts}
      shop: {value: berlin}                       # a constant
    variations:
      size: data.size
    mode: table                                   # table, nested, flat or none
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec

from shared.errors import SluiceError
from shared.sinks.mapping import DEFAULT, Column, ColumnType, Mapping, Variations

#: Most columns of a kind.
MOST_COLUMNS = 200
#: Most bytes of a mapping file.
MOST_BYTES = 65_536

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,49}", re.ASCII)
#: Columns that every table has.
TAKEN = ("body", "id", "item", "item_id", "updated_at", "variations")


class BadMapping(SluiceError):
    """The mapping cannot be used; the text says what is wrong and where."""


def read_mapping(path: Path) -> Mapping:
    """Read a mapping file, JSON if its name ends in ``.json``, else YAML.  Raises BadMapping, OSError."""
    data = path.read_bytes()
    if len(data) > MOST_BYTES:
        raise BadMapping(f"{path}: a mapping has at most {MOST_BYTES} bytes")
    try:
        loaded = msgspec.json.decode(data) if path.suffix == ".json" else msgspec.yaml.decode(data)
    except ImportError:
        raise BadMapping(f"{path}: YAML needs pip install PyYAML; JSON does not") from None
    except msgspec.DecodeError as problem:
        raise BadMapping(f"{path}: {problem}") from None
    return parse_mapping(loaded)


def parse_mapping(loaded: Any) -> Mapping:
    """Check what a file holds.  Raises BadMapping."""
    top = _object(loaded, "the mapping", ("items", "variations", "mode"))
    default = DEFAULT
    mode = top.get("mode", default.mode)
    if not isinstance(mode, str) or mode not in set(Variations):
        raise BadMapping(f"mode: {mode!r} is none of {', '.join(Variations)}")
    items = _columns(top["items"], "items") if "items" in top else default.items
    variations = _columns(top["variations"], "variations") if "variations" in top else default.variations
    return Mapping(items, variations, Variations(mode))


def _columns(given: Any, where: str) -> tuple[Column, ...]:
    if not isinstance(given, dict):
        raise BadMapping(f"{where}: give columns by name, such as `name: name`")
    if len(given) > MOST_COLUMNS:
        raise BadMapping(f"{where}: at most {MOST_COLUMNS} columns")
    names = [str(name).lower() for name in given]
    for name in names:
        if names.count(name) > 1:
            raise BadMapping(f"{where}.{name}: named twice")
    return tuple(_column(name, told, f"{where}.{name}") for name, told in given.items())


def _column(name: Any, told: Any, where: str) -> Column:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadMapping(f"{where}: a column's name has up to 50 letters, digits and _, and begins with no digit")
    if name.lower() in TAKEN:
        raise BadMapping(f"{where}: every table has this column already")
    if isinstance(told, str):
        return Column(name, ColumnType.TEXT, _path(told, where))
    options = _object(told, where, ("from", "type", "value"))
    if ("from" in options) == ("value" in options):
        raise BadMapping(f"{where}: give either `from` or `value`")
    type_ = options.get("type", ColumnType.TEXT if "from" in options else _type_of(options["value"], where))
    if not isinstance(type_, str) or type_ not in set(ColumnType):
        raise BadMapping(f"{where}.type: {type_!r} is none of {', '.join(ColumnType)}")
    if "value" in options:
        if type_ != (of := _type_of(options["value"], where)) and type_ != ColumnType.JSON:
            raise BadMapping(f"{where}.value: this is {of}, not {type_}")
        return Column(name, ColumnType(type_), value=options["value"])
    return Column(name, ColumnType(type_), _path(options["from"], where))


def _path(given: Any, where: str) -> tuple[str, ...]:
    """Read a path, ``data.price`` or, where a name has a dot in it, a list of names."""
    names = given.split(".") if isinstance(given, str) else given
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise BadMapping(f"{where}: a path is names with dots between them, such as data.price, or a list of names")
    return tuple(names)


def _type_of(value: Any, where: str) -> ColumnType:
    match value:
        case bool():
            return ColumnType.BOOLEAN
        case int():
            return ColumnType.INTEGER
        case float():
            return ColumnType.NUMBER
        case str():
            return ColumnType.TEXT
        case _:
            raise BadMapping(f"{where}.value: a constant is a text, a number, true or false")


def _object(given: Any, where: str, known: Collection[str]) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise BadMapping(f"{where}: an object with {', '.join(known)}")
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
            raise BadMapping(f"{where}: there is no {name!r}{hint}")
    return given
