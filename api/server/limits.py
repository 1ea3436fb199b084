"""Limits of the server: times, sizes and numbers."""

from __future__ import annotations

from dataclasses import dataclass

#: Bytes of a body up to which the request is looked at only once the body is complete.
SMALL_BODY = 64 * 1024
#: Bytes read or sent for one connection before others get their turn.
TURN_BYTES = 1024 * 1024
#: For how long, and up to how many bytes, the rest of a refused request is discarded: closing at once would hide the
#: answer from its sender.
DRAIN_S, DRAIN_BYTES = 5.0, 64 * 1024 * 1024
#: The same for uploads, also for one that is answered 429: many senders read the answer only after their last byte.  It
#: costs no thread.
UPLOAD_DRAIN_S, UPLOAD_DRAIN_BYTES = 60.0, 64 * 1024**3


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one process; see the settings of the same names."""

    uploads: int
    connections: int
    connections_per_address: int
    client_timeout_s: float
    client_min_bytes_s: int
    client_bytes: int
    keepalive_s: float
    max_body_bytes: int
    #: Seconds that a request waits for a seat before it is answered 503.
    seat_timeout_s: float = 30.0
    line_bytes: int = 1024 * 1024
    header_bytes: int = 16 * 1024
    headers: int = 100

    @property
    def stride_bytes(self) -> float:
        """Bytes that a client has to send or take within the timeout."""
        return self.client_timeout_s * self.client_min_bytes_s
