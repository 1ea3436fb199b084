"""Query parameters of uploads of catalogue files."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

from marshmallow import ValidationError, validates_schema

from api.schemas import fields, query_fields
from api.schemas.queries import SubmittingQuery, on_invalid_choice, on_missing_choice
from shared.files.file_format import FileFormat


class SyncMode(StrEnum):
    """The contents of the files of a sync."""

    #: Whole entries.
    FULL = "full"
    #: The ids of the entries to keep.
    IDS = "ids"


class Delimiter(StrEnum):
    """The character between the cells of a CSV file."""

    COMMA = "comma"
    SEMICOLON = "semicolon"
    TAB = "tab"

    @property
    def character(self) -> str:
        return {Delimiter.COMMA: ",", Delimiter.SEMICOLON: ";", Delimiter.TAB: "\t"}[self]


class FilesQuery(SubmittingQuery):
    """Parameters of every upload of files.

    Any other parameter is refused: a file that is read in another way than was meant may delete a catalogue.
    """

    open_to_others = False

    #: None: decided by the names of the files; CSV if they do not say.
    format = fields.Choice(
        list(FileFormat),
        load_default=None,
        metadata={
            "description": "Format of the files: `csv`, or `jsonl`, one entry per line (or a JSON list, or an object "
            "with one). Without it, the ending of a file's name decides, and `csv` if it has none. In an archive the "
            "endings win."
        },
    )
    delimiter = fields.Choice(
        list(Delimiter),
        load_default=Delimiter.COMMA,
        metadata={"description": "Character between the cells of a CSV file."},
    )
    dry_run = query_fields.QueryFlag(
        load_default=False,
        metadata={"description": "Check the files and report what would become of their entries, but store nothing."},
    )
    on_invalid = on_invalid_choice()


class PutFilesQuery(FilesQuery):
    """Parameters of a sync."""

    hints: ClassVar = {
        "patch_delta": "PUT replaces the catalogue; send PATCH to change only the given fields",
        "on_missing": "PUT replaces the catalogue; send PATCH with patch_delta=true",
    }

    mode = fields.Choice(
        list(SyncMode),
        load_default=SyncMode.FULL,
        metadata={
            "description": "Contents of the files: `full`, whole entries, or `ids`, the ids of the entries to keep "
            "as they are."
        },
    )


class PatchFilesQuery(FilesQuery):
    """Parameters of a delta."""

    hints: ClassVar = {"mode": "PATCH keeps all other entries; send PUT to delete what the files leave out"}

    patch_delta = query_fields.QueryFlag(
        load_default=False, metadata={"description": "Change only the given fields of existing entries."}
    )
    on_missing = on_missing_choice()

    @validates_schema(pass_original=True)
    def refuse_idle_on_missing(self, data: Mapping[str, Any], original: Mapping[str, Any], **_: Any) -> None:
        """Reject ``on_missing`` where it would have no effect: whole entries are created anyway."""
        if "on_missing" in original and not data["patch_delta"]:
            raise ValidationError("only valid with patch_delta=true", "on_missing")
