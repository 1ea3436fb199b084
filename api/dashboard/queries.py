"""What the pages take in their URLs.  A field of a form that was left empty counts as not there."""

from __future__ import annotations

from typing import Any

from flask import request
from marshmallow import validate
from werkzeug.datastructures import MultiDict

from api import fields
from api.fields import between, length
from api.schemas import MAX_INT32, Query, load_query
from shared.model import Kind, Operation, Status
from shared.reports import EntryOutcome


class UpdatesForm(Query):
    """Filters of the list of tasks."""

    statuses = fields.ListOf(fields.Choice(list(Status)), data_key="status", load_default=list)
    kind = fields.Choice(list(Kind), load_default=None, allow_none=False)
    operation = fields.Choice(list(Operation), load_default=None, allow_none=False)
    section = fields.Text(load_default="", validate=length(None, 100))
    protocol = fields.Text(load_default="", validate=validate.OneOf(["http", "ftp"]))
    submitter = fields.Text(data_key="by", load_default="", validate=length(None, 200))
    first_day = fields.QueryDate(data_key="from", load_default=None, allow_none=False)
    last_day = fields.QueryDate(data_key="to", load_default=None, allow_none=False)
    text = fields.Text(data_key="q", load_default="", validate=length(None, 250))
    before = fields.QueryInteger(load_default=None, allow_none=False, validate=between(1, MAX_INT32))


class EntriesForm(Query):
    """What of a task's entries to show."""

    outcome = fields.Choice(list(EntryOutcome), load_default=None, allow_none=False)
    text = fields.Text(data_key="find", load_default="", validate=length(None, 250))
    chunk = fields.QueryInteger(load_default=0, allow_none=False, validate=between(0, MAX_INT32))
    offset = fields.QueryInteger(load_default=0, allow_none=False, validate=between(0, MAX_INT32))


class CatalogForm(Query):
    """What of a catalog to show."""

    section = fields.Text(load_default=None, allow_none=False, validate=length(1, 100))
    kind = fields.Choice(list(Kind), load_default=Kind.ITEMS)
    text = fields.Text(data_key="q", load_default="", validate=length(None, 250))
    after = fields.Text(load_default=None, allow_none=False, validate=length(1, 250))


class EntryForm(Query):
    """Which entry to show."""

    section = fields.Text(load_default="", validate=length(None, 100))
    kind = fields.Choice(list(Kind), load_default=Kind.ITEMS)
    id = fields.Text(required=True, validate=length(1, 250))
    before = fields.QueryInteger(load_default=None, allow_none=False, validate=between(1, MAX_INT32))


def read_form(form: type[Query]) -> dict[str, Any]:
    """Read the parameters of the present request.  Raises Invalid."""
    filled = [(name, value) for name, value in request.args.items(multi=True) if value.strip() or name == "id"]
    return load_query(form, MultiDict(filled))
