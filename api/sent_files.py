"""Which file a part or a member of an archive is, by its name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from api.archives import read_archive
from api.errors import Invalid, Problem
from api.fields import EXTRA
from api.file_formats import FileFormat
from api.intake import Intake
from shared.model import Kind

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz")

_NAMES = ", ".join(map(repr, Kind))


def is_archive(name: str) -> bool:
    """Tell whether a file of this name is an archive."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def take_named(intake: Intake, name: str, form: FileFormat, pieces: Iterable[bytes]) -> None:
    """Take in a part that is named after what it has.  Raises Invalid, also for any other name."""
    if name not in list(Kind):
        raise Invalid(Problem(name[:100] or "form-data", EXTRA))
    intake.take(Kind(name), form, pieces)


def take_archive(intake: Intake, form: FileFormat, pieces: Iterable[bytes]) -> None:
    """Take in the files of an archive: ``items.csv`` and so on; an ending of ``.jsonl`` counts more than ``form``."""
    for name, contents in read_archive(pieces):
        path = PurePosixPath(name)
        if path.stem not in list(Kind):
            raise Invalid(Problem("archive", f"{name[:200]!r} is none of {_NAMES}"))
        written = path.suffix.lower().removeprefix(".")
        take_named(intake, path.stem, FileFormat(written) if written in list(FileFormat) else form, contents)
