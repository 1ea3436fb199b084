"""Schemas of answers, for the OpenAPI document: what all answers share, and errors.

They write no answers; tests compare the answers with them.
"""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE
from marshmallow import fields as ma

from api.schemas import fields
from api.schemas.base import Strict

#: Descriptions shared by several schemas.
TOTAL_COUNT = "Number of results on all pages."
TASK_STATUS_PATH = "Path at which to poll the task."


def count(**kwargs: Any) -> ma.Integer:
    return ma.Integer(required=True, metadata={"minimum": 0, **kwargs})


def moment(*, nullable: bool = False, **kwargs: Any) -> ma.DateTime:
    return ma.DateTime(required=True, allow_none=nullable, metadata=kwargs)


def positive(*, required: bool = False, **kwargs: Any) -> ma.Integer:
    return ma.Integer(required=required, metadata={"minimum": 1, **kwargs})


# --- refusals --------------------------------------------------------------------------------------------------------


class ProblemSchema(Strict):
    """One problem of a request."""

    loc = fields.Text(required=True, metadata={"description": "Place of the problem, such as `items[3].name`."})
    msg = fields.Text(required=True, metadata={"description": "The problem."})


class Error(Strict):
    """An error."""

    message = fields.Text(
        required=True, metadata={"description": "The error in a sentence; with several problems the first ten."}
    )
    errors = fields.ListOf(
        fields.Object(ProblemSchema),
        metadata={"description": "Each problem and its place, if the request breaks the rules."},
    )
    task_id = positive(description="For 504: the task that the write became.")
    task_status_path = fields.Text(metadata={"description": "For 504: path at which to poll the task."})
    next_after = fields.Text(metadata={"description": "For 410: where the feed begins now."})


# --- the change feed -------------------------------------------------------------------------------------------------


# --- the service -----------------------------------------------------------------------------------------------------


class OpenApi(Strict):
    """An OpenAPI document."""

    class Meta:
        unknown = INCLUDE

    openapi = fields.Text(required=True)
