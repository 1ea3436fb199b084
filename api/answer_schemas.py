"""What answers look like, for the OpenAPI document.  Nothing is written by these; tests hold the answers to them.

Here: what all answers are made of, refusals, and the service itself.
"""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE
from marshmallow import fields as ma

from api import fields
from api.entry_schemas import Strict
from shared.model import Kind
from shared.reports import EntryOutcome


def count(**kwargs: Any) -> ma.Integer:
    return ma.Integer(required=True, metadata={"minimum": 0, **kwargs})


def moment(*, nullable: bool = False) -> ma.DateTime:
    return ma.DateTime(required=True, allow_none=nullable)


def positive(**kwargs: Any) -> ma.Integer:
    return ma.Integer(metadata={"minimum": 1}, **kwargs)


# --- refusals --------------------------------------------------------------------------------------------------------


class Problem(Strict):
    """One thing that is wrong with a request."""

    loc = fields.Text(required=True)
    msg = fields.Text(required=True)


class Error(Strict):
    """Every answer that is not a success."""

    message = fields.Text(required=True)
    errors = fields.ListOf(fields.Object(Problem))
    task_id = ma.Integer(metadata={"minimum": 1})
    task_status_path = fields.Text()
    next_after = ma.Integer(metadata={"minimum": 0})


# --- the change feed -------------------------------------------------------------------------------------------------


class ChangedEntry(Strict):
    """An entry that a task changed."""

    id = fields.Text(required=True)
    outcome = fields.Choice(list(EntryOutcome), required=True)


class Change(Strict):
    """What a task changed of one kind."""

    task_id = positive(required=True)
    kind = fields.Choice(list(Kind), required=True)
    section = fields.Text(required=True, allow_none=True)
    entries = fields.ListOf(fields.Object(ChangedEntry), required=True)


class ChangesPage(Strict):
    """A page of changes."""

    changes = fields.ListOf(fields.Object(Change), required=True)
    next_after = count()
    more = fields.Flag(required=True)


# --- the service -----------------------------------------------------------------------------------------------------


class Alive(Strict):
    """The process answers."""

    status = fields.Text(required=True, metadata={"enum": ["ok"]})


class Ready(Strict):
    """Whether batches can be taken, and whether they are applied."""

    status = fields.Text(required=True, metadata={"enum": ["ok", "degraded"]})
    store = fields.Text(required=True, metadata={"enum": ["ok"]})
    broker = fields.Text(required=True, metadata={"enum": ["ok", "away"]})
    workers = count()


class NotReady(Strict):
    """Batches cannot be taken."""

    status = fields.Text(required=True, metadata={"enum": ["unavailable"]})
    store = fields.Text(required=True, metadata={"enum": ["away"]})


class Version(Strict):
    """What runs here."""

    name = fields.Text(required=True)
    version = fields.Text(required=True)


class OpenApi(Strict):
    """An OpenAPI document."""

    class Meta:
        unknown = INCLUDE

    openapi = fields.Text(required=True)
