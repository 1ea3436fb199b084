"""Cut catalogue files into lines and rows, in flat memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from msgspec import Raw

from api.entries.rules import ENTRY_MAX_BYTES
from api.errors import Problem
from api.files.rows.csv_rows import BadRow, Columns
from shared.model import Kind, Operation

#: Longest line, and roughly the longest cell: no entry is longer.
LINE_MAX_BYTES = ENTRY_MAX_BYTES

csv.field_size_limit(LINE_MAX_BYTES)

_TOO_LONG = f"a line is longer than {LINE_MAX_BYTES} bytes"

_BOM = b"\xef\xbb\xbf"
NO_ENTRY = Raw(b"null")

#: Line number, from 1; the entry on that line; or the problem with it.
Row = tuple[int, Raw, Problem | None]


class BrokenFile(Exception):
    """A file that cannot be read any further: the line and the reason."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


class CsvFile:
    """A CSV file in UTF-8; its first non-blank row names the columns."""

    def __init__(self, kind: Kind, operation: Operation, delimiter: str = ",") -> None:
        self._kind = kind
        self._operation = operation
        self._delimiter = delimiter
        self._columns: Columns | None = None

    @property
    def unknown(self) -> list[tuple[str, str]]:
        """The unknown columns, which are ignored, each with a hint at the likely mistake."""
        return self._columns.unknown if self._columns else []

    @property
    def group_ids(self) -> set[str]:
        """The item groups that the entries name."""
        return self._columns.group_ids.ids if self._columns else set()

    def name_field(self, field: str) -> str:
        """Name the column that sets a field of an entry."""
        return self._columns.name_field(field) if self._columns else field

    def rows(self, pieces: Iterable[bytes]) -> Iterator[Row]:
        """Read the rows as entries; skip blank ones.  Raises BrokenFile."""
        columns, reader = None, csv.reader(_texts(pieces), strict=True, delimiter=self._delimiter)
        while True:
            first = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise BrokenFile(_reason(error, first, reader.line_num), first) from None
            if columns is None:
                if any(map(str.strip, row)):
                    columns = self._columns = self._read_first(row, first)
                continue
            try:
                entry = columns.entry(row)
            except BadRow as bad:
                yield first, NO_ENTRY, Problem(bad.column, str(bad))
            else:
                if entry is not None:
                    yield first, entry, None

    def _read_first(self, row: list[str], line: int) -> Columns:
        try:
            return Columns(row, self._kind, self._operation)
        except ValueError as error:
            raise BrokenFile(str(error), line) from None


def _reason(error: csv.Error, first: int, last: int) -> str:
    if last > first or "unexpected end of data" in str(error):
        return "a quote opened here is never closed, or closes before the end of its cell"
    if "field larger" in str(error):
        return _TOO_LONG
    if "new-line character" in str(error):
        return "a lone carriage return in an unquoted cell, or mixed line ends"
    return f"not valid CSV: {error}"


def _texts(pieces: Iterable[bytes]) -> Iterator[str]:
    """Decode a file line by line, keeping line ends."""
    for block, first in read_blocks(with_newlines(pieces)):
        try:
            text = block.decode()
        except UnicodeDecodeError as error:
            raise BrokenFile("not valid UTF-8", first + block.count(b"\n", 0, error.start)) from None
        yield from io.StringIO(text, newline="\n")


def read_blocks(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Cut a file into blocks of whole lines, each with the number of its first line.

    Raises BrokenFile for a line that is too long.
    """
    rest, line = b"", 1
    for piece in pieces:
        rest += piece
        end = rest.rfind(b"\n") + 1
        if end:
            yield rest[:end], line
            line += rest.count(b"\n")
            rest = rest[end:]
        if len(rest) > LINE_MAX_BYTES:
            raise BrokenFile(_TOO_LONG, line)
    if rest:
        yield rest, line


def with_newlines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Remove the byte order mark, and turn line ends of lone carriage returns into newlines.

    Raises BrokenFile if line ends are mixed.
    """
    start, arriving, returns = b"", iter(pieces), False
    # The first piece may be too short to see a line end, or even the byte order mark.
    while len(start) < len(_BOM) or (b"\n" not in start and len(start) <= LINE_MAX_BYTES):
        if not (piece := next(arriving, b"")):
            break
        start += piece
    start = start.removeprefix(_BOM)
    if b"\r" in start and b"\n" not in start:
        returns, start = True, start.replace(b"\r", b"\n")
    yield start
    lines = start.count(b"\n")
    for piece in arriving:
        if returns:
            if b"\n" in piece:
                at = lines + piece.count(b"\r", 0, piece.index(b"\n")) + 1
                raise BrokenFile("line ends are mixed: carriage returns before, newlines from here on", at)
            lines += piece.count(b"\r")
            yield piece.replace(b"\r", b"\n")
        else:
            yield piece
