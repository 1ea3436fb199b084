"""Write entries as a CSV file whose first row names the columns, as RFC 4180 has it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from shared.model import Kind
from workers.export.csv_cells import OWN_COLUMNS, Unwritable, cells_of

#: Most bytes of the names of all columns: the place of an export is stored with them, and a line has a limit.
MAX_COLUMNS_BYTES = 100_000

#: Columns that are always there.
FIXED_COLUMNS: dict[Kind, tuple[str, ...]] = {
    Kind.ITEMS: ("id", "item_name"),
    Kind.VARIATIONS: ("variation_id", "item_id", "item_name"),
    Kind.ITEM_GROUPS: ("parent_ids", "id", "name", "data"),
}
_FIRST = ("suggested_score", *OWN_COLUMNS)
_PREFIXES = ("facet:", "metadata:", "metadata:json:")


class CsvTable:
    """A CSV file of one kind of entries."""

    def __init__(self, kind: Kind, columns: Sequence[str]) -> None:
        self._kind = kind
        self._columns = columns

    @property
    def head(self) -> bytes:
        """The first row."""
        return _written([self._columns])

    def rows(self, bodies: Iterable[bytes]) -> bytes:
        """Write entries as rows.  Raises Unwritable."""
        cells = (cells_of(self._kind, body) for body in bodies)
        return _written([found.get(column, "") for column in self._columns] for found in cells)


def find_columns(kind: Kind, bodies: Iterable[bytes], known: Iterable[str] = ()) -> list[str]:
    """Add the columns of entries to those already known, in the order of the file.  Raises Unwritable."""
    found = {*FIXED_COLUMNS[kind], *known}
    for body in bodies:
        found.update(cells_of(kind, body))
    if sum(len(name.encode()) + 1 for name in found) > MAX_COLUMNS_BYTES:
        raise Unwritable(f"the entries have too many different fields: {len(found)}")
    return sorted(found, key=lambda name: _rank(kind, name))


def _rank(kind: Kind, name: str) -> tuple[int, int, str]:
    for group, names in enumerate((FIXED_COLUMNS[kind], _FIRST)):
        if name in names:
            return group, names.index(name), name
    return 2, max(at for at, prefix in enumerate(_PREFIXES) if name.startswith(prefix)), name


def _written(rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO()
    # With this line end, cells that hold either of its characters are quoted.
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()
