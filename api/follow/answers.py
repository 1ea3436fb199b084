"""Schemas of the answers of the change feed."""

from __future__ import annotations

from marshmallow import fields as ma

from api.openapi.answers import count, moment, positive
from api.schemas import fields
from api.schemas.base import Strict
from shared.model import Kind
from shared.tasks.cursors import CursorState
from shared.tasks.reports import EntryOutcome


class ChangedEntry(Strict):
    """An entry that a task changed."""

    id = fields.Text(required=True, metadata={"description": "The entry's id."})
    outcome = fields.Choice(
        list(EntryOutcome), required=True, metadata={"description": "What the task did with the entry."}
    )
    entry = ma.Dict(
        allow_none=True,
        metadata={"description": "With `include=entries`: the entry as it is, null if it does not exist."},
    )


class Change(Strict):
    """The entries of one kind that a task changed."""

    task_id = positive(required=True, description="The task's id.")
    kind = fields.Choice(list(Kind), required=True, metadata={"description": "The kind of the entries."})
    section = fields.Text(
        required=True, allow_none=True, metadata={"description": "Section of the entries; null for item groups."}
    )
    entries = fields.ListOf(fields.Object(ChangedEntry), required=True)


class ChangesPage(Strict):
    """A page of changes."""

    changes = fields.ListOf(fields.Object(Change), required=True)
    as_of = fields.Text(
        metadata={"description": "With `include=entries`: a position whose changes all the entries include."}
    )
    next_after = fields.Text(required=True, metadata={"description": "Send it as `after` to get the next page."})
    more = fields.Flag(required=True, metadata={"description": "Whether the next page has changes already."})
    restarted = fields.Flag(
        required=True,
        metadata={
            "description": "Whether the store was started anew, or replaced by another, since the position was given."
        },
    )


class CursorLag(Strict):
    """What a follower has still to read."""

    tasks = count(description="Tasks that have ended since, exactly; failed and canceled ones are included.")
    entries = count(description="Entries of these tasks as they were sent, unchanged ones included.")
    entries_estimated = fields.Flag(
        required=True,
        metadata={"description": "Whether `entries` is estimated from the next 100 tasks, since there are more."},
    )
    seconds = ma.Float(
        required=True,
        metadata={"minimum": 0, "description": "Time since the first of these tasks ended; 0 if there is none."},
    )


class CursorSchema(Strict):
    """A named cursor, and how far behind it is."""

    name = fields.Text(required=True)
    after = fields.Text(required=True, metadata={"description": "The position that was kept."})
    updated_at = moment(description="When it was kept.")
    state = fields.Choice(
        list(CursorState),
        required=True,
        metadata={
            "description": "`behind`: the feed no longer reaches back to it. `lost`: the store has lost what came "
            "before it. Either way, read the whole catalogue and put the cursor anew."
        },
    )
    restarted = fields.Flag(
        required=True,
        metadata={
            "description": "Whether the store was started anew, or replaced by another, since the position was given."
        },
    )
    lag = fields.Object(CursorLag, required=True, allow_none=True, metadata={"description": "Null unless `ok`."})


class CursorList(Strict):
    """All cursors of a catalog, by name."""

    cursors = fields.ListOf(fields.Object(CursorSchema), required=True)
