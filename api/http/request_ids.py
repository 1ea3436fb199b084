"""Request ids and trace ids, which connect a request with its response, its task and all log lines."""

from __future__ import annotations

import re
from typing import cast

import structlog
from flask import Flask, Response, g, request

from shared.nonces import new_nonce

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,200}")
#: W3C Trace Context, version 00 and what later versions begin with: version, trace id, parent id, flags.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def register(app: Flask) -> None:
    """Read the ids of every request, and return its request id in the response."""
    app.before_request(_take)
    app.after_request(_give)


def request_id() -> str:
    """Return the id of the current request: the sender's ``X-Request-Id``, or a new one."""
    return cast(str, g.ids["request_id"])


def traceparent() -> str:
    """Return the ``traceparent`` of the current request; empty if it has none."""
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
