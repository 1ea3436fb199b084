"""Schemas of requests to the Tasks API."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from marshmallow import ValidationError, validates_schema

from api.history.entry_changes import MOST_ENTRIES
from api.schemas import fields, query_fields
from api.schemas.base import Strict
from api.schemas.fields import between, length
from api.schemas.queries import MAX_INT32, NO_SECTION_OF_GROUPS, PagedQuery, page_size
from shared.files.file_format import FileFormat
from shared.model import CatalogPart, Status
from shared.tasks.reports import EntryOutcome


class TaskType(StrEnum):
    """The types of task that a list may be filtered by; of some there are no tasks here."""

    INGESTION = "ingestion"
    CATALOG_EXPORT = "catalog_export"
    #: Tasks of the public service that do not exist here; its clients may filter by them.
    USER_DATA_REQUEST = "user_data_request"
    COPY_DATA = "copy_data"


class TasksQuery(PagedQuery):
    """Parameters of a list of tasks.  Days are UTC, both included."""

    num_results_per_page = page_size(20, most=100)
    statuses = fields.ListOf(
        fields.Choice(list(Status)),
        data_key="status",
        load_default=list,
        metadata={"description": "Return only tasks with this status. Repeatable."},
    )
    types = fields.ListOf(
        fields.Choice(list(TaskType)),
        data_key="type",
        load_default=list,
        metadata={
            "description": "Return only tasks of this type. Repeatable. Tasks are of type `ingestion` or "
            "`catalog_export`; no task has another type."
        },
    )
    start_date = query_fields.QueryDate(
        load_default=None,
        allow_none=False,
        metadata={"description": "Return only tasks submitted on this day (UTC) or later."},
    )
    end_date = query_fields.QueryDate(
        load_default=None,
        allow_none=False,
        metadata={"description": "Return only tasks submitted on this day (UTC) or earlier."},
    )
    before = query_fields.QueryInteger(
        load_default=None,
        allow_none=False,
        validate=between(1, MAX_INT32),
        metadata={
            "description": "Return only tasks with lower ids: send the last id of a page to get the next one. Not "
            "together with `page` or `offset`."
        },
    )

    exclusive = ("before", "offset", "page")


class EntriesQuery(PagedQuery):
    """Parameters of a report."""

    num_results_per_page = page_size(100, most=1000)
    outcome = fields.Choice(
        list(EntryOutcome),
        load_default=None,
        allow_none=False,
        metadata={"description": "Return only entries with this outcome."},
    )
    changes = query_fields.QueryFlag(
        load_default=False,
        allow_none=False,
        metadata={
            "description": "Tell of updated entries which fields changed, as far as earlier payloads are kept; with "
            "100 entries on a page at most, and up to some 8 MiB of changes."
        },
    )

    @validates_schema
    def refuse_many_changes(self, data: Mapping[str, Any], **_: Any) -> None:
        """Refuse to look up what many entries were before."""
        if data.get("changes") and data.get("num_results_per_page", 0) > MOST_ENTRIES:
            raise ValidationError(
                f"ensure this value is less than or equal to {MOST_ENTRIES} with `changes`", "num_results_per_page"
            )


class TaskChangeSchema(Strict):
    """A change of a task: cancel it or run it again."""

    status = fields.Choice(
        [Status.CANCELED, Status.QUEUED],
        required=True,
        metadata={"description": "`CANCELED` cancels the task, `QUEUED` runs it again."},
    )
    force = fields.Flag(
        load_default=False,
        metadata={"description": "Run it again with `force`, past the safeguard and what guards say about shares."},
    )
    force_reason = fields.Text(
        load_default="", validate=length(None, 200), metadata={"description": "Why, for those who look at it later."}
    )

    @validates_schema
    def refuse_forced_cancel(self, data: Mapping[str, Any], **_: Any) -> None:
        """Refuse force where it means nothing."""
        if data.get("force") and data.get("status") is not Status.QUEUED:
            raise ValidationError("only a task that is run again can have force", "force")


class NamedTaskChange(TaskChangeSchema):
    """A change of the task with an id."""

    id = fields.WholeNumber(required=True, validate=between(1, MAX_INT32), metadata={"description": "The task's id."})


class TaskChangesSchema(Strict):
    """Changes of many tasks, all or none."""

    tasks = fields.ListOf(fields.Object(NamedTaskChange), required=True, validate=length(1, 1000, "items"))


class NewTask(Strict):
    """A request for an export."""

    type = fields.Choice([TaskType.CATALOG_EXPORT], required=True)
    section = fields.Text(load_default=None, allow_none=False, validate=length(1, 100))
    catalog_part = fields.Choice(list(CatalogPart), required=True, metadata={"description": "The entries to export."})
    from_timestamp = fields.Moment(
        load_default=None,
        metadata={"description": "Export only entries changed at this time or later; without an offset it is UTC."},
    )

    format = fields.Choice(
        list(FileFormat),
        load_default=FileFormat.JSONL,
        metadata={"description": "Format of the file: lines of JSON, or CSV with the columns of an upload."},
    )

    @validates_schema
    def refuse_two_kinds_of_columns(self, data: Mapping[str, Any], **_: Any) -> None:
        """Reject CSV of items and variations, whose columns differ."""
        if data["catalog_part"] is CatalogPart.ITEMS_WITH_VARIATIONS and data["format"] is FileFormat.CSV:
            raise ValidationError("a CSV file has entries of one kind; export items and variations each", "format")

    @validates_schema
    def refuse_section_of_groups(self, data: Mapping[str, Any], **_: Any) -> None:
        """Item groups have no section: one that is named would seem to be what is exported."""
        if data["catalog_part"] is CatalogPart.ITEM_GROUPS and data["section"] is not None:
            raise ValidationError(NO_SECTION_OF_GROUPS, "section")
