"""A write: from the request to the task that it becomes."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from api.batches import CheckedBatch, check_batch
from api.bodies import read_entries_body
from api.described_writes import describe_write
from api.idempotency import read_idempotency_key, sent_key
from api.schemas import PatchQuery, WriteQuery, load_query
from api.services import services
from api.submitting import origin, submit
from shared.model import NO_SECTION, Batch, Kind, OnMissing, Operation


def add_writes(blueprint: Blueprint, kind: Kind) -> None:
    """Make the routes that write entries of a kind."""

    @blueprint.put("")
    @describe_write(kind, Operation.PUT)
    def put() -> Response:
        return write(kind, Operation.PUT)

    @blueprint.patch("")
    @describe_write(kind, Operation.PATCH)
    def patch() -> Response:
        return write(kind, Operation.PATCH)

    @blueprint.delete("")
    @describe_write(kind, Operation.DELETE)
    def delete() -> Response:
        return write(kind, Operation.DELETE)


def write(kind: Kind, operation: Operation) -> Response:
    """Check the entries that the present request sends, submit them as one batch, and answer with its task."""
    query = load_query(PatchQuery if operation is Operation.PATCH else WriteQuery, request.args)
    on_missing = query.get("on_missing", OnMissing.FAIL)
    body, form = read_entries_body()
    max_entries = services().settings.max_entries
    checked = check_batch(
        body, kind=kind, operation=operation, on_missing=on_missing, form=form, max_entries=max_entries
    )
    if query["dry_run"]:
        sent_key()  # a bad one is told, a good one means nothing here
        return _findings(checked)
    chunks = checked.chunks(query["on_invalid"])
    batch = Batch(
        kind=kind,
        operation=operation,
        section=NO_SECTION if kind is Kind.ITEM_GROUPS else query["section"],
        entries=sum(map(len, chunks)),
        bytes=len(body),
        chunks=len(chunks),
        on_missing=on_missing,
        on_invalid=query["on_invalid"],
        form=form,
        force=query["force"],
        notification_emails=tuple(query["notification_emails"]),
        **origin(),
    )
    return submit(batch, chunks, idempotency=read_idempotency_key(batch, body), wait_s=query["wait"])


def _findings(checked: CheckedBatch) -> Response:
    """Answer a dry run: also one that found something was a success."""
    return jsonify(
        dry_run=True,
        entries_total=len(checked.sent.entries),
        entries_valid=checked.valid,
        errors=[problem._asdict() for problem in checked.problems()],
    )
