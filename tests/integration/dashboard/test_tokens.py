"""The page *Tokens*: who may read and write a catalog, rotated and revoked by those who may."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from api.app import create_app
from api.services import EXTENSION
from shared.clock import iso
from shared.credential_changes import CredentialChanges
from shared.credentials import Credential, Credentials, Scope, digest_of
from shared.errors import StoreUnavailable
from shared.partition.backlog import Backlog
from tests.support.ingress import OTHER, READER_TOKEN, TOKEN, Ingress, basic
from tests.support.pages import Pages
from tests.support.rig import ACME, Rig
from tests.support.store_server import StoreServer

PASSWORD = "operator-password"
TOKENS = f"/c/{ACME}/tokens"
FEED = digest_of("tok-feed")[:8]
WIDE = digest_of("tok-wide")[:8]


@pytest.fixture
def ingress(rig: Rig, store_server: StoreServer) -> Ingress:
    settings = replace(rig.settings, operator_password=PASSWORD, secret_key="s" * 32)
    ingress = Ingress(replace(rig, settings=settings), store_server.url)
    credentials: Credentials = ingress.app.extensions[EXTENSION].credentials
    made = {"created_ms": rig.clock(), "expires_ms": rig.clock() + 10**10}
    credentials.store(Credential("feed", digest_of("tok-feed"), {ACME: Scope.READ_WRITE}, **made))
    credentials.store(Credential("wide", digest_of("tok-wide"), {ACME: Scope.READ, OTHER: Scope.READ_WRITE}))
    rig.clock.advance(2_000)
    return ingress


def visit(ingress: Ingress, secret: str) -> Pages:
    pages = Pages(ingress)
    assert pages.sign_in(secret).status_code == 302
    return pages


def status(ingress: Ingress, token: str) -> int:
    ingress.rig.clock.advance(2_000)
    return ingress.send("GET", "/v2/items", token=token).status_code


def test_the_page_tells_of_all_tokens_but_never_a_token(ingress: Ingress) -> None:
    """Those of the settings too; each with its name, id, rights, and when it was created, used, and ends."""
    assert status(ingress, "tok-feed") == 200
    page = visit(ingress, PASSWORD).page(TOKENS)
    for part in (f"feed {FEED} read and write", f"wide {WIDE} read and 1 more catalogs", "in the settings", "never",
                 "just now", iso(ingress.rig.clock() + 10**10)[:4]):  # fmt: skip
        assert part in page.text, part
    for secret in ("tok-feed", TOKEN, READER_TOKEN, digest_of("tok-feed")):
        assert secret not in page.text


def test_an_operator_rotates_a_token_and_sees_the_new_one_once(ingress: Ingress) -> None:
    """Both are good for the time that was chosen; it is noted who did it."""
    pages = visit(ingress, PASSWORD)
    answer = pages.post(f"{TOKENS}/{FEED}/rotate", overlap="1")
    [new] = re.findall(r"tok-[\w-]{32}", answer.text)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert (status(ingress, "tok-feed"), status(ingress, new)) == (200, 200)
    again = pages.text(TOKENS)
    assert new not in again
    assert f"rotated feed {FEED} now {digest_of(new)[:8]} by operator" in again
    ingress.rig.clock.advance(3_600_000)
    assert (status(ingress, "tok-feed"), status(ingress, new)) == (401, 200)
    assert pages.post(f"{TOKENS}/{FEED}/rotate", overlap="9999").status_code == 400


@pytest.mark.parametrize("secret", [PASSWORD, TOKEN])
def test_a_new_token_is_shown_though_the_store_goes_away_just_then(
    ingress: Ingress, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    """It is nowhere else: neither the note of the change nor the rest of the page is worth losing it."""
    pages = visit(ingress, secret)

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(CredentialChanges, "note", away)
    monkeypatch.setattr(Credentials, "last_used", away)
    monkeypatch.setattr(Backlog, "all_known", away)
    answer = pages.post(f"{TOKENS}/{FEED}/rotate", overlap="0")
    [new] = re.findall(r"tok-[\w-]{32}", answer.text)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert (status(ingress, "tok-feed"), status(ingress, new)) == (401, 200)
    assert pages.get(TOKENS).status_code == 503


@pytest.mark.parametrize("path", [TOKENS, f"{TOKENS}/{FEED}/rotate"])
def test_a_form_that_is_sent_twice_makes_one_token(ingress: Ingress, path: str) -> None:
    """And none once that is revoked.  Another form makes another, and so does what was changed in this one."""
    pages = visit(ingress, PASSWORD)
    credentials: Credentials = ingress.app.extensions[EXTENSION].credentials

    def sent(name: str) -> set[str]:
        answer = pages.post(path, name=name, scope="r", days="7", overlap="0" if name == "b" else "24", nonce=nonce)
        return set(re.findall(r"tok-[\w-]{32}", answer.text))

    nonce = next(each["value"] for each in pages.page(TOKENS).all("input") if each.get("name") == "nonce")
    stored = len(credentials.all())
    [token] = sent("a")
    assert (sent("a"), len(credentials.all())) == ({token}, stored + 1)
    assert credentials.revoke(digest_of(token)[:8]) == 1
    assert (sent("a"), len(credentials.all())) == (set(), stored)
    assert sent("b") not in (set(), {token})


def test_an_operator_creates_a_token_and_sees_it_once(ingress: Ingress) -> None:
    """It may what was chosen, for this catalog only, until it ends; it is noted who made it."""
    pages = visit(ingress, PASSWORD)
    answer = pages.post(TOKENS, name="price-feed", scope="r", days="7")
    [new] = re.findall(r"tok-[\w-]{32}", answer.text)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert status(ingress, new) == 200
    assert ingress.send("PUT", "/v2/items", {"items": [{"id": "a", "name": "A"}]}, token=new).status_code == 403
    assert ingress.send("GET", "/v2/items", token=new, key=OTHER).status_code in (401, 403)
    text = pages.text(TOKENS)
    assert new not in text
    assert re.search(f"price-feed {digest_of(new)[:8]} read (just now|\\d+ s ago)", text)
    assert f"created price-feed {digest_of(new)[:8]} by operator" in text
    ingress.rig.clock.advance(7 * 24 * 3_600_000)
    assert status(ingress, new) == 401


@pytest.mark.parametrize("wrong", [{"name": ""}, {"name": " x"}, {"name": "x" * 101}, {"scope": "rwx"}, {"days": "-1"}])
def test_a_token_is_not_created_from_what_a_form_would_not_send(ingress: Ingress, wrong: dict[str, str]) -> None:
    pages = visit(ingress, PASSWORD)
    before = len(ingress.app.extensions[EXTENSION].credentials.all())
    assert pages.post(TOKENS, **{"name": "x", "scope": "rw", "days": "0"} | wrong).status_code == 400
    assert len(ingress.app.extensions[EXTENSION].credentials.all()) == before


@pytest.mark.parametrize("secret", [TOKEN, READER_TOKEN])
def test_no_token_creates_another(ingress: Ingress, secret: str) -> None:
    """That would outlive its own revocation."""
    pages = visit(ingress, secret)
    assert pages.post(TOKENS, name="x", scope="rw", days="0").status_code == 403
    assert "Create a token" not in pages.text(TOKENS)


def test_an_operator_revokes_a_token(ingress: Ingress) -> None:
    pages = visit(ingress, PASSWORD)
    assert pages.post(f"{TOKENS}/{WIDE}/revoke").status_code == 303
    assert status(ingress, "tok-wide") == 401
    text = pages.text(TOKENS)
    assert f"revoked wide {WIDE} by operator" in text
    assert pages.post(f"{TOKENS}/{WIDE}/revoke").status_code == 404


def test_a_token_manages_those_that_may_no_more_than_itself(ingress: Ingress) -> None:
    """One that reads and writes the catalog; not one that reads, nor one with rights elsewhere, nor of the settings."""
    writer, reader = visit(ingress, TOKEN), visit(ingress, READER_TOKEN)
    fixed = digest_of(READER_TOKEN)[:8]
    for pages, credential_id, expected in (
        (reader, FEED, 403),
        (writer, WIDE, 403),
        (writer, fixed, 404),
        (writer, "0" * 8, 404),
        (writer, "feed", 404),
        (visit(ingress, "tok-other"), FEED, 404),
    ):
        for act in ("rotate", "revoke"):
            assert pages.post(f"{TOKENS}/{credential_id}/{act}").status_code == expected, (credential_id, act)
    assert f"{TOKENS}/{FEED}/rotate" in writer.get(TOKENS).text
    assert f"{TOKENS}/{WIDE}/rotate" not in writer.get(TOKENS).text
    assert "/rotate" not in reader.get(TOKENS).text
    assert writer.post(f"{TOKENS}/{FEED}/revoke").status_code == 303
    assert status(ingress, "tok-feed") == 401


def test_no_token_gets_one_that_outlives_it(ingress: Ingress) -> None:
    """What was lent for a time can neither be rotated to one for ever nor take over another that is for longer."""
    credentials: Credentials = ingress.app.extensions[EXTENSION].credentials
    lent, end_ms = digest_of("tok-lent")[:8], ingress.rig.clock() + 3_600_000
    credentials.store(Credential("lent", digest_of("tok-lent"), {ACME: Scope.READ_WRITE}, expires_ms=end_ms))
    pages = visit(ingress, "tok-lent")
    assert f"{TOKENS}/{FEED}/rotate" not in pages.get(TOKENS).text
    assert pages.post(f"{TOKENS}/{FEED}/rotate", overlap="0").status_code == 403
    answer = pages.post(f"{TOKENS}/{lent}/rotate", overlap="168")
    [new] = re.findall(r"tok-[\w-]{32}", answer.text)
    assert (status(ingress, new), status(ingress, "tok-lent"), status(ingress, "tok-feed")) == (200, 200, 200)
    ingress.rig.clock.now_ms = end_ms
    assert (status(ingress, new), status(ingress, "tok-lent"), status(ingress, "tok-feed")) == (401, 401, 200)
    assert visit(ingress, PASSWORD).post(f"{TOKENS}/{lent}/rotate", overlap="0").status_code == 409


def test_a_file_of_credentials_counts_again_as_soon_as_it_changes(
    rig: Rig, store_server: StoreServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without a restart; one that is gone or broken changes nothing, and is logged once."""
    file = tmp_path / "credentials"
    file.write_text(f"{ACME}:tok-first\n")
    settings = replace(rig.settings, redis_url=store_server.url, credentials=f"{ACME}:tok-kept", credentials_file=file)
    client = create_app(settings, clock=rig.clock).test_client()

    def statuses() -> list[int]:
        rig.clock.advance(2_000)
        return [
            client.get(f"/v2/items?key={ACME}", headers={"Authorization": basic(token)}).status_code
            for token in ("tok-kept", "tok-first", "tok-second")
        ]

    assert statuses() == [200, 200, 401]
    other = tmp_path / "new"
    other.write_text(f"{ACME}:tok-second:r\n")
    other.replace(file)
    assert statuses() == [200, 401, 200]
    file.write_text("nonsense with tok-third\n")
    assert [statuses(), statuses()] == [[200, 401, 200]] * 2
    file.unlink()
    assert [statuses(), statuses()] == [[200, 401, 200]] * 2
    logged = capfd.readouterr().err
    assert logged.count("credentials not read again") == 2
    assert "tok-third" not in logged
    file.write_text(f"{ACME}:tok-first\n")
    assert statuses() == [200, 200, 401]
