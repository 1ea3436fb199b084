"""Request ids and trace ids, which connect a request with its response, its task and all log lines."""

from __future__ import annotations

import re
from typing import cast

from flask import Flask, Response, g, request

from shared.nonces import new_nonce
from shared.telemetry import spans
from shared.telemetry.logs import set_log_context

#: Asked every few seconds by machines, so that nobody wants to see each time.
_UNTRACED = frozenset({"health", "metrics"})
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,200}")
#: W3C Trace Context, version 00 and what later versions begin with: version, trace id, parent id, flags.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def register(app: Flask) -> None:
    """Read the ids of every request, and return its request id in the response."""
    app.before_request(_take)
    app.after_request(_give)
    if spans.are_on():
        app.teardown_request(_end)


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
    if spans.are_on() and request.blueprint not in _UNTRACED:
        g.span = spans.begin(
            request.method, parent=ids.get("traceparent", ""), kind=spans.SpanKind.SERVER, request_id=ids["request_id"]
        )
        # What the request leads to is below this span, and so are its tasks.
        ids["traceparent"] = g.span.traceparent
    g.ids = ids
    set_log_context(ids)


def _give(response: Response) -> Response:
    response.headers["X-Request-Id"] = request_id()
    if "span" in g:
        _describe(g.span, response)
    return response


def _describe(span: spans.Span, response: Response) -> None:
    route = request.url_rule.rule if request.url_rule else ""
    span.rename(f"{request.method} {route}".strip())
    http = {
        "http.request.method": request.method,
        "http.route": route,
        "http.response.status_code": response.status_code,
    }
    known = g.get("caller")
    span.set(catalog_key=known.catalog_key if known else None, **http)
    if response.status_code >= 500:
        span.fail(response.status)


def _end(_: BaseException | None) -> None:
    if "span" in g:
        g.span.end()
