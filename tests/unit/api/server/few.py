"""Limits small enough to reach."""

from __future__ import annotations

from api.server.limits import Limits

LIMITS = Limits(
    uploads=1,
    connections=10,
    connections_per_address=10,
    client_timeout_s=10,
    client_min_bytes_s=100,
    client_bytes=1000,
    keepalive_s=30,
    max_body_bytes=10_000,
)
