"""Parse the names of files sent over FTPS, which say how to apply them.

``{key}_{section}_{op}_{timestamp}.{ending}``: the key is known from the login and a section may hold underscores, so
the rest is read from the right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from api.files.file_names import is_archive, read_ending, without_archive_ending
from shared.errors import SluiceError
from shared.files.file_format import FileFormat
from shared.model import Kind, OnMissing, Operation


class BadName(SluiceError):
    """The name of a file does not follow the pattern; the text says why."""


@dataclass(frozen=True, slots=True)
class FileName:
    """The parsed name of a file."""

    section: str
    operation: Operation
    on_missing: OnMissing
    force: bool
    #: None: an archive, whose members name their kinds.
    kind: Kind | None
    form: FileFormat | None


#: Operations, each also with FORCE before it.
OPERATIONS: dict[str, tuple[Operation, OnMissing]] = {
    "sync": (Operation.SYNC, OnMissing.FAIL),
    "delta": (Operation.PUT, OnMissing.FAIL),
    "patchdelta": (Operation.PATCH, OnMissing.FAIL),
    "patchdeltacreate": (Operation.PATCH, OnMissing.CREATE),
    "patchdeltaignore": (Operation.PATCH, OnMissing.IGNORE),
    "delete": (Operation.DELETE, OnMissing.FAIL),
    "whitelist": (Operation.KEEP, OnMissing.FAIL),
}
FORCE = "force"

PATTERN = "{key}_{section}_{op}_{YYYY-MM-DD-HH-MM-SS}.{csv|jsonl|json|tar.gz}"

_TIMESTAMP = re.compile(r"\d{4}(-\d\d){5}", re.ASCII)
#: ``.csv`` has items; ``.variations.csv`` and ``.item_groups.csv`` name another kind.
_KIND = re.compile(r"\.(items|variations|item_groups)$", re.IGNORECASE)
#: What tools put before or behind a name until all of a file is there.
_TEMPORARY_START = re.compile(r"^(\.in\.|\.|_|~)")
_TEMPORARY_END = re.compile(
    r"(\.[0-9A-Za-z]{4,16}\.partial|\.(tmp|temp|part|partial|filepart|uploading|crdownload)|~)$", re.I
)
#: As in every other place where a section is named.
_LONGEST_SECTION = 100


def final_name(name: str) -> str | None:
    """Return the final name of a file sent under a temporary name; None if the name is not temporary."""
    final = _TEMPORARY_END.sub("", _TEMPORARY_START.sub("", name))
    return final if final != name else None


def parse_name(name: str, catalog_key: str) -> FileName:
    """Parse the name of a file that is sent to a catalog.  Raises BadName."""
    prefix = f"{catalog_key}_"
    if not name.startswith(prefix):
        raise BadName(f"the name must begin with {prefix!r}, the key of this login")
    stem, kind, form = _ending(name.removeprefix(prefix))
    section, operation, timestamp = _split(stem)
    if not _TIMESTAMP.fullmatch(timestamp):
        raise BadName(f"{timestamp[:50]!r} is not a timestamp of the form YYYY-MM-DD-HH-MM-SS; names are {PATTERN}")
    bare = operation.removeprefix(FORCE)
    if bare not in OPERATIONS:
        raise BadName(f"{operation[:50]!r} is not one of {', '.join(OPERATIONS)}, each also with {FORCE!r} before it")
    if not 1 <= len(section) <= _LONGEST_SECTION:
        raise BadName(f"a section has 1 to {_LONGEST_SECTION} characters; names are {PATTERN}")
    what, on_missing = OPERATIONS[bare]
    return FileName(section, what, on_missing, operation != bare, kind, form)


def _ending(name: str) -> tuple[str, Kind | None, FileFormat | None]:
    if is_archive(name):
        return without_archive_ending(name), None, None
    stem, form, _ = read_ending(name)
    if form is None:
        raise BadName(f"the name must end with .csv, .jsonl, .json (each also .gz) or .tar.gz; names are {PATTERN}")
    kind = _KIND.search(stem)
    return _KIND.sub("", stem), Kind(kind[1].lower() if kind else Kind.ITEMS), form


def _split(stem: str) -> tuple[str, str, str]:
    parts = stem.rsplit("_", 2)
    if len(parts) < 3:
        raise BadName(f"names are {PATTERN}")
    section, operation, timestamp = parts
    return section, operation, timestamp
