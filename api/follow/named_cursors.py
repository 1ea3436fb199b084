"""``/v1/changes/cursors``: keep positions of followers, and see how far behind they are."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from api.entries.json_body import parse_json
from api.errors import Invalid, NotFound, Problem
from api.follow.answers import CursorList, CursorSchema
from api.follow.schemas import CursorPut
from api.http.auth import authorize_reader, caller
from api.http.bodies import read_json_body
from api.http.idempotency import note_repeat, read_idempotency_key
from api.openapi.describe import Answer, Description, JsonBody, Tag, describe
from api.schemas.base import load_body
from api.services import current_services
from shared.clock import iso
from shared.tasks.cursors import BadCursor, CursorReport, Cursors, Lag, lag_s

blueprint = Blueprint("cursors", __name__, url_prefix="/v1/changes/cursors")
# Whoever may read the feed may say how far it has come.
blueprint.before_request(authorize_reader)

_POSITION = "7-1f0c3a9e"
_CURSOR = {
    "name": "indexer",
    "after": _POSITION,
    "updated_at": "2026-01-31T12:00:00Z",
    "state": "ok",
    "restarted": False,
    "lag": {"tasks": 2, "entries": 1200, "entries_estimated": False, "seconds": 3.5},
}


@blueprint.get("")
@describe(
    Description(
        "List cursors",
        Tag.CHANGES,
        {200: Answer("All cursors, by name, with how far behind they are.", CursorList, {"cursors": [_CURSOR]})},
    )
)
def get_list() -> Response:
    return jsonify(cursors=[_shown(report) for report in _cursors().all()])


@blueprint.get("/<cursor_name>")
@describe(Description("Get a cursor", Tag.CHANGES, {200: Answer("The cursor.", CursorSchema, _CURSOR)}, errors=(404,)))
def get_one(cursor_name: str) -> Response:
    return jsonify(_shown(_found(cursor_name)))


@blueprint.put("/<cursor_name>")
@describe(
    Description(
        "Keep a position under a name",
        Tag.CHANGES,
        {200: Answer("The cursor as it is now.", CursorSchema, _CURSOR)},
        text=(
            "Creates the cursor or moves it, backwards too; a token that may read the feed may do so. It keeps nothing "
            "from being deleted. A name has 1 to 100 characters of `A-Z a-z 0-9 _ . -`; there are at most 100 cursors."
        ),
        body=JsonBody(CursorPut, {"after": _POSITION}),
    )
)
def put(cursor_name: str) -> Response:
    options = load_body(CursorPut, parse_json(read_json_body()))
    key = read_idempotency_key({"after": str(options["after"])})
    try:
        cursor, repeated = _cursors().put(
            cursor_name, options["after"], now_ms=current_services().clock(), idempotency=key
        )
    except BadCursor as problem:
        raise Invalid(Problem(problem.where, str(problem))) from None
    note_repeat(repeated)
    return jsonify(_shown(_found(cursor.name)))


@blueprint.delete("/<cursor_name>")
@describe(
    Description(
        "Remove a cursor",
        Tag.CHANGES,
        {200: Answer("The remaining cursors.", CursorList, {"cursors": []})},
        errors=(404,),
    )
)
def delete(cursor_name: str) -> Response:
    found, repeated = _cursors().remove(cursor_name, idempotency=read_idempotency_key({}))
    if not found:
        raise NotFound("cursor not found")
    note_repeat(repeated)
    return get_list()


def _cursors() -> Cursors:
    return current_services().cursors(caller().catalog_key)


def _found(name: str) -> CursorReport:
    """Read a cursor.  Raises NotFound."""
    report = _cursors().get(name)
    if report is None:
        raise NotFound("cursor not found")
    return report


def _shown(report: CursorReport) -> dict[str, Any]:
    cursor = report.cursor
    return {
        "name": cursor.name,
        "after": str(cursor.after),
        "updated_at": iso(cursor.updated_ms),
        "state": report.state,
        "restarted": report.restarted,
        "lag": None if report.lag is None else _lag(report, report.lag),
    }


def _lag(report: CursorReport, lag: Lag) -> dict[str, Any]:
    return {
        "tasks": lag.tasks,
        "entries": lag.entries,
        "entries_estimated": lag.is_estimated,
        "seconds": lag_s(report, current_services().clock()),
    }
