"""The ``Idempotency-Key`` header: a sender's own name for a write, under which sending it again does nothing more."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

from flask import request

from api.errors import Invalid, Problem
from api.intake import FileOrder
from shared.codec import encode_batch, encode_json
from shared.model import Batch
from shared.submissions import IdempotencyKey

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def read_idempotency_key(batch: Batch, body: bytes) -> IdempotencyKey | None:
    """Digest the header of the present request, and what the request says; None without the header.

    A key belongs to its catalog, method and path.  Two requests say the same if they have one body, inflated, and
    want one thing done with it: who sends it and how (``wait``, the client's name, compression) is left out.  Raises
    Invalid as `sent_key`.
    """
    key = sent_key()
    if key is None:
        return None
    # What follows from the body need not be said again; cut differently by a newer version, it is still the same.
    said = replace(batch, entries=0, bytes=0, chunks=0, submitter=None, request_id="", traceparent="")
    return IdempotencyKey(
        scope_digest=_digest(request.method.encode(), request.path.encode(), key.encode()),
        request_digest=_digest(encode_batch(said), body),
    )


def read_upload_key(order: FileOrder, contents: bytes) -> IdempotencyKey | None:
    """Digest the header of the present upload; ``contents`` is a digest of its files.  As `read_idempotency_key`."""
    key = sent_key()
    if key is None:
        return None
    said = replace(order, submitter=None, request_id="", traceparent="")
    return IdempotencyKey(
        scope_digest=_digest(request.method.encode(), request.path.encode(), key.encode()),
        request_digest=_digest(encode_json(said), contents),
    )


def sent_key() -> str | None:
    """Read the header.  Raises Invalid for a key that is empty, too long, or not of visible ASCII characters."""
    key = request.environ.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None and not _KEY.fullmatch(key):
        raise Invalid(Problem(HEADER, "a key has 1 to 255 visible ASCII characters"))
    return key


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))  # so that no two lists of parts run together
        digest.update(part)
    return digest.hexdigest()
