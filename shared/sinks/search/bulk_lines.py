"""The lines of bulk requests, and what comes back of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from shared.clock import iso
from shared.codec import encode_json
from shared.sinks.mapping import Document

#: Deletions require no alias, and with a version they create an index of the name.  Before them goes an update that
#: changes nothing: it requires the alias for the whole request.
GUARD = b'{"update":{"_id":"sluice:gate"}}\n{"doc":{}}\n'
#: In JSON a line break is white space, never part of a value.
_NO_BREAKS = bytes.maketrans(b"\n\r", b"  ")


class BulkLine(NamedTuple):
    """One action of a bulk request."""

    id: str
    body: bytes
    #: None for a deletion.
    document: Document | None


def result_of(item: Mapping[str, Any]) -> tuple[int, str]:
    error = item.get("error")
    if isinstance(error, dict):
        cause = error.get("caused_by")
        more = f": {cause['reason']}" if isinstance(cause, dict) and cause.get("reason") else ""
        error = f"{error.get('reason') or error.get('type')}{more}"
    return int(item["status"]), str(error or "")[:500]


def index_line(one: Document, number: int) -> BulkLine:
    action = {"index": {"_id": one.id, "version": number, "version_type": "external"}}
    return BulkLine(one.id, encode_json(action) + b"\n" + source_of(one) + b"\n", one)


def delete_line(entry_id: str, number: int) -> BulkLine:
    action = {"delete": {"_id": entry_id, "version": number, "version_type": "external"}}
    return BulkLine(entry_id, encode_json(action) + b"\n", None)


def source_of(one: Document) -> bytes:
    row: dict[str, Any] = {"id": one.id, "body": msgspec.Raw(one.body), "updated_at": iso(one.updated_ms)}
    row |= one.columns if one.item_id is None else {"item_id": one.item_id, **one.columns}
    if one.related is not None:
        rows = [{"id": each.id, "body": msgspec.Raw(each.body), **each.columns} for each in one.related]
        if one.item_id is None:
            row["variations"] = rows
        elif rows:
            row["item"] = rows[0]
    return encode_json(row).translate(_NO_BREAKS)
