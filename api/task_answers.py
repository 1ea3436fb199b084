"""What answers about tasks look like, for the OpenAPI document."""

from __future__ import annotations

from marshmallow import fields as ma

from api import fields
from api.answer_schemas import Problem, count, moment, positive
from api.entry_schemas import Strict
from api.schemas import TaskType
from shared.model import Kind, Status
from shared.reports import EntryOutcome


class Warned(Strict):
    """Something that a task left out or found odd."""

    code = fields.Text(required=True)
    message = fields.Text(required=True)
    data = ma.Dict(required=True)


class SectionChanges(Strict):
    """What a task changed in a section; only the kinds touched."""

    items_updated = ma.Integer()
    items_deleted = ma.Integer()
    variations_updated = ma.Integer()
    variations_deleted = ma.Integer()


class Changelog(Strict):
    """What a task changed."""

    sections = ma.Dict(keys=fields.Text(), values=fields.Object(SectionChanges), required=True)
    item_groups_updated = ma.Integer()
    item_groups_deleted = ma.Integer()


class Result(Strict):
    """What came of a task that is DONE: `url` and `count` of an export, the others of an ingestion."""

    changelog = fields.Object(Changelog)
    index_built = fields.Flag()
    ingestion_warnings = fields.ListOf(fields.Object(Warned))
    url = fields.Text()
    count = ma.Integer(metadata={"minimum": 0})


class TaskError(Strict):
    """Why a task FAILED."""

    message = fields.Text(required=True)


class Progress(Strict):
    """How far a task is."""

    entries_total = count()
    entries_applied = count()


class SentFile(Strict):
    """What was in a catalogue file."""

    rows = count()


class SubmittedBy(Strict):
    """Who sent a batch, from where."""

    token_name = fields.Text(required=True)
    client = fields.Text(required=True)
    address = fields.Text(required=True)
    bytes = count()


class Task(Strict):
    """What the sender of a batch follows."""

    id = positive(required=True)
    status = fields.Choice(list(Status), required=True)
    submission_time = moment()
    start_time = moment(nullable=True)
    last_update = moment(nullable=True)
    type = fields.Choice(list(TaskType), required=True)
    filename = fields.Text(required=True)
    protocol = fields.Text(required=True, metadata={"enum": ["http", "ftp"]})
    result = fields.Object(Result)
    error = fields.Object(TaskError)
    progress = fields.Object(Progress, required=True)
    files = ma.Dict(keys=fields.Choice(list(Kind)), values=fields.Object(SentFile))
    submitted_by = fields.Object(SubmittedBy)
    queue_position = positive()
    waiting_for = fields.Text()
    retry_of = positive()
    rerun_by = fields.Text()
    canceled_by = fields.Text()
    retried_by = fields.Text()
    skipped_by = fields.Text()


class StatusCounts(Strict):
    """How many tasks there are of each status."""

    QUEUED = count()
    IN_PROGRESS = count()
    DONE = count()
    FAILED = count()
    CANCELED = count()


class TaskList(Strict):
    """A page of tasks, newest first."""

    tasks = fields.ListOf(fields.Object(Task), required=True)
    total_count = count()
    status_counts = fields.Object(StatusCounts, required=True)


class ChangedTasks(Strict):
    """The canceled and the new tasks, in the order asked for."""

    tasks = fields.ListOf(fields.Object(Task), required=True)


class ReportedEntry(Strict):
    """What became of one entry."""

    index = count()
    id = fields.Text(required=True, allow_none=True)
    #: Of catalogue files.
    kind = fields.Choice(list(Kind))
    outcome = fields.Choice(list(EntryOutcome), required=True)
    reason = fields.Text()


class OutcomeCounts(Strict):
    """How many entries had each outcome."""

    created = count()
    updated = count()
    unchanged = count()
    deleted = count()
    ignored = count()
    failed = count()


class Report(Strict):
    """A page of entries, in the order they were sent, with what became of them."""

    entries = fields.ListOf(fields.Object(ReportedEntry), required=True)
    total_count = count()
    outcome_counts = fields.Object(OutcomeCounts, required=True)


class Accepted(Strict):
    """The batch was accepted and became a task."""

    task_id = positive(required=True)
    task_status_path = fields.Text(required=True)
    task = fields.Object(Task)


class Exporting(Strict):
    """Another export of the catalog has not ended."""

    message = fields.Text(required=True)
    task_id = positive(required=True)
    task_status_path = fields.Text(required=True)


class Findings(Strict):
    """What a dry run found."""

    dry_run = fields.Flag(required=True, metadata={"enum": [True]})
    entries_total = count(description="Entries that were sent.")
    entries_valid = count(description="Entries that break no rule.")
    errors = fields.ListOf(fields.Object(Problem), required=True)
