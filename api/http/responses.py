"""Responses with JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class JsonAnswer(Response):
    """A short response, which needs none of what may be missing in others: where it leads to, a length, an end."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self.status_code != 200 or environ["REQUEST_METHOD"] == "HEAD":
            return super().__call__(environ, start_response)
        start_response(self.status, self.headers.to_wsgi_list())
        return self.response  # type: ignore[return-value]  # one piece of bytes


def answer_json(body: bytes) -> Response:
    """Create a response from encoded JSON."""
    return JsonAnswer(body, content_type="application/json")
