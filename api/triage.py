"""Decide from the head of a request how to treat its long body."""

from __future__ import annotations

from typing import Any

from flask import Flask, request

from api.errors import Refused
from api.http.auth import authorize
from api.http.bodies import is_readable_type
from api.openapi.describe import Description, FilesBody, description_of
from api.server.hosted_app import Verdict
from api.server.limits import SMALL_BODY
from shared.errors import TryAgain
from shared.settings import Settings

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Triage:
    """Checks the heads of requests for one app.

    Returns NOW only for requests that the app answers without reading their body, most of them with a refusal.
    """

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app, self._settings = app, settings

    def __call__(self, environ: dict[str, Any]) -> Verdict:
        """Decide without reading the body."""
        with self._app.request_context(environ):
            if request.routing_exception is not None or request.endpoint is None:
                return Verdict.NOW
            description = description_of(self._app.view_functions[request.endpoint])
            # No description: a form of the Integration page, which is never long.
            if description is None or not self._may_send(description):
                return Verdict.NOW
            if description.body is None:  # a write that takes no body refuses one, so it reads it
                is_read, is_long = request.method in _READS, (request.content_length or 0) > SMALL_BODY
                return Verdict.NOW if is_read or is_long else Verdict.GATHER
            if isinstance(description.body, FilesBody):
                return Verdict.STREAM
            too_long = (request.content_length or 0) > self._settings.max_body_bytes
            return Verdict.NOW if too_long or not is_readable_type() else Verdict.GATHER

    def _may_send(self, description: Description) -> bool:
        try:
            if not description.public:
                authorize()
        except Refused:
            return False
        except TryAgain:
            pass  # the store is away: let the app answer, it may be back by then
        return True
