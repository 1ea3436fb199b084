"""Catalogue files as lines and rows: whatever is read of them, memory stays flat."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Raw

from api.csv_rows import Columns
from api.entries import ENTRY_MAX_BYTES
from api.errors import Invalid
from api.json_bodies import decode
from shared.model import Kind, Operation

#: Longest line, and longest cell, more or less: no entry is longer.
LINE_MAX_BYTES = ENTRY_MAX_BYTES

csv.field_size_limit(LINE_MAX_BYTES)

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r"
_NULL = Raw(b"null")
_JSON = msgspec.json.Decoder(Raw)

#: The number of a line, from 1, and the entry that stands there, or what is wrong with it.
Row = tuple[int, Raw, str | None]


class BrokenFile(Exception):
    """A file that cannot be read on, and why."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(f"{reason} (line {line})")


def read_ndjson_rows(pieces: Iterable[bytes]) -> Iterator[Row]:
    """Read the entries of a file with one a line; blank lines are none.  Raises BrokenFile."""
    for block, first in _blocks(pieces):
        for number, line in enumerate(block.split(b"\n"), first):
            text = line.strip(_BLANK)
            if text:
                try:
                    yield number, decode(_JSON, text), None
                except Invalid as refused:
                    yield number, _NULL, refused.errors[0].msg


def read_csv_rows(pieces: Iterable[bytes], kind: Kind, operation: Operation) -> Iterator[Row]:
    """Read the rows of a CSV file in UTF-8 as entries; the first one names the columns.  Raises BrokenFile."""
    reader = csv.reader(_texts(pieces), strict=True)
    columns: Columns | None = None
    while True:
        first = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise BrokenFile(_reason(error, first, reader.line_num), first) from None
        if not row:
            continue
        if columns is None:
            try:
                columns = Columns(row, kind, operation)
            except ValueError as error:
                raise BrokenFile(str(error), first) from None
        else:
            entry, problem = columns.entry(row)
            yield first, entry, problem


def _reason(error: csv.Error, first: int, last: int) -> str:
    if last > first or "unexpected end of data" in str(error) or "field larger" in str(error):
        return "a quote that is opened here is not closed, or not where a cell ends"
    return f"not valid CSV: {error}"


def _texts(pieces: Iterable[bytes]) -> Iterator[str]:
    """Decode a file line by line, their ends kept."""
    for block, first in _blocks(pieces):
        try:
            text = block.decode()
        except UnicodeDecodeError as error:
            raise BrokenFile("not valid UTF-8", first + block.count(b"\n", 0, error.start)) from None
        yield from io.StringIO(text, newline="\n")


def _blocks(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Cut a file into whole lines, many at a time, each block with the number of its first line."""
    rest, line = b"", 1
    for number, piece in enumerate(pieces):
        rest += piece
        if not number and rest.startswith(_BOM):
            rest = rest[len(_BOM) :]
        end = rest.rfind(b"\n") + 1
        if end:
            yield rest[:end], line
            line += rest.count(b"\n", 0, end)
            rest = rest[end:]
        if len(rest) > LINE_MAX_BYTES:
            raise BrokenFile(f"a line is longer than {LINE_MAX_BYTES} bytes", line)
    if rest:
        yield rest, line
