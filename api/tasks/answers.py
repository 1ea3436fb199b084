"""Schemas of answers about tasks, for the OpenAPI document."""

from __future__ import annotations

from marshmallow import fields as ma

from api.history.answers import DifferenceSchema
from api.openapi.answers import TASK_STATUS_PATH, TOTAL_COUNT, ProblemSchema, count, moment, positive
from api.schemas import fields
from api.schemas.base import Strict
from api.tasks.planned_answers import PlannedChanges
from api.tasks.schemas import TaskType
from shared.files.file_format import FileFormat
from shared.model import CatalogPart, Kind, Status
from shared.tasks.reports import EntryOutcome

UPDATED = "Includes created and unchanged ones."
UNCHANGED = "Those that were stored already as they were sent; absent if there are none."


class Warned(Strict):
    """A warning of a task."""

    code = fields.Text(
        required=True, metadata={"description": "For example `DUPLICATE_ITEM`, `ORPHAN_VARIATION` or `INVALID_ENTRY`."}
    )
    message = fields.Text(required=True, metadata={"description": "The warning in a sentence."})
    data = ma.Dict(
        required=True, metadata={"description": "The `id` of the entry, and its `index` where the id is not enough."}
    )


class SectionChanges(Strict):
    """Numbers of changed entries in a section; only the kinds touched."""

    items_updated = ma.Integer(metadata={"description": UPDATED})
    items_unchanged = ma.Integer(metadata={"description": UNCHANGED})
    items_deleted = ma.Integer()
    variations_updated = ma.Integer(metadata={"description": UPDATED})
    variations_unchanged = ma.Integer(metadata={"description": UNCHANGED})
    variations_deleted = ma.Integer()


class Changelog(Strict):
    """The changes of a task."""

    sections = ma.Dict(
        keys=fields.Text(),
        values=fields.Object(SectionChanges),
        required=True,
        metadata={"description": "Changes by section."},
    )
    item_groups_updated = ma.Integer(metadata={"description": UPDATED})
    item_groups_unchanged = ma.Integer(metadata={"description": UNCHANGED})
    item_groups_deleted = ma.Integer()


class Result(Strict):
    """The result of a DONE task: `url`, `bytes`, `sha256` and `count` for an export, the others for an ingestion."""

    changelog = fields.Object(Changelog, metadata={"description": "What changed; only the kinds touched."})
    index_built = fields.Flag(
        metadata={
            "description": "Whether every sink that is required has the task. True as soon as it is DONE where "
            "there is none."
        }
    )
    ingestion_warnings = fields.ListOf(
        fields.Object(Warned),
        metadata={"description": "Entries that were left out or look wrong. At most 100 per 1,000 entries."},
    )
    url = fields.Text(metadata={"description": "URL of the file; needs no token, works for three days."})
    bytes = fields.WholeNumber(metadata={"description": "Length of the file at the URL."})
    sha256 = fields.Text(metadata={"description": "SHA-256 of the file at the URL, hexadecimal."})
    count = ma.Integer(metadata={"minimum": 0, "description": "Lines of the file."})


class TaskError(Strict):
    """Why a task FAILED."""

    message = fields.Text(required=True, metadata={"description": "Begins with `IngestionError: `."})


class Progress(Strict):
    """The progress of a task."""

    entries_total = count()
    entries_applied = count()


class SentFile(Strict):
    """A catalogue file of an upload."""

    rows = count()
    name = fields.Text(metadata={"description": "Its name as sent; in an archive, after the archive's name."})


class SubmittedBy(Strict):
    """The sender of a batch."""

    token_name = fields.Text(required=True)
    client = fields.Text(required=True)
    address = fields.Text(required=True)
    bytes = count()


class TaskSchema(Strict):
    """A task."""

    id = positive(required=True, description="Grows in the order of submission, per catalog.")
    status = fields.Choice(
        list(Status),
        required=True,
        metadata={"description": "QUEUED, then IN_PROGRESS, then finally DONE, FAILED or CANCELED."},
    )
    submission_time = moment()
    start_time = moment(nullable=True, description="null until the task runs.")
    last_update = moment(nullable=True, description="null until the task runs.")
    type = fields.Choice(list(TaskType), required=True)
    filename = fields.Text(
        required=True, metadata={"description": "A name after the pattern of uploaded files, for any task."}
    )
    protocol = fields.Text(
        required=True, metadata={"enum": ["http", "ftp"], "description": "The protocol that it was sent over."}
    )
    result = fields.Object(Result, metadata={"description": "Present once DONE."})
    error = fields.Object(TaskError, metadata={"description": "Present once FAILED."})
    section = fields.Text(metadata={"description": "For an export: the section that is exported."})
    catalog_part = fields.Choice(list(CatalogPart), metadata={"description": "For an export: the exported entries."})
    format = fields.Choice(list(FileFormat), metadata={"description": "For an export: the format of its file."})
    progress = fields.Object(
        Progress,
        required=True,
        metadata={"description": "Entries in all, and entries applied so far; for an export, entries written so far."},
    )
    files = ma.Dict(keys=fields.Choice(list(Kind)), values=fields.Object(SentFile))
    submitted_by = fields.Object(SubmittedBy)
    queue_position = positive(description="While QUEUED: position in the queue; 1 is next.")
    waiting_for = fields.Text(metadata={"description": "While QUEUED: what the task waits for."})
    planned = ma.Dict(
        keys=fields.Choice(list(Kind)),
        values=fields.Object(PlannedChanges),
        metadata={
            "description": "What the task would change, by kind, worked out before it does: where a guard is set."
        },
    )
    force_reason = fields.Text(metadata={"description": "Why its sender forced it."})
    retry_of = positive(description="The task that this one runs again.")
    rerun_by = fields.Text(metadata={"description": "Name of the token that ran it again."})
    canceled_by = fields.Text(metadata={"description": "Name of the token that canceled it."})
    retried_by = fields.Text(metadata={"description": "The operator who let its stuck partition try the task again."})
    skipped_by = fields.Text(
        metadata={"description": "The operator who let its stuck partition go on without the rest of the task."}
    )


