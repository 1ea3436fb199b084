"""Headers and parameters that are no schema's fields, as the OpenAPI document has them."""

from __future__ import annotations

from typing import Any

from api.schemas.queries import MAX_INT32
from shared.credentials import CATALOG_KEY
from shared.model import Kind

#: The query parameter that names the catalog.
KEY: dict[str, Any] = {
    "required": True,
    "description": "The catalog's key.",
    "schema": {"type": "string", "pattern": f"^{CATALOG_KEY.pattern}$"},
    "example": "acme",
}

#: Parts of a path.
PATH: dict[str, dict[str, Any]] = {
    "task_id": {
        "description": "The task's id.",
        "schema": {"type": "integer", "minimum": 1, "maximum": MAX_INT32},
    },
    "entry_id": {
        "description": "The entry's id, percent-encoded. It may have any character, `/` included.",
        "schema": {"type": "string", "minLength": 1},
    },
    "kind": {"description": "The kind of the entry.", "schema": {"type": "string", "enum": list(Kind)}},
    "group_id": {
        "description": "The item group's id, percent-encoded. It may have any character, `/` included.",
        "schema": {"type": "string", "minLength": 1},
    },
    "field_name": {
        "description": "The name of the field, percent-encoded.",
        "schema": {"type": "string", "minLength": 1},
    },
    "webhook_id": {"description": "The webhook's id.", "schema": {"type": "string", "minLength": 1}},
    "cursor_name": {
        "description": "The name of the cursor.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,100}$"},
    },
    "link": {"description": "The signed part of `result.url`.", "schema": {"type": "string", "minLength": 1}},
}

#: Headers of requests and answers.
HEADERS: dict[str, dict[str, Any]] = {
    "Idempotency-Key": {
        "description": "A key that the sender chooses for this request. For 24 hours, repeating the request under "
        "the same key returns the first task; a different request under it (of the same catalog, method and path) is "
        "refused with 409.",
        "schema": {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
    },
    "Idempotency-Replayed": {
        "description": "`true` if the request was accepted before, under the same Idempotency-Key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "X-RateLimit-Tasks-Remaining": {
        "description": "How many more tasks of this catalog may be queued.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-Request-Id": {
        "description": "The id that the request sent, or a new one. It is in every log line about the request.",
        "schema": {"type": "string"},
    },
    "X-Changes-After": {
        "description": "Position in the change feed at the time of this page: read all pages by cursor, then follow "
        "`/v1/changes` from here. Absent on pages by cursor, on lists of named entries, and if the feed is switched "
        "off.",
        "schema": {"type": "string"},
    },
    "X-Task-Id": {
        "description": "Id of the task that the write became. An error after the write was accepted has it too.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds after which to try again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}},
    "Content-Length": {"description": "Length of the body in bytes.", "schema": {"type": "string"}},
    "Location": {"description": "Path of the task.", "schema": {"type": "string"}},
    "Content-Disposition": {"description": "A file name for the body.", "schema": {"type": "string"}},
}
