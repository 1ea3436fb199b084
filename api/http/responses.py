"""Responses with JSON."""

from __future__ import annotations

from flask import Response


def answer_json(body: bytes) -> Response:
    """Create a response from encoded JSON."""
    return Response(body, content_type="application/json")
