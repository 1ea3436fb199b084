"""The formats of files of entries, those sent and those exported."""

from __future__ import annotations

from enum import StrEnum


class FileFormat(StrEnum):
    """The format of a file."""

    #: Rows of cells; the first row names the columns.
    CSV = "csv"
    #: One JSON object per line; an upload may also be an object with a list of them.
    JSONL = "jsonl"
