"""What the uploads of catalogue files take in their queries."""

from __future__ import annotations

from enum import StrEnum

from marshmallow import validate

from api import fields
from api.file_formats import FileFormat
from api.schemas import SubmittingQuery
from shared.model import OnInvalid, OnMissing


class SyncMode(StrEnum):
    """What the files of a sync have."""

    #: Whole entries.
    FULL = "full"
    #: The ids of the entries to keep.
    IDS = "ids"


class FilesQuery(SubmittingQuery):
    """What catalogue files take; what only entries can have is refused, lest it be done otherwise."""

    format = fields.Choice(list(FileFormat), load_default=FileFormat.CSV)
    dry_run = fields.QueryFlag(validate=validate.Equal(False, error="not available for files"))
    on_invalid = fields.Choice([OnInvalid.REJECT])


class PutFilesQuery(FilesQuery):
    """What a sync takes beside."""

    mode = fields.Choice(list(SyncMode), load_default=SyncMode.FULL)


class PatchFilesQuery(FilesQuery):
    """What a delta takes beside."""

    patch_delta = fields.QueryFlag(load_default=False)
    on_missing = fields.Choice([OnMissing.CREATE, OnMissing.IGNORE, OnMissing.FAIL], load_default=OnMissing.FAIL)
