"""``/v1/catalog``: upload catalogue files, which become one task."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from api.errors import Invalid, Problem, UnsupportedMediaType
from api.files import docs as described_files
from api.files.intake import take_part
from api.files.queries import PatchFilesQuery, PutFilesQuery, SyncMode
from api.files.upload import NO_FILE, FileUpload
from api.http.auth import authorize, caller
from api.http.body_streams import open_body
from api.http.idempotency import note_repeat, read_idempotency_key, sent_key
from api.http.multipart import read_multipart
from api.openapi.describe import describe
from api.schemas.base import load_query
from api.schemas.queries import DEFAULT_SECTION, NO_SECTION_OF_GROUPS
from api.services import current_services
from api.submit.submit import origin, refuse_full_queue
from api.tasks.accepted import answer_accepted
from shared.model import Batch, Kind, OnMissing, Operation

blueprint = Blueprint("catalog_files", __name__, url_prefix="/v1/catalog")
blueprint.before_request(authorize)


@blueprint.put("")
@describe(described_files.PUT)
def put() -> Response:
    """Replace the catalogue by the files: what they leave out is deleted."""
    query = load_query(PutFilesQuery, request.args)
    return _take(Operation.KEEP if query["mode"] is SyncMode.IDS else Operation.SYNC, query)


@blueprint.patch("")
@describe(described_files.PATCH)
def patch() -> Response:
    """Replace the entries of the files whole, or change only the given fields."""
    query = load_query(PatchFilesQuery, request.args)
    return _take(Operation.PATCH if query["patch_delta"] else Operation.PUT, query)


def _take(operation: Operation, query: dict[str, Any]) -> Response:
    batch = Batch(
        kind=Kind.ITEMS,
        operation=operation,
        section=query["section"],
        entries=0,
        bytes=0,
        chunks=0,
        on_missing=query.get("on_missing", OnMissing.FAIL),
        on_invalid=query["on_invalid"],
        force=query["force"],
        force_reason=query["force_reason"],
        notification_emails=tuple(query["notification_emails"]),
        origin=origin(),
    )
    # A bad key is refused before the body is read; with a good one, a repeat is answered also while the queue is full.
    may_repeat = sent_key() is not None
    boundary, stream = _boundary(), open_body()
    upload = FileUpload(
        current_services(), caller().catalog_key, batch, delimiter=query["delimiter"], dry_run=query["dry_run"]
    )
    with upload:
        if not (may_repeat or query["dry_run"]):
            refuse_full_queue(current_services(), caller().catalog_key)
        for name, filename, pieces in read_multipart(stream, boundary):
            take_part(upload, name, filename, query["format"], pieces)
        if upload.kinds == [Kind.ITEM_GROUPS] and query["section"] != DEFAULT_SECTION:
            raise Invalid(Problem("section", NO_SECTION_OF_GROUPS))
        if query["dry_run"]:
            return jsonify(upload.report())
        named = read_idempotency_key(batch, query["delimiter"].encode(), upload.contents)
        accepted = upload.submit(idempotency=named)
    note_repeat(accepted.repeated)
    return answer_accepted(accepted, query["wait"])


def _boundary() -> bytes:
    """Read the multipart boundary.  Raises Invalid or UnsupportedMediaType if there is none."""
    if request.mimetype not in ("", "multipart/form-data"):
        raise UnsupportedMediaType(
            f"Content-Type {request.mimetype!r} is not supported here; send multipart/form-data."
        )
    boundary = request.mimetype_params.get("boundary", "")
    if not boundary and not request.mimetype:
        raise Invalid(Problem("", NO_FILE))
    if not boundary:
        missing = "the Content-Type names no boundary; leave that header to the program that writes the form"
        raise Invalid(Problem("form-data", missing))
    return boundary.encode()
