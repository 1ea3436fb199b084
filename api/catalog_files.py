"""``/v1/catalog``: catalogue files, read as they arrive, become one task."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from flask import Blueprint, Response, request

from api import described_files
from api.auth import authorize, caller
from api.describing import describe
from api.errors import Invalid, Problem, UnsupportedMediaType
from api.file_queries import PatchFilesQuery, PutFilesQuery, SyncMode
from api.idempotency import read_upload_key, sent_key
from api.intake import NO_FILE, FileOrder, Intake
from api.multipart import PIECE_BYTES, read_multipart
from api.schemas import load_query
from api.sent_files import is_archive, take_archive, take_named
from api.services import services
from api.streams import open_body
from api.submitting import answer_accepted
from api.tracing import request_id, traceparent
from shared.errors import SluiceError
from shared.model import Kind, OnMissing, Operation

#: How long what a refused upload still sends is read and thrown away, so that its sender sees the refusal.
DRAIN_S = 60.0

blueprint = Blueprint("catalog_files", __name__, url_prefix="/v1/catalog")
blueprint.before_request(authorize)


@blueprint.put("")
@describe(described_files.PUT)
def put() -> Response:
    """Make the files all there is: what they leave out is deleted."""
    query = load_query(PutFilesQuery, request.args)
    return _take(Operation.KEEP if query["mode"] is SyncMode.IDS else Operation.SYNC, query)


@blueprint.patch("")
@describe(described_files.PATCH)
def patch() -> Response:
    """Replace the entries of the files whole, or change the fields that they have."""
    query = load_query(PatchFilesQuery, request.args)
    return _take(Operation.PATCH if query["patch_delta"] else Operation.PUT, query)


def _take(operation: Operation, query: dict[str, Any]) -> Response:
    order = FileOrder(
        operation=operation,
        section=query["section"],
        on_missing=query.get("on_missing", OnMissing.FAIL),
        force=query["force"],
        notification_emails=tuple(query["notification_emails"]),
        submitter=caller().as_submitter(),
        request_id=request_id(),
        traceparent=traceparent(),
    )
    sent_key()  # a bad one is told before anything is read
    boundary, stream = _boundary(), open_body()
    with Intake(services(), caller().catalog_key, order) as intake:
        try:
            for name, filename, pieces in read_multipart(stream, boundary):
                if is_archive(filename or name):
                    take_archive(intake, query["format"], pieces)
                elif filename is not None or name in list(Kind):
                    take_named(intake, name, query["format"], pieces)
            accepted = intake.submit(idempotency=read_upload_key(order, intake.contents))
        except SluiceError:
            _drain()
            raise
    return answer_accepted(accepted, query["wait"])


def _boundary() -> bytes:
    """Read where the parts of the body end.  Raises Invalid or UnsupportedMediaType if it has none."""
    if request.mimetype not in ("", "multipart/form-data"):
        raise UnsupportedMediaType(f"Content-Type {request.mimetype!r} is not read here; send multipart/form-data.")
    boundary = request.mimetype_params.get("boundary", "")
    if not boundary:
        raise Invalid(Problem("", NO_FILE))
    return boundary.encode()


def _drain() -> None:
    """Read what a refused upload still sends: most clients look for an answer only behind that."""
    until = time.monotonic() + DRAIN_S
    # The connection may have broken, in whatever way.
    with contextlib.suppress(Exception):
        while time.monotonic() < until and request.stream.read(PIECE_BYTES):
            pass
