"""Every endpoint there is, asked by everybody who may not; a new one is asked too, unless it is named as public."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from werkzeug.routing import Rule

from api.app import create_app
from api.services import EXTENSION
from shared.credentials import Credential, Scope, digest_of
from shared.settings import Settings
from tests.support.ingress import OTHER, READER_TOKEN, TOKEN, Ingress
from tests.support.pages import ROOT, Pages
from tests.support.rig import ACME

#: What needs no token, and why.
PUBLIC = {
    "health.live": "for load balancers",
    "health.ready": "for load balancers",
    "health.get_version": "tells no secret",
    "documents.get_document": "tells no secret",
    "documents.get_page": "tells no secret",
    "metrics.get_metrics": "has a token of its own, if the operator wants one",
    "exports.download": "has its right in the signed URL",
}
#: What writes and yet needs only the scope to read, and why.
FOR_READERS = {"/v1/changes/cursors/a": "whoever may follow the feed may say how far it has come"}
#: Pages for those who have not signed in.
DOOR = {"dashboard.get_login", "dashboard.post_login", "dashboard.static"}

#: Something for each variable part of a path.
PARTS = {
    "catalog_key": ACME,
    "kind": "items",
    "link": "made-up",
    "webhook_id": "wh_" + "0" * 16,
    "credential_id": "0" * 8,
}

Endpoint = tuple[str, str]


def endpoints() -> Iterator[tuple[str, Endpoint]]:
    """Name every endpoint with a method and a path."""
    app = create_app(replace(Settings(), redis_url="unix:///nowhere", secret_key="s" * 32))
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule.endpoint, (method, path_of(rule))


def path_of(rule: Rule) -> str:
    built = rule.build({name: PARTS.get(name, 1 if name == "task_id" else "a") for name in rule.arguments})
    assert built is not None
    return built[1].partition("?")[0]


ALL = list(endpoints())
GUARDED = [found for name, found in ALL if name not in PUBLIC and not name.startswith("dashboard.")]
PAGES = [found for name, found in ALL if name.startswith("dashboard.") and name not in DOOR]


def test_what_is_named_as_public_is_there() -> None:
    assert {name for name, _ in ALL} >= PUBLIC.keys() | DOOR


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_whoever_may_not_is_refused(ingress: Ingress, method: str, path: str) -> None:
    """No token, a wrong one, one that was revoked, one of another catalog, one that only reads; nothing is stored."""
    credentials = ingress.app.extensions[EXTENSION].credentials
    credentials.store(Credential("gone", digest_of("tok-gone"), {ACME: Scope.READ_WRITE}))
    credentials.revoke("gone")
    ingress.rig.clock.advance(2_000)
    before = ingress.rig.dump()
    body = None if method == "GET" else {"items": [{"id": "a", "name": "A"}]}

    def status(token: str, *, key: str = ACME) -> int:
        return ingress.send(method, path, body, token=token, key=key).status_code

    assert [status(token) for token in ("", "tok-nobody", "tok-gone")] == [401, 401, 401]
    assert status(TOKEN, key=OTHER) == status(READER_TOKEN, key=OTHER) == 403
    assert status(TOKEN, key="") == 400
    if method != "GET" and path not in FOR_READERS:
        assert status(READER_TOKEN) == 403
    assert ingress.rig.dump() == before


@pytest.mark.parametrize(("method", "path"), PAGES)
def test_whoever_has_not_signed_in_sees_no_page(ingress: Ingress, method: str, path: str) -> None:
    """A token in a header opens none either; what changes something wants a form of the page itself."""
    pages = Pages(ingress)
    answer = pages.client.open(path, method=method, headers={"Authorization": f"Bearer {TOKEN}"})
    if method == "POST":
        pages.sign_in()
        assert [answer.status_code, pages.client.post(path).status_code] == [403, 403]
    else:
        assert answer.status_code in (302, 308)
        assert answer.location.removeprefix("http://localhost").startswith(f"{ROOT}/")
