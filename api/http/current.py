"""The current request."""

from __future__ import annotations

from flask import Request, request


def current_request() -> Request:
    """Return the request itself, for those who look at it several times.

    Each look through Flask's proxy costs a microsecond, a hundredth of what a small write costs in all.
    """
    return request._get_current_object()  # type: ignore[attr-defined]
