"""Read an upload as its name says: a single file, possibly compressed, or an archive of files."""

from __future__ import annotations

from collections.abc import Iterable

from api.errors import Invalid, Problem
from api.files.archives import gunzip, read_archive
from api.files.file_names import is_archive, is_junk, kind_of, read_ending
from api.files.upload import FileUpload
from api.schemas.nearest import nearest
from shared.files.file_format import FileFormat
from shared.model import Kind

_NAMES = ", ".join(f"'{kind}'" for kind in Kind)


def take_part(
    upload: FileUpload, name: str, filename: str | None, form: FileFormat | None, pieces: Iterable[bytes]
) -> None:
    """Read one part of a form: a file of the kind that the part is named after, or an archive.

    ``form`` is the format in the request; without one the file's name decides.  Raises Invalid.
    """
    if is_archive(filename or name):
        take_archive(upload, filename or name, form, pieces)
    elif (kind := kind_of(name)) is not None:
        take_file(upload, kind, filename or name, form, pieces)
    elif filename is None:
        raise Invalid(Problem(name[:100] or "form-data", "form fields must be files; parameters belong in the query"))
    else:
        raise Invalid(
            Problem(name[:100] or "form-data", f"unknown part; parts are named {_NAMES}{nearest(name, Kind)}")
        )


def take_file(
    upload: FileUpload, kind: Kind, filename: str, form: FileFormat | None, pieces: Iterable[bytes], *, inside: str = ""
) -> None:
    """Read one file; ``inside`` is the archive that it is in."""
    ending = read_ending(filename)
    path = f"{inside}/{filename}" if inside else filename
    contents = gunzip(pieces, path[-100:]) if ending.is_gzip else pieces
    upload.take(kind, form or ending.format or FileFormat.CSV, contents, path[-250:])


def take_archive(upload: FileUpload, archive: str, form: FileFormat | None, pieces: Iterable[bytes]) -> None:
    """Read the files of an archive: ``items.csv`` and so on, whose own endings win over ``form``."""
    for path, contents in read_archive(pieces):
        ending = read_ending(path.name)
        kind = kind_of(ending.stem)
        if kind is not None:
            take_file(upload, kind, path.name, ending.format or form, contents, inside=archive)
        elif is_junk(path):
            upload.findings.warn(
                "IGNORED_FILE", f"{archive}: {str(path)[:200]!r} is not a catalogue file and was ignored"
            )
        else:
            near = nearest(ending.stem, Kind)
            raise Invalid(Problem("archive", f"{path.name[:200]!r} is not named after one of {_NAMES}{near}"))
