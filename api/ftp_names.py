"""The names of files sent by FTPS, which say what is to be done with them.

``{key}_{section}_{op}_{timestamp}.{ending}``: the key is known from the login and a section may hold underscores, so
the rest is read from the right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from api.file_formats import FileFormat
from shared.errors import SluiceError
from shared.model import Kind, OnMissing, Operation


class BadName(SluiceError):
    """The name of a file does not say what is to be done with it; the text says why."""


@dataclass(frozen=True, slots=True)
class FileName:
    """What the name of a file says."""

    section: str
    operation: Operation
    on_missing: OnMissing
    force: bool
    #: None: an archive, whose members say it.
    kind: Kind | None
    form: FileFormat


#: What a file does, each also behind FORCE.
OPERATIONS: dict[str, tuple[Operation, OnMissing]] = {
    "sync": (Operation.SYNC, OnMissing.FAIL),
    "delta": (Operation.PUT, OnMissing.FAIL),
    "patchdelta": (Operation.PATCH, OnMissing.FAIL),
    "patchdeltacreate": (Operation.PATCH, OnMissing.CREATE),
    "patchdeltaignore": (Operation.PATCH, OnMissing.IGNORE),
    "delete": (Operation.DELETE, OnMissing.FAIL),
}
FORCE = "force"

PATTERN = "{key}_{section}_{op}_{YYYY-MM-DD-HH-MM-SS}.{csv|jsonl|tar.gz}"

_TIMESTAMP = re.compile(r"\d{4}(-\d\d){5}", re.ASCII)
_ARCHIVE = ".tar.gz"
#: ``.csv`` has items; ``.variations.csv`` says that it has others.
_ENDING = re.compile(r"(?:\.(items|variations|item_groups))?\.(csv|jsonl)$")
#: As in every other place where a section is named.
_LONGEST_SECTION = 100


def parse_name(name: str, catalog_key: str) -> FileName:
    """Read what the name of a file that is sent to a catalog says.  Raises BadName."""
    prefix = f"{catalog_key}_"
    if not name.startswith(prefix):
        raise BadName(f"the name has to begin with {prefix!r}, the key of this login")
    stem, kind, form = _ending(name.removeprefix(prefix))
    section, operation, timestamp = _split(stem)
    if not _TIMESTAMP.fullmatch(timestamp):
        raise BadName(f"{timestamp[:50]!r} is no timestamp of the form YYYY-MM-DD-HH-MM-SS; names are {PATTERN}")
    bare = operation.removeprefix(FORCE)
    if bare not in OPERATIONS:
        raise BadName(f"{operation[:50]!r} is none of {', '.join(OPERATIONS)}, each also with {FORCE!r} before it")
    if not 1 <= len(section) <= _LONGEST_SECTION:
        raise BadName(f"a section has 1 to {_LONGEST_SECTION} characters; names are {PATTERN}")
    what, on_missing = OPERATIONS[bare]
    return FileName(section, what, on_missing, operation != bare, kind, form)


def _ending(name: str) -> tuple[str, Kind | None, FileFormat]:
    if name.endswith(_ARCHIVE):
        return name.removesuffix(_ARCHIVE), None, FileFormat.CSV
    if (ending := _ENDING.search(name)) is None:
        raise BadName(f"the name has to end with .csv, .jsonl or .tar.gz; names are {PATTERN}")
    return name[: ending.start()], Kind(ending[1] or Kind.ITEMS), FileFormat(ending[2])


def _split(stem: str) -> tuple[str, str, str]:
    parts = stem.rsplit("_", 2)
    if len(parts) < 3:
        raise BadName(f"names are {PATTERN}")
    section, operation, timestamp = parts
    return section, operation, timestamp
