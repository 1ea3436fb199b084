"""Turn a V2 write request into a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, request

from api.entries.checked_batch import CheckedBatch, check_batch
from api.entries.chunks import find_superseded
from api.entries.comparison import Comparison
from api.http.auth import caller
from api.http.bodies import read_entries_body
from api.http.idempotency import read_idempotency_key, sent_key
from api.schemas.base import load_query
from api.services import current_services
from api.submit.submit import origin
from api.tasks.accepted import submit
from api.v2.docs import describe_write
from api.v2.queries import write_query
from shared.model import NO_SECTION, Batch, Kind, OnMissing, Operation


def add_writes(blueprint: Blueprint, kind: Kind) -> None:
    """Create the routes that write entries of a kind."""

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
    query = load_query(write_query(kind, operation), request.args)
    on_missing = query.get("on_missing", OnMissing.FAIL)
    body, form = read_entries_body()
    max_entries = current_services().settings.max_entries
    checked = check_batch(
        body, kind=kind, operation=operation, on_missing=on_missing, form=form, max_entries=max_entries
    )
    if query["dry_run"]:
        sent_key()  # a bad key is refused; a good one has no meaning here
        return _findings(checked, kind, operation, query)
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
        force_reason=query["force_reason"],
        notification_emails=tuple(query["notification_emails"]),
        origin=origin(),
    )
    return submit(batch, chunks, idempotency=read_idempotency_key(batch, body), wait_s=query["wait"])


def _findings(checked: CheckedBatch, kind: Kind, operation: Operation, query: Mapping[str, Any]) -> Response:
    """Respond to a dry run, with 200 even if it found problems."""
    services, catalog_key = current_services(), caller().catalog_key
    section = NO_SECTION if kind is Kind.ITEM_GROUPS else query["section"]
    comparison = Comparison(
        services.catalog(catalog_key),
        kind,
        section,
        operation,
        query.get("on_missing", OnMissing.FAIL),
        services.guards(catalog_key).rules(kind, section),
    )
    wrong = checked.checked.problems
    ids = ["" if i in wrong else entry_id for i, entry_id in enumerate(checked.checked.ids)]
    comparison.add(ids, checked.sent.entries, find_superseded(ids))
    reasons = comparison.refusals(services.settings, force=query["force"])
    return jsonify(
        dry_run=True,
        entries_total=len(checked.sent.entries),
        entries_valid=checked.valid,
        errors=[problem._asdict() for problem in checked.problems()],
        planned={kind: comparison.planned(services.settings)},
        would_fail="; ".join(reasons) or None,
    )
