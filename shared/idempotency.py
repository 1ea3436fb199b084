"""Idempotency keys: a request under a key takes effect once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's name for a request, with a digest of the request."""

    scope_digest: str
    request_digest: str


#: How long an Idempotency-Key is remembered.
IDEMPOTENCY_TTL_MS = 24 * 3600 * 1000
#: The key of a request without one.
UNNAMED = IdempotencyKey("", "")
