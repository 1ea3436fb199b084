"""Schemas of answers about what a task would change, for the OpenAPI document."""

from __future__ import annotations

from marshmallow import fields as ma

from api.openapi.answers import count
from api.schemas import fields
from api.schemas.base import Strict


class NumberChanges(Strict):
    """How the numbers of a field change."""

    compared = count(description="Values that are numbers before and after.")
    changed = count()
    by_more_than_10_percent = count()
    by_more_than_double = count(description="Multiplied or divided by more than 2.")
    by_more_than_tenfold = count()


class FieldChanges(Strict):
    """What happens to the values of a field."""

    emptied = count(description="Entries that lose their value.")
    numbers = fields.Object(NumberChanges, metadata={"description": "Present if there are numbers."})
    outside = ma.Integer(metadata={"minimum": 0, "description": "Numbers outside the bounds of the guard."})
    garbled = ma.Integer(metadata={"minimum": 0, "description": "Texts that look wrongly decoded."})
    missing = ma.Integer(metadata={"minimum": 0, "description": "Written entries without a value, if it is required."})


class PlannedChanges(Strict):
    """What a task would do to the entries of a kind."""

    stored = count(description="Entries stored before.")
    created = count()
    updated = count()
    unchanged = count()
    deleted = count()
    fields_ = ma.Dict(
        keys=fields.Text(),
        values=fields.Object(FieldChanges),
        data_key="fields",
        metadata={"description": "By name: the fields that the guard names; in a dry run the 30 that change most."},
    )
    guard_version = ma.Integer(metadata={"minimum": 1, "description": "Version of the guard that judged it."})
    broken = fields.ListOf(fields.Text(), metadata={"description": "Rules of the guard that it breaks."})
