"""Turn the rows of one CSV file into entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from api.entries.group_ids import GroupIds
from api.files.rows.columns import JSON_PREFIX, Meaning, Read, column_for, known_columns, meaning_of, needed_columns
from api.schemas.nearest import nearest
from shared.model import Kind, Operation

_encode = msgspec.json.Encoder().encode

#: Most columns named in one message.
_SHOWN = 10
_SEPARATORS = {";": "semicolon", "\t": "tab", ",": "comma"}


class BadRow(ValueError):
    """A row that cannot be an entry: the reason, and the column if a single one is at fault."""

    def __init__(self, reason: str, column: str = "") -> None:
        super().__init__(reason)
        self.column = column


class Columns:
    """The columns of one file, named by its first row."""

    def __init__(self, names: Sequence[str], kind: Kind, operation: Operation) -> None:
        """Read the header row.  Raises ValueError if it is not a valid one."""
        self._kind = kind
        self._names = [name.strip() for name in names]
        self._width = len(names)
        self._top: list[tuple[int, str, Read | None]] = []
        self._data: list[tuple[int, str, Read | None]] = []
        self._facets: list[tuple[int, str, Read | None]] = []
        #: Path of a field: the name of its column.
        self._column_of: dict[tuple[str, ...], str] = {}
        #: Pairs of columns that set one field, of which a row may have one: the column of its JSON and another.
        self._either: list[tuple[int, int]] = []
        self.group_ids = GroupIds()
        #: Unknown columns, each with a hint at the likely mistake.
        self.unknown: list[tuple[str, str]] = []
        needed = [self._find(names) for names in needed_columns(kind, operation)]
        if operation in (Operation.KEEP, Operation.DELETE):
            self._column_of["id",] = needed[0]
            self._top.append((self._names.index(needed[0]), "id", None))
        else:
            self._place(id_column=needed[0])

    def _find(self, names: tuple[str, ...]) -> str:
        """Find a required column."""
        for name in names:
            if name in self._names:
                return name
        found = ", ".join(map(repr, self._names[:_SHOWN]))[:200]
        if len(self._names) == 1 and (other := next((one for one in _SEPARATORS if one in self._names[0]), None)):
            hint = f"; send delimiter={_SEPARATORS[other]} if that separates them"
        else:
            near = nearest(names[0], [name for name in self._names if name])
            hint = near.replace("did you mean", "is it").replace("?", " in other letters?") if near else ""
        raise ValueError(
            f"the first line must name the columns, separated by commas: {names[0]!r} is missing in {found}{hint}"
        )

    def _place(self, id_column: str) -> None:
        for index, name in enumerate(self._names):
            meaning = Meaning(("id",), None) if name == id_column else meaning_of(name, self._kind)
            if meaning is None:
                if name:
                    self.unknown.append((name, nearest(name, known_columns(self._kind))))
                continue
            path, read = meaning
            if name == "group_ids" and read is not None:
                read = self.group_ids.noting(read)
            before = self._column_of.get(path)
            if before is not None and {name, before} != {"parent_id", "parent_ids"}:
                both_alike = name.startswith(JSON_PREFIX) is before.startswith(JSON_PREFIX)
                if both_alike or name in self._names[:index]:
                    raise ValueError(f"the columns {before!r} and {name!r} set the same field")
                self._either.append((self._names.index(before), index))
            if before is None or name not in ("parent_id", f"{JSON_PREFIX}{path[-1]}"):
                self._column_of[path] = name
            of = {1: self._top, 2: self._data, 3: self._facets}[len(path)]
            # The newer column of the two wins where both have a value.
            of.insert(0 if name == "parent_id" else len(of), (index, path[-1], read))
        if (facets := f"{JSON_PREFIX}facets") in self._names:
            self._either += [(self._names.index(facets), index) for index, _, _ in self._facets]

    def entry(self, row: list[str]) -> Raw | None:
        """Build the entry of a row; None if the row is blank.  Blank cells, and blanks around a value, are left out.

        Raises BadRow.
        """
        if len(row) != self._width:
            row = self._widened(row)
        if self._either:
            self._refuse_both(row)
        try:
            # No call for plain text: it would double the cost of a cell.
            entry: dict[str, Any] = {
                name: read(cell) if read else cell for index, name, read in self._top if (cell := row[index].strip())
            }
            data: dict[str, Any] = {
                name: read(cell) if read else cell for index, name, read in self._data if (cell := row[index].strip())
            }
            facets: dict[str, Any] = {
                name: read(cell) if read else cell for index, name, read in self._facets if (cell := row[index].strip())
            }
        except ValueError:
            raise self._broken_cell(row) from None
        if facets:
            for name, values in data.get("facets", {}).items():
                facets[name] = values + facets.get(name, [])
            data["facets"] = facets
        if data:
            entry["data"] = data
        return Raw(_encode(entry)) if entry or any(map(str.strip, row)) else None

    def _refuse_both(self, row: list[str]) -> None:
        for one, other in self._either:
            if row[one].strip() and row[other].strip():
                raise BadRow(f"sets the same field as column {self._names[one]!r}", f"column {self._names[other]!r}")

    def _widened(self, row: list[str]) -> list[str]:
        """Pad a row to the width of the header: spreadsheet programs leave out trailing empty cells."""
        if any(map(str.strip, row[self._width :])):
            raise BadRow(f"{len(row)} cells, but the first line names {self._width} columns")
        return row[: self._width] + [""] * (self._width - len(row))

    def _broken_cell(self, row: list[str]) -> BadRow:
        for index, _, read in (*self._top, *self._data, *self._facets):
            try:
                if read and (cell := row[index].strip()):
                    read(cell)
            except ValueError as problem:
                return BadRow(str(problem), f"column {self._names[index]!r}")
        raise AssertionError("one of them is broken")

    def name_field(self, field: str) -> str:
        """Name the column of a field that a problem names."""
        for path, column in sorted(self._column_of.items(), key=lambda one: -len(one[0])):
            name = ".".join(path)
            if field == name or field.startswith((f"{name}.", f"{name}[")):
                return f"column {column!r}"
        missing = column_for(tuple(field.split(".")), self._kind)
        return f"column {missing!r}" if missing else field
