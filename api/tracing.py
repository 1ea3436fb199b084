"""The ids that a request brings along, or gets: in its answer, its log lines, its task and what the worker logs."""

from __future__ import annotations

import re
from typing import cast

import structlog
from flask import Flask, Response, g, request

from shared.partitions import new_nonce

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,200}")
#: W3C Trace Context, version 00 and what later versions begin with: version, trace id, parent id, flags.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def register(app: Flask) -> None:
    """Take in the ids of every request, and give its request id back."""
    app.before_request(_take)
    app.after_request(_give)


def request_id() -> str:
    """The id of the present request: the sender's ``X-Request-Id``, or one of ours."""
    return cast(str, g.ids["request_id"])


def traceparent() -> str:
    """The trace that the present request is part of, as it was sent; empty if there is none."""
    return cast(str, g.ids.get("traceparent", ""))


def _take() -> None:
    environ = request.environ
    sent, trace = environ.get("HTTP_X_REQUEST_ID", ""), environ.get("HTTP_TRACEPARENT", "")
    ids = {"request_id": sent if _REQUEST_ID.fullmatch(sent) else new_nonce()}
    if _TRACEPARENT.fullmatch(trace):
        ids["traceparent"] = trace
    g.ids = ids
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**ids)


def _give(response: Response) -> Response:
    response.headers["X-Request-Id"] = request_id()
    return response
