"""Error responses by status, with examples, for the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from api.errors import INVALID_TOKEN


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error response."""

    name: str
    text: str
    example: dict[str, Any]
    #: Headers besides those of every response.
    headers: tuple[str, ...] = ()


REFUSALS: dict[int, Refusal] = {
    400: Refusal(
        "Invalid",
        "The request breaks the rules. `errors` lists all problems with their places, `message` the first ten.",
        {
            "message": "items[0].name: field required",
            "errors": [{"loc": "items[0].name", "msg": "field required"}],
        },
    ),
    401: Refusal(
        "Unauthorized",
        "The key is unknown, or the token is missing or invalid. If both are bad, the message is the key's.",
        {"message": INVALID_TOKEN},
        ("WWW-Authenticate",),
    ),
    403: Refusal(
        "Forbidden",
        "The token is valid but lacks this key, or may only read.",
        {"message": "This auth_token may only read: it lacks the scope 'rw' on the key 'acme'."},
    ),
    404: Refusal("NotFound", "It does not exist, or no longer.", {"message": "task 7 not found"}),
    409: Refusal(
        "Conflict",
        "The request is valid but conflicts with the current state.",
        {"message": "This Idempotency-Key was used for another request."},
    ),
    410: Refusal(
        "Gone",
        "It existed and is no longer kept. `next_after` says where to continue.",
        {
            "message": "The changes after task 3 are no longer kept. Read the whole catalogue, "
            "then follow its changes from after=90.",
            "next_after": "90-1f0c3a9e",
        },
    ),
    413: Refusal(
        "TooLarge",
        "The body is too long, as received or inflated.",
        {"message": "The body is too large: at most 33554432 bytes are accepted."},
    ),
    415: Refusal(
        "UnsupportedMediaType",
        "The Content-Type or Content-Encoding is not supported. Encodings are `gzip`, `zstd` and none.",
        {"message": "Content-Encoding 'br' is not supported here; send gzip, zstd or none."},
    ),
    429: Refusal(
        "TooManyTasks",
        "Too many tasks of this catalog are queued. Nothing was stored; try again later.",
        {"message": "Too many tasks are queued for this key."},
        ("Retry-After", "X-RateLimit-Tasks-Remaining"),
    ),
    504: Refusal(
        "StillQueued",
        "The time is up and the write is still queued. It will be applied in its turn; sending it again would apply "
        "it twice.",
        {
            "message": "The write is still queued as task 7 and will be applied in its turn: see /v1/tasks/7?key=acme",
            "task_id": 7,
            "task_status_path": "/v1/tasks/7?key=acme",
        },
    ),
    503: Refusal(
        "Unavailable",
        "The store is unreachable or full. Nothing is wrong with the request.",
        {"message": "The store cannot be reached. Please try again later."},
        ("Retry-After",),
    ),
}

#: Of every operation that needs a token.
ALWAYS = (400, 401, 403, 503)
#: Of every one that has a body, too.
WITH_BODY = (413, 415)
