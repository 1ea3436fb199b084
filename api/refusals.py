"""Every status of a refusal: what it means, and an example, for the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from api.errors import INVALID_TOKEN


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a status says."""

    name: str
    text: str
    example: dict[str, Any]
    #: Names of headers that it has beside those of every answer.
    headers: tuple[str, ...] = ()


REFUSALS: dict[int, Refusal] = {
    400: Refusal(
        "Invalid",
        "What was sent breaks the rules: `errors` says where and how, `message` sums up the first ten problems.",
        {
            "message": "items[0].name: field required",
            "errors": [{"loc": "items[0].name", "msg": "field required"}],
        },
    ),
    401: Refusal(
        "Unauthorized",
        "No catalog has this key, or the token is missing or nobody's. When both are bad, the key's message.",
        {"message": INVALID_TOKEN},
        ("WWW-Authenticate",),
    ),
    403: Refusal(
        "Forbidden",
        "A good token that lacks this key, or may only read.",
        {"message": "This auth_token may only read: it lacks the scope 'rw' on the key 'acme'."},
    ),
    404: Refusal("NotFound", "There is no such thing, or no longer.", {"message": "task 7 not found"}),
    409: Refusal(
        "Conflict",
        "Right in itself, but not in the present state.",
        {"message": "This Idempotency-Key was used for another request."},
    ),
    410: Refusal(
        "Gone",
        "It was there, and is no longer kept. `next_after` says from where to go on.",
        {
            "message": "The changes after task 3 are no longer kept. Read the whole catalogue, "
            "then follow its changes from after=90.",
            "next_after": 90,
        },
    ),
    413: Refusal(
        "TooLarge",
        "The body is longer than is read here, as it arrives or once it is inflated.",
        {"message": "The body is too large: at most 33554432 bytes are read."},
    ),
    415: Refusal(
        "UnsupportedMediaType",
        "A Content-Type or Content-Encoding that is not read here. Encodings are `gzip`, `zstd` and none.",
        {"message": "Content-Encoding 'br' is not read here; send gzip, zstd or none."},
    ),
    429: Refusal(
        "TooManyTasks",
        "So many tasks of this catalog wait that no more are taken for the moment. Nothing was stored.",
        {"message": "Too many tasks are queued for this key."},
        ("Retry-After", "X-RateLimit-Tasks-Remaining"),
    ),
    504: Refusal(
        "StillQueued",
        "The time is up and the write still waits. It will be applied in its turn: sending it again would do it again.",
        {
            "message": "The write is still queued as task 7 and will be applied in its turn: see /v1/tasks/7?key=acme",
            "task_id": 7,
            "task_status_path": "/v1/tasks/7?key=acme",
        },
    ),
    503: Refusal(
        "Unavailable",
        "The store cannot be reached, or is full. Nothing is wrong with the request.",
        {"message": "The store cannot be reached. Please try again later."},
        ("Retry-After",),
    ),
}

#: Of every operation that needs a token.
ALWAYS = (400, 401, 403, 503)
#: Of every one that has a body, too.
WITH_BODY = (413, 415)
