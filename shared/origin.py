"""The origin of a batch: its sender and its request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Submitter:
    """The sender of a batch."""

    token_name: str
    client: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a batch."""

    submitter: Submitter | None = None
    #: The id of its request, and the request's trace (W3C ``traceparent``).
    request_id: str = ""
    traceparent: str = ""


#: The origin of a batch without a request.
NO_ORIGIN = Origin()
