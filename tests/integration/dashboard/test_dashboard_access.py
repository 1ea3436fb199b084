"""The Integration page shows and changes only what its visitor may, with safe headers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api.dashboard.guard import UNGUESSABLE
from shared.credentials import Credential, Scope, digest_of
from tests.support.batches import items
from tests.support.ingress import OTHER, READER_TOKEN, TOKEN, Ingress
from tests.support.pages import ROOT, Pages
from tests.support.rig import ACME, Rig
from tests.support.store_server import StoreServer

PASSWORD = "operator-password"


@pytest.fixture
def ingress(rig: Rig, store_server: StoreServer) -> Ingress:
    settings = replace(rig.settings, operator_password=PASSWORD, secret_key="s" * 32)
    return Ingress(replace(rig, settings=settings), store_server.url)


@pytest.fixture
def pages(ingress: Ingress) -> Pages:
    return Pages(ingress)


# -- signing in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/now", f"/c/{ACME}/updates", f"/c/{ACME}/updates/1/payload", "/nothing"])
def test_whoever_has_not_signed_in_sees_the_door_only(pages: Pages, path: str) -> None:
    answer = pages.get(path)
    assert answer.status_code == 302
    assert answer.location.startswith(f"{ROOT}/login?next=")


def test_after_signing_in_one_is_where_one_wanted_to_go(pages: Pages) -> None:
    wanted = f"{ROOT}/c/{ACME}/updates?status=FAILED&q=a+b"
    page = pages.page("/login", next=wanted)
    assert [field["value"] for field in page.all("input") if field.get("name") == "next"] == [wanted]
    assert pages.post("/login", secret=TOKEN, next=wanted).location == wanted


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        f"{ROOT}//evil.example",
        "",
        "/v1/tasks",
        f"{ROOT}/\r\nX: y",
    ],
)
def test_signing_in_leads_nowhere_else(pages: Pages, elsewhere: str) -> None:
    assert pages.post("/login", secret=TOKEN, next=elsewhere).location == f"{ROOT}/"


@pytest.mark.parametrize("secret", ["", "wrong", TOKEN + "x", PASSWORD[:-1], "日本"])
def test_a_wrong_secret_is_refused(pages: Pages, secret: str) -> None:
    answer = pages.sign_in(secret)
    assert answer.status_code == 403
    assert "neither a valid token" in answer.text
    assert pages.get("/now").status_code == 302


def test_nobody_guesses_for_long(pages: Pages, rig: Rig) -> None:
    """Ten attempts a minute; then even the right word has to wait, if it is one that could be guessed."""
    for _ in range(10):
        assert pages.sign_in("wrong").status_code == 403
    assert len(TOKEN) < UNGUESSABLE
    assert pages.sign_in(TOKEN).status_code == 429
    rig.clock.advance(60_000)
    assert pages.sign_in(TOKEN).status_code == 302


def test_an_operator_who_is_right_gets_in_while_others_guess(pages: Pages) -> None:
    """Guesses from the same address, of whatever length, keep out nobody whose secret cannot be guessed."""
    for guess in range(30):
        assert pages.sign_in(f"{PASSWORD}{guess}").status_code == (403 if guess < 10 else 429)
    assert pages.sign_in(PASSWORD).status_code == 302


def test_the_cookie_is_for_this_page_and_no_script(pages: Pages) -> None:
    cookie = pages.sign_in().headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Lax", f"Path={ROOT}"):
        assert part in cookie
    assert TOKEN not in cookie
    assert "Secure" not in cookie
    over_tls = pages.client.get(ROOT + "/login", base_url="https://localhost").headers["Set-Cookie"]
    assert "Secure" in over_tls


def test_a_session_ends_with_signing_out(pages: Pages) -> None:
    pages.sign_in()
    assert pages.post("/logout").location == f"{ROOT}/login"
    assert pages.get("/now").status_code == 302


def test_a_revoked_token_is_out_at_once(pages: Pages, rig: Rig, ingress: Ingress) -> None:
    """The cookie says who it is, not what they may."""
    credentials = ingress.app.extensions["sluice"].credentials
    credentials.store(Credential("guest", digest_of("tok-guest"), {ACME: Scope.READ}))
    rig.clock.advance(2_000)
    assert pages.sign_in("tok-guest").status_code == 302
    assert pages.get("/now").status_code == 200
    credentials.revoke("guest")
    rig.clock.advance(2_000)
    assert pages.get("/now").status_code == 302


def test_sessions_of_another_key_are_not_believed(pages: Pages, ingress: Ingress) -> None:
    pages.sign_in()
    ingress.app.secret_key = "t" * 32
    assert pages.get("/now").status_code == 302


def test_the_operators_session_ends_when_the_password_changes(pages: Pages, ingress: Ingress) -> None:
    pages.sign_in(PASSWORD)
    assert pages.get("/now").status_code == 200
    tools = ingress.app.extensions["sluice"]
    ingress.app.extensions["sluice"] = replace(
        tools, settings=replace(tools.settings, operator_password="another-one-1")
    )
    assert pages.get("/now").status_code == 302


# -- what one may -----------------------------------------------------------------------------------------------------


def test_a_token_sees_its_catalogs_only(pages: Pages, rig: Rig) -> None:
    rig.put(*items("a"), catalog_key=OTHER)
    pages.sign_in()
    for path in ("updates", "updates/1", "updates/1/payload", "catalog", "catalog/entry?id=a"):
        answer = pages.get(f"/c/{OTHER}/{path}")
        assert answer.status_code == 404
        assert "you may not see it" in answer.text
    assert pages.get("/go", catalog_key=OTHER).status_code == 404
    assert OTHER not in pages.text("/now")


def test_the_operator_sees_every_catalog(pages: Pages, rig: Rig) -> None:
    for catalog_key in (ACME, OTHER):
        rig.put(*items("a"), catalog_key=catalog_key)
    pages.sign_in(PASSWORD)
    text = pages.text("/now")
    assert ACME in text
    assert OTHER in text
    assert pages.get(f"/c/{OTHER}/updates/1").status_code == 200
    assert pages.get("/c/bad%20key/updates").status_code == 404


def test_without_an_operators_password_nobody_is_the_operator(rig: Rig, store_server: StoreServer) -> None:
    pages = Pages(Ingress(rig, store_server.url))
    assert pages.sign_in("").status_code == 403


def test_a_reader_is_shown_no_way_to_change_and_has_none(pages: Pages, rig: Rig) -> None:
    rig.put(*items("a"))
    pages.sign_in(READER_TOKEN)
    page = pages.page(f"/c/{ACME}/updates/1")
    assert not [form for form in page.all("form") if form.get("action", "").endswith("/cancel")]
    assert pages.post(f"/c/{ACME}/updates/1/cancel").status_code == 403
    assert rig.statuses() == {1: "QUEUED"}


@pytest.mark.parametrize("csrf", ["", "wrong"])
@pytest.mark.parametrize("path", [f"/c/{ACME}/updates/1/cancel", f"/c/{ACME}/updates/1/rerun", "/logout", "/login"])
def test_a_form_of_another_site_does_nothing(pages: Pages, rig: Rig, path: str, csrf: str) -> None:
    rig.put(*items("a"))
    pages.sign_in()
    answer = pages.post(path, csrf=csrf, secret=TOKEN)
    assert answer.status_code == 403
    assert "This form has expired" in answer.text
    assert rig.statuses() == {1: "QUEUED"}
    assert pages.get("/now").status_code == 200


def test_a_get_changes_nothing(pages: Pages, rig: Rig) -> None:
    rig.put(*items("a"))
    pages.sign_in()
    assert pages.get(f"/c/{ACME}/updates/1/cancel").status_code in (404, 405)
    assert rig.statuses() == {1: "QUEUED"}


# -- what surrounds each answer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/login", "/now", f"/c/{ACME}/updates", "/nothing", "/static/style.css"])
def test_headers_leave_no_room_for_what_is_not_ours(pages: Pages, path: str) -> None:
    if path != "/login":
        pages.sign_in()
    headers = pages.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == ("max-age=3600" if "static" in path else "no-store")


def test_pages_ask_for_nothing_from_elsewhere_and_hold_no_script_or_style(pages: Pages, rig: Rig) -> None:
    rig.put(*items("a"))
    pages.sign_in()
    for path in (
        "/now",
        f"/c/{ACME}/updates",
        f"/c/{ACME}/updates/1",
        f"/c/{ACME}/catalog",
        f"/c/{ACME}/catalog/entry?id=a",
    ):
        page = pages.page(path, expected=200)
        for tag, attributes in page.found:
            assert "style" not in attributes
            assert not [name for name in attributes if name.startswith("on")]
            for name in ("src", "href", "action"):
                assert attributes.get(name, "/").startswith(("/", "#")), (tag, attributes)
            assert tag != "style"
            assert tag != "script" or attributes["src"].startswith(f"{ROOT}/static/live.js?v=")


def test_what_is_not_there_is_a_page_here_and_json_elsewhere(pages: Pages) -> None:
    pages.sign_in()
    assert "There is no page" in pages.text("/nowhere/at/all", expected=404)
    assert pages.client.get("/v1/nowhere").content_type == "application/json"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/c/{ACME}/updates/99", 404), (f"/c/{ACME}/updates/abc", 400), (f"/c/{ACME}/updates/99/payload", 404),
        (f"/c/{ACME}/updates?status=NONE", 400), (f"/c/{ACME}/updates?from=yesterday", 400),
        (f"/c/{ACME}/updates?before=0", 400), (f"/c/{ACME}/catalog/entry", 400), (f"/c/{ACME}/catalog/entry?id=x", 404),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_said_on_a_page(pages: Pages, path: str, status: int) -> None:
    pages.sign_in()
    pages.page(path, expected=status)


def test_without_the_store_the_page_says_so(rig: Rig) -> None:
    pages = Pages(Ingress(rig, "redis://127.0.0.1:1/0"))
    answer = pages.get("/now")
    assert answer.status_code == 503
    assert "store does not answer" in answer.text
