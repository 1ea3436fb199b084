"""``/openapi.json`` and ``/docs``: the API's description for programs and for people, without a token."""

from __future__ import annotations

import json
import threading
from typing import Any

from flask import Blueprint, Response, current_app, render_template

from api.openapi.answers import OpenApi
from api.openapi.describe import Answer, Description, Tag, describe
from api.openapi.document import write_document
from api.openapi.error_responses import REFUSALS
from api.openapi.html import limits, prose, shape
from api.services import current_services

blueprint = Blueprint("documents", __name__, template_folder="templates")

_EXTENSION = "sluice.document"
#: The page is self-contained: it loads nothing and runs no code.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@blueprint.get("/openapi.json")
@describe(
    Description(
        "Read the OpenAPI document",
        Tag.SERVICE,
        {200: Answer("An OpenAPI 3.1 document.", OpenApi)},
        public=True,
    )
)
def get_document() -> Response:
    return Response(json.dumps(_document(), ensure_ascii=False), mimetype="application/json")


@blueprint.get("/docs")
@describe(
    Description(
        "Read the API's description as a page",
        Tag.SERVICE,
        {200: Answer("A self-contained page.", {"type": "string"}, media_types=("text/html",))},
        public=True,
    )
)
def get_page() -> Response:
    document = _document()
    page = render_template(
        "docs.html",
        document=document,
        parts=_parts(document),
        codes={refusal.name: code for code, refusal in REFUSALS.items()},
        look_up=lambda parameter: _look_up(document, parameter),
        pretty=lambda example: json.dumps(example, indent=2, ensure_ascii=False),
        prose=prose,
        shape=shape,
        limits=limits,
    )
    answer = Response(page)
    answer.headers["Content-Security-Policy"] = _POLICY
    return answer


def _parts(document: dict[str, Any]) -> list[tuple[str, list[tuple[str, str, dict[str, Any]]]]]:
    """Gather the operations of each tag, in the order of the document."""
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return [(tag.value, [found for found in operations if tag.value in found[2]["tags"]]) for tag in Tag]


def _look_up(document: dict[str, Any], parameter: dict[str, Any]) -> dict[str, Any]:
    reference = parameter.get("$ref")
    return document["components"]["parameters"][reference.rpartition("/")[2]] if reference else parameter


def _document() -> dict[str, Any]:
    """Write the document at the first request for it."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # of werkzeug's proxy
    with _guard:
        if _EXTENSION not in app.extensions:
            app.extensions[_EXTENSION] = write_document(app, max_entries=current_services().settings.max_entries)
    document: dict[str, Any] = app.extensions[_EXTENSION]
    return document


_guard = threading.Lock()
