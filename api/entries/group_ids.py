"""Gather the item groups that the entries of a file name, to warn of those that do not exist."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import msgspec
from msgspec import Raw

#: Most groups, or cells with groups, that are gathered of a file: nobody has as many by mistake.
MOST = 10_000


class _GroupedData(msgspec.Struct, frozen=True):
    group_ids: list[str] = []


class _Grouped(msgspec.Struct):
    data: _GroupedData = _GroupedData()


_decode = msgspec.json.Decoder(_Grouped).decode


class GroupIds:
    """The ids of item groups that a file's entries name."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self._cells: set[str] = set()

    def noting(self, read: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
        """Wrap the reader of a column so that it notes the ids in its cells, each cell once."""
        cells = self._cells

        def note(cell: str) -> list[str]:
            ids = read(cell)
            if cell not in cells and len(cells) < MOST:
                cells.add(cell)
                self._add(ids)
            return ids

        return note

    def note_entry(self, entry: Raw) -> None:
        """Note the ids in an entry of JSON; one that breaks the rules may have none."""
        if b'"group_ids"' in bytes(entry):
            with suppress(msgspec.DecodeError, RecursionError):
                self._add(_decode(entry).data.group_ids)

    def _add(self, ids: list[str]) -> None:
        if len(self.ids) < MOST:
            self.ids.update(ids)
