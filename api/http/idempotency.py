"""The ``Idempotency-Key`` header: repeating a write under the same key has no further effect.

Every write accepts it, and the response to a repeat has the header ``Idempotency-Replayed``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request

from api.errors import Invalid, Problem
from shared.codec import encode_json
from shared.idempotency import IdempotencyKey

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
#: Fields of a request that name its sender or follow from its contents: a newer version may cut the same contents
#: differently.
_NOT_COMPARED = frozenset({"entries", "bytes", "chunks", "origin"})


def register(app: Flask) -> None:
    """Mark the responses to repeats."""
    app.after_request(_mark)


def note_repeat(repeated: bool) -> None:
    """Record whether the current request repeats an earlier one with the same key."""
    if repeated:
        g.repeated = True


def read_idempotency_key(options: DataclassInstance | Mapping[str, Any], *contents: bytes) -> IdempotencyKey | None:
    """Digest the header and the meaning of the current request; None without the header.

    A key belongs to its catalog, method and path.  Two requests are the same if they have the same inflated contents
    and the same ``options``; how they are sent (``wait``, the client's name, compression) does not matter.  Raises
    Invalid as `sent_key`.
    """
    key = sent_key()
    if key is None:
        return None
    return IdempotencyKey(
        scope_digest=digest_parts(request.method.encode(), request.path.encode(), key.encode()),
        request_digest=digest_parts(_meaning(options), *contents),
    )


def sent_key() -> str | None:
    """Read the header.  Raises Invalid for a key that is empty, too long, or not visible ASCII."""
    key = request.environ.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None and not _KEY.fullmatch(key):
        raise Invalid(Problem(HEADER, "a key has 1 to 255 visible ASCII characters"))
    return key


def digest_parts(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))  # so that no two different lists of parts have one digest
        digest.update(part)
    return digest.hexdigest()


def _meaning(options: DataclassInstance | Mapping[str, Any]) -> bytes:
    """Write the options that differ from their defaults, by name: a newer version's option matters only if sent."""
    if isinstance(options, Mapping):
        return encode_json(options)
    values = {field.name: getattr(options, field.name) for field in fields(options) if field.name not in _NOT_COMPARED}
    defaults = {field.name: field.default for field in fields(options) if field.default is not MISSING}
    differing = {name: value for name, value in values.items() if value != defaults.get(name, MISSING)}
    return encode_json(sorted(differing.items(), key=itemgetter(0)))


def _mark(response: Response) -> Response:
    if "repeated" in g:
        response.headers[REPLAYED] = "true"
    return response
