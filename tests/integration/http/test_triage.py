"""By its head alone a request is refused, let in, or read as it arrives; a refusal needs no body."""

from __future__ import annotations

import io
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder

from api.server.body import NoBody
from api.server.hosted_app import Verdict
from api.triage import Triage
from tests.support.ingress import READER_TOKEN, TOKEN, Ingress, basic

JSON, FORM = "application/json", "multipart/form-data; boundary=x"


def environ(
    method: str, path: str, *, token: str = TOKEN, key: str = "acme", kind: str = JSON, length: int = 100_000
) -> Any:
    headers = {"Authorization": basic(token)}
    builder = EnvironBuilder(path, method=method, query_string={"key": key}, headers=headers, content_type=kind)
    sent = {"CONTENT_LENGTH": str(length), "wsgi.input": NoBody(), "wsgi.input_terminated": True}
    return builder.get_environ() | sent


def status_of(ingress: Ingress, asked: Any) -> str:
    answered: list[str] = []
    b"".join(ingress.app(asked, lambda line, headers, exc_info=None: answered.append(line)))
    return answered[0]


REFUSED: dict[str, tuple[int, dict[str, Any]]] = {
    "nobody's token": (401, {"token": "nobody's"}),
    "nobody's catalog": (401, {"key": "nobody's"}),
    "a token that may only read": (403, {"token": READER_TOKEN}),
    "a body that is too long": (413, {"length": 1 << 30}),
    "another type": (415, {"kind": "text/csv"}),
    "another path": (404, {"path": "/v3/items"}),
    "another method": (405, {"method": "POST"}),
    "files by nobody": (401, {"path": "/v1/catalog", "kind": FORM, "token": "nobody's"}),
    "a long form of the Integration page": (413, {"method": "POST", "path": "/integration/login", "length": 100_000}),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_needs_no_body(ingress: Ingress, what: str) -> None:
    status, request = REFUSED[what]
    asked = environ(**{"method": "PUT", "path": "/v2/items", **request})
    assert Triage(ingress.app, ingress.rig.settings)(asked) is Verdict.NOW
    assert status_of(ingress, asked).startswith(f"{status} ")


@pytest.mark.parametrize(
    ("method", "path", "kind", "verdict"),
    [
        ("PUT", "/v2/items", JSON, Verdict.GATHER),
        ("PATCH", "/v2/variations", "application/x-ndjson", Verdict.GATHER),
        ("DELETE", "/v2/item_groups", "", Verdict.GATHER),
        ("PUT", "/v1/catalog", FORM, Verdict.STREAM),
        ("PATCH", "/v1/catalog", FORM, Verdict.STREAM),
        ("GET", "/v2/items", JSON, Verdict.NOW),
        ("GET", "/health/live", "", Verdict.NOW),
    ],
)
def test_what_is_let_in_is_gathered_or_streamed(
    ingress: Ingress, method: str, path: str, kind: str, verdict: Verdict
) -> None:
    assert Triage(ingress.app, ingress.rig.settings)(environ(method, path, kind=kind)) is verdict


def test_every_view_that_says_it_has_no_body_reads_none(ingress: Ingress) -> None:
    for rule in ingress.app.url_map.iter_rules():
        path = rule.rule.split("<")[0]
        if rule.rule == path and "GET" in (rule.methods or ()):
            asked = environ("GET", path) | {"wsgi.input": io.BytesIO(b"x")}
            assert status_of(ingress, asked)
            assert asked["wsgi.input"].tell() == 0, path
