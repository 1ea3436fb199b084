"""Read a file's name: the kind of its entries, their format, its compression."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import NamedTuple

from shared.files.file_format import FileFormat
from shared.model import Kind

_ARCHIVE = re.compile(r"\.(tar\.gz|tgz)$", re.IGNORECASE)
_ENDING = re.compile(r"(?:\.(csv|jsonl|ndjson|json))?(\.gz)?$", re.IGNORECASE)
_FORMATS = {"csv": FileFormat.CSV, "jsonl": FileFormat.JSONL, "ndjson": FileFormat.JSONL, "json": FileFormat.JSONL}

#: Files that operating systems and people add to folders and archives.
_JUNK = re.compile(r"\.|__macosx$|thumbs\.db$|desktop\.ini$|(readme|license|licence|changelog)\b", re.IGNORECASE)


class Packing(NamedTuple):
    """The endings of a file's name, read."""

    #: The name without its endings.
    stem: str
    #: None if no ending names one.
    format: FileFormat | None
    is_gzip: bool


def is_archive(name: str) -> bool:
    """Return whether the name ends as an archive's."""
    return bool(_ARCHIVE.search(name))


def without_archive_ending(name: str) -> str:
    return _ARCHIVE.sub("", name)


def read_ending(name: str) -> Packing:
    """Read the endings of a single file's name, in any letter case."""
    found = _ENDING.search(name)
    assert found is not None, "it may be empty"
    form = _FORMATS[found[1].lower()] if found[1] else None
    return Packing(name[: found.start()], form, found[2] is not None)


def is_junk(path: PurePosixPath) -> bool:
    """Return whether a member of an archive is not meant as a catalogue file."""
    return any(_JUNK.match(part) for part in path.parts)


def kind_of(stem: str) -> Kind | None:
    """Return the kind that a file is named after; None if it is not named after one."""
    return Kind(stem.lower()) if stem.lower() in list(Kind) else None