class StatusCounts(Strict):
    """Number of tasks by status."""

    QUEUED = count()
    IN_PROGRESS = count()
    DONE = count()
    FAILED = count()
    CANCELED = count()


class TaskList(Strict):
    """A page of tasks, newest first."""

    tasks = fields.ListOf(fields.Object(TaskSchema), required=True)
    total_count = count(description=TOTAL_COUNT)
    status_counts = fields.Object(
        StatusCounts,
        required=True,
        metadata={"description": "Number of tasks by status, under the same filters except `status`."},
    )


class ChangedTasks(Strict):
    """The canceled and the new tasks, in the order of the request."""

    tasks = fields.ListOf(fields.Object(TaskSchema), required=True)


class ReportedEntrySchema(Strict):
    """The outcome of one entry."""

    index = count(description="Position among the sent entries, from 0.")
    id = fields.Text(
        required=True,
        allow_none=True,
        metadata={"description": "null if the entry had none, or once the payload is no longer kept."},
    )
    kind = fields.Choice(list(Kind), metadata={"description": "For catalogue files: the kind of the entry."})
    outcome = fields.Choice(
        list(EntryOutcome), required=True, metadata={"description": "What the task did with the entry."}
    )
    reason = fields.Text(metadata={"description": "Why the entry was left out or failed, if known."})
    changes = fields.ListOf(
        fields.Object(DifferenceSchema),
        metadata={"description": "With `changes=true`, of an updated entry: what changed, where that is known."},
    )
    before_known = fields.Flag(
        metadata={
            "description": "Goes with `changes`: whether what was before is still kept. If not, they are the fields "
            "that were sent, without their values before."
        }
    )


class OutcomeCounts(Strict):
    """Number of entries by outcome."""

    created = count()
    updated = count()
    unchanged = count()
    deleted = count()
    ignored = count()
    failed = count()


class Report(Strict):
    """A page of entries in the order sent, with their outcomes."""

    entries = fields.ListOf(fields.Object(ReportedEntrySchema), required=True)
    total_count = count(description=TOTAL_COUNT)
    outcome_counts = fields.Object(
        OutcomeCounts,
        required=True,
        metadata={"description": "Number of entries by outcome, whatever the filter is."},
    )


class AcceptedSchema(Strict):
    """The task of an accepted batch."""

    task_id = positive(required=True, description="The task's id; never 0.")
    task_status_path = fields.Text(required=True, metadata={"description": TASK_STATUS_PATH})
    task = fields.Object(TaskSchema, metadata={"description": "The task, if the request has `wait`."})


class AcceptedExport(TaskSchema):
    """The task of an export, with its id under two names."""

    task_id = positive(required=True, description="The same as `id`.")
    task_status_path = fields.Text(required=True, metadata={"description": TASK_STATUS_PATH})


class Verified(Strict):
    """Key and token are right."""

    message = fields.Text(required=True)
    key = fields.Text(required=True)


class Exporting(Strict):
    """The task of another export of the catalog, which has not ended."""

    message = fields.Text(required=True, metadata={"description": "The reason in a sentence."})
    task_id = positive(required=True, description="The id of the other export's task.")
    task_status_path = fields.Text(required=True, metadata={"description": TASK_STATUS_PATH})


class Findings(Strict):
    """The findings of a dry run."""

    dry_run = fields.Flag(required=True, metadata={"enum": [True], "description": "Nothing was stored."})
    entries_total = count(description="Entries sent.")
    entries_valid = count(description="Entries without problems.")
    errors = fields.ListOf(
        fields.Object(ProblemSchema), required=True, metadata={"description": "Each problem and its place."}
    )
    planned = ma.Dict(
        keys=fields.Choice(list(Kind)),
        values=fields.Object(PlannedChanges),
        required=True,
        metadata={"description": "What the valid entries would change, by kind."},
    )
    would_fail = fields.Text(
        required=True, allow_none=True, metadata={"description": "Why the task would fail, invalid entries aside."}
    )


class FileOutcomes(SentFile):
    """The expected outcomes of the entries of a file."""

    created = count()
    updated = count()
    unchanged = count()
    deleted = count(description="For a sync: entries that the file leaves out.")
    ignored = count()
    failed = count()


class FilesFindings(Findings):
    """The findings of a dry run of files."""

    files = ma.Dict(keys=fields.Choice(list(Kind)), values=fields.Object(FileOutcomes), required=True)
    warnings = fields.ListOf(fields.Object(Warned), required=True)
