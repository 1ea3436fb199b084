"""Query parameters of the pages.  An empty form field counts as not sent."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import request
from marshmallow import fields as ma
from marshmallow import validate
from werkzeug.datastructures import MultiDict

from api.schemas import fields, query_fields
from api.schemas.base import Query, load_query
from api.schemas.fields import between, length
from api.schemas.queries import MAX_INT32
from api.v1.field_stats import SortBy
from shared.model import Kind, Operation, Status
from shared.tasks.reports import EntryOutcome


class MinuteMs(ma.Field[int]):
    """A day, or a minute of it, in UTC: loaded as its beginning in ms, or as the moment behind its end."""

    default_error_messages = {  # noqa: RUF012  # as marshmallow declares it
        "invalid": "write a day as 2026-11-29, or a minute as 2026-11-29T09:53"
    }

    def __init__(self, *, is_end: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._is_end = is_end

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        for form, unit in (("%Y-%m-%d", timedelta(days=1)), ("%Y-%m-%dT%H:%M", timedelta(minutes=1))):
            with contextlib.suppress(ValueError, OverflowError):
                begin = datetime.strptime(value, form).replace(tzinfo=UTC)
                return int((begin + (unit if self._is_end else timedelta())).timestamp() * 1000)
        raise self.make_error("invalid")


class UpdatesForm(Query):
    """Filters of the list of tasks."""

    statuses = fields.ListOf(fields.Choice(list(Status)), data_key="status", load_default=list)
    kind = fields.Choice(list(Kind), load_default=None, allow_none=False)
    operation = fields.Choice(list(Operation), load_default=None, allow_none=False)
    section = fields.Text(load_default="", validate=length(None, 100))
    protocol = fields.Text(load_default="", validate=validate.OneOf(["http", "ftp"]))
    submitter = fields.Text(data_key="by", load_default="", validate=length(None, 200))
    from_ms = MinuteMs(data_key="from", load_default=None, allow_none=False)
    before_ms = MinuteMs(data_key="to", load_default=None, allow_none=False, is_end=True)
    text = fields.Text(data_key="q", load_default="", validate=length(None, 250))
    before = query_fields.QueryInteger(load_default=None, allow_none=False, validate=between(1, MAX_INT32))
    #: Keep looking for new ones, also while nothing happens and without JavaScript.
    watch = query_fields.QueryFlag(load_default=False)


class AllUpdatesForm(Query):
    """Filters of the list of the tasks of all catalogs."""

    status = fields.Choice(list(Status), load_default=None, allow_none=False)
    #: Those submitted before this moment, ms.
    before = query_fields.QueryInteger(load_default=None, allow_none=False, validate=between(1, 10**15))
    watch = query_fields.QueryFlag(load_default=False)


class EntriesForm(Query):
    """Filters of a task's entries."""

    outcome = fields.Choice(list(EntryOutcome), load_default=None, allow_none=False)
    text = fields.Text(data_key="find", load_default="", validate=length(None, 250))
    chunk = query_fields.QueryInteger(load_default=0, allow_none=False, validate=between(0, MAX_INT32))
    offset = query_fields.QueryInteger(load_default=0, allow_none=False, validate=between(0, MAX_INT32))


class CatalogForm(Query):
    """Filters of a catalog's entries."""

    section = fields.Text(load_default=None, allow_none=False, validate=length(1, 100))
    kind = fields.Choice(list(Kind), load_default=Kind.ITEMS)
    text = fields.Text(data_key="q", load_default="", validate=length(None, 250))
    after = fields.Text(load_default=None, allow_none=False)


class FieldsForm(Query):
    """What to show of the fields of a section's items."""

    section = fields.Text(load_default=None, allow_none=False, validate=length(1, 100))
    text = fields.Text(data_key="q", load_default="", validate=length(None, 300))
    sort_by = fields.Choice(list(SortBy), load_default=SortBy.PRESENCE)
    offset = query_fields.QueryInteger(load_default=0, allow_none=False, validate=between(0, MAX_INT32))


class EntryForm(Query):
    """The entry to show."""

    section = fields.Text(load_default="", validate=length(None, 100))
    kind = fields.Choice(list(Kind), load_default=Kind.ITEMS)
    id = fields.Text(required=True, validate=length(1, 250))
    before = query_fields.QueryInteger(load_default=None, allow_none=False, validate=between(1, MAX_INT32))


def read_form(form: type[Query]) -> dict[str, Any]:
    """Read the parameters of the current request.  Raises Invalid."""
    filled = [(name, value) for name, value in request.args.items(multi=True) if value.strip() or name == "id"]
    return load_query(form, MultiDict(filled))
