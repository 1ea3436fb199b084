"""Error responses: one class per status, one shape of payload, written in one place.

The payload is ``{"message": str, "errors": [{"loc": str, "msg": str}]}``; ``errors`` only after a validation.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from shared.errors import KeyUsed, RecordTooNew, SluiceError, StoreFull, TaskConflict, TaskNotFound, TryAgain
from shared.telemetry import metrics

log = logging.getLogger(__name__)

#: Most problems in ``message``; ``errors`` has all of them.
PROBLEMS_IN_MESSAGE = 10

#: Both official clients show exactly this message.
UNKNOWN_KEY = (
    "You have supplied an invalid `key` or `autocomplete_key`. "
    "You can find your key at app.constructor.io/dashboard/accounts/api_integration."
)
INVALID_TOKEN = (
    "Invalid auth_token. If you've forgotten your token, you can generate a new one at app.constructor.io/dashboard"
)

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Sluice"'}


class Problem(NamedTuple):
    """One problem of a request.  A ``loc`` of ``""`` means the request as a whole."""

    loc: str
    msg: str

    def __str__(self) -> str:
        return f"{self.loc}: {self.msg}" if self.loc else self.msg


class Refused(SluiceError):
    """The request is refused and has no effect."""

    status = 400

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        errors: Iterable[Problem] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        """``members`` are added to the payload, beside its message."""
        super().__init__(message)
        self.message = message
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.members = dict(members or {})
        if status is not None:
            self.status = status


class Invalid(Refused):
    """400: the request breaks the rules; at least one problem says where and how."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(map(str, problems[:PROBLEMS_IN_MESSAGE])), errors=problems)


class UnknownKey(Refused):
    """401: no catalog has this key."""

    status = 401

    def __init__(self) -> None:
        super().__init__(UNKNOWN_KEY, headers=_CHALLENGE)


class InvalidToken(Refused):
    """401: the token is missing or unknown."""

    status = 401

    def __init__(self) -> None:
        super().__init__(INVALID_TOKEN, headers=_CHALLENGE)


class Forbidden(Refused):
    """403: the token is valid but may not do this; the message says what it lacks."""

    status = 403


class NotFound(Refused):
    """404."""

    status = 404


class MethodNotAllowed(Refused):
    """405: the resource exists but does not support this method."""

    status = 405

    def __init__(self, *allowed: str) -> None:
        methods = ", ".join(allowed)
        super().__init__(f"This method is not allowed here; allowed: {methods}", headers={"Allow": methods})


class Conflict(Refused):
    """409: the request is valid but conflicts with the current state."""

    status = 409


class Gone(Refused):
    """410: the resource existed and is no longer kept."""

    status = 410


class TooLarge(Refused):
    """413: the body is too long."""

    status = 413


class UnsupportedMediaType(Refused):
    """415: the Content-Type or Content-Encoding is not supported."""

    status = 415


class _Later(Refused):
    """The same request may succeed later; ``Retry-After`` says when to retry."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message, headers={"Retry-After": str(retry_after_s)})


class TooManyTasks(_Later):
    """429: the queue of the catalog is full."""

    status = 429


class Unavailable(_Later):
    """503: the store is unreachable or full; nothing is wrong with the request."""

    status = 503


class StillQueued(Refused):
    """504: unlike all other errors this one leaves a task, which is applied in its turn."""

    status = 504

    def __init__(self, task_id: int, task_status_path: str) -> None:
        super().__init__(
            f"The write is still queued as task {task_id} and will be applied in its turn: see {task_status_path}",
            members={"task_id": task_id, "task_status_path": task_status_path},
        )


def register(app: Flask) -> None:
    """Answer every error of an app as JSON: ours, Flask's own, the store's, and unexpected ones."""
    app.register_error_handler(Refused, _answer)
    app.register_error_handler(TryAgain, _try_again)
    app.register_error_handler(TaskNotFound, lambda error: _answer(NotFound(str(error) or "task not found")))
    app.register_error_handler(TaskConflict, lambda error: _answer(Conflict(str(error) or "task conflict")))
    app.register_error_handler(KeyUsed, lambda error: _answer(Conflict(str(error))))
    app.register_error_handler(HTTPException, _http_exception)
    app.register_error_handler(Exception, _unexpected)


#: Status: the ``reason`` label of the metric.
_REASONS = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method",
    409: "conflict",
    413: "too_large",
    415: "unsupported",
    429: "queue_full",
    503: "store_away",
}


def _answer(refused: Refused, *, reason: str | None = None) -> Response:
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        metrics.WRITES_REJECTED.labels(reason or _REASONS.get(refused.status, "error")).inc()
    payload: dict[str, Any] = {"message": refused.message, **refused.members}
    if refused.errors:
        payload["errors"] = [problem._asdict() for problem in refused.errors]
    response = jsonify(payload)
    response.status_code = refused.status
    response.headers.update(refused.headers)
    return response


_TRY_AGAIN: dict[type[TryAgain], str] = {
    StoreFull: "The store is full",
    RecordTooNew: "A newer version of this service, which is being upgraded, wrote the requested data",
}


def _try_again(error: TryAgain) -> Response:
    # The error's text may name hosts and ports: it goes to the log, not to the caller.
    log.warning("store refused", extra={"action": "store_refused", "error": f"{type(error).__name__}: {error}"})
    what = _TRY_AGAIN.get(type(error), "The store cannot be reached")
    refused = Unavailable(f"{what}. Please try again later.", retry_after_s=error.retry_after_s)
    return _answer(refused, reason="store_full" if isinstance(error, StoreFull) else None)


def _http_exception(error: HTTPException) -> Response:
    if error.response is not None and error.code is None:
        return error.response  # type: ignore[return-value]  # abort(response): somebody's own answer
    status = error.code or 500
    headers = {name: value for name, value in error.get_headers() if name.lower() not in _BODY_HEADERS}
    return _answer(Refused(error.description or error.name, status=status, headers=headers))


#: Headers of werkzeug's HTML body, which we do not send.
_BODY_HEADERS = frozenset({"content-type", "content-length"})


def _unexpected(error: Exception) -> Response:
    log.error(
        "unexpected error",
        exc_info=error,
        extra={"action": "request_failed", "method": request.method, "path": request.path},
    )
    return _answer(Refused("Internal server error. It was logged.", status=500))
