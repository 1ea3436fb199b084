"""How catalogue files are written."""

from __future__ import annotations

from enum import StrEnum


class FileFormat(StrEnum):
    """How the entries of a file are written."""

    #: Rows of cells, the first one naming the columns.
    CSV = "csv"
    #: A JSON object a line.
    JSONL = "jsonl"
