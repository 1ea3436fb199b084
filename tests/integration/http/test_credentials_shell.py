"""``sluice credentials``: the life of a token, from a shell and over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner

from api.cli.main import sluice
from shared.clock import now_ms
from shared.credential_changes import CredentialChanges
from shared.credentials import digest_of
from shared.errors import StoreFull
from tests.support.batches import items
from tests.support.ingress import Ingress
from tests.support.rig import ACME
from tests.support.store_server import StoreServer


@pytest.fixture
def shell(store_server: StoreServer, ingress: Ingress, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("SLUICE_REDIS_URL", store_server.url)
    monkeypatch.setenv("SLUICE_CREDENTIALS", f"{ACME}:configured")
    ingress.rig.clock.now_ms = now_ms()

    def run(*args: str) -> Any:
        return CliRunner().invoke(sluice, ["credentials", *args])

    yield run
    structlog.reset_defaults()


def status(ingress: Ingress, token: str) -> int:
    ingress.rig.clock.advance(2_000)
    return ingress.send("GET", "/v2/items", token=token).status_code


def test_a_token_is_made_used_rotated_and_revoked(shell: Any, ingress: Ingress) -> None:
    old = shell("create", "feed", ACME).stdout.strip()
    assert status(ingress, old) == 200
    [credential_id, name, key, scope, created, used, expires] = shell("list").output.splitlines()[1].split()
    assert (name, key, scope, expires) == ("feed", ACME, "rw", "-")
    assert created <= used
    new = shell("rotate", credential_id).stdout.strip()
    assert (status(ingress, old), status(ingress, new)) == (200, 200)
    ingress.rig.clock.advance(24 * 3600 * 1000)
    assert (status(ingress, old), status(ingress, new)) == (401, 200)
    assert "name one by its ID" in shell("rotate", "feed").output
    assert shell("revoke", credential_id).output == "revoked 1\n"
    assert status(ingress, new) == 200
    assert shell("revoke", "feed").output == "revoked 1\n"
    assert status(ingress, new) == 401


def test_a_token_of_the_settings_is_listed_and_changed_only_there(shell: Any) -> None:
    [credential_id, name, key, *_] = shell("list").output.splitlines()[1].split()
    assert (name.startswith("settings-"), key) == (True, ACME)
    for wanted in (credential_id, name):
        for act in ("rotate", "revoke"):
            ran = shell(act, wanted)
            assert (ran.exit_code, "is in the settings, and is changed there" in ran.output) == (1, True)


def test_the_first_token_of_a_stack_is_listed_where_the_stack_runs(
    shell: Any, store_server: StoreServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its shell has no variables of it: the data folder tells."""
    for variable in ("SLUICE_REDIS_URL", "SLUICE_CREDENTIALS"):
        monkeypatch.delenv(variable)
    monkeypatch.setenv("SLUICE_DATA_DIR", str(tmp_path))
    (tmp_path / "store.url").write_text(store_server.url)
    (tmp_path / "credentials").write_text(f"{ACME}:tok_first:rw\n")
    (tmp_path / "credentials.path").write_text(str(tmp_path / "credentials"))
    assert f"settings-{digest_of('tok_first')[:6]}  {ACME}" in shell("list").output
    # A stack that was started with credentials of its own refuses it.
    (tmp_path / "credentials.path").write_text("")
    assert "settings-" not in shell("list").output


def test_a_token_is_printed_though_it_cannot_be_noted(
    shell: Any, ingress: Ingress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is good, and nowhere else; that the page will not tell of it is said."""

    def full(*_: object) -> None:
        raise StoreFull("no memory left")

    monkeypatch.setattr(CredentialChanges, "note", full)
    old = shell("create", "feed", ACME)
    new = shell("rotate", "feed", "--overlap", "0")
    assert [(each.exit_code, "no memory left" in each.stderr) for each in (old, new)] == [(0, True)] * 2
    assert [status(ingress, each.stdout.strip()) for each in (old, new)] == [401, 200]


def test_a_token_may_expire(shell: Any, ingress: Ingress) -> None:
    token = shell("create", "trial", ACME, "--days", "1").stdout.strip()
    assert status(ingress, token) == 200
    ingress.rig.clock.advance(24 * 3600 * 1000)
    assert status(ingress, token) == 401


def test_configured_tokens_are_listed_too(shell: Any) -> None:
    [line] = [line for line in shell("list").output.splitlines() if "settings-" in line]
    assert ACME in line
    assert "configured" not in line


def test_lists_are_json_for_programs(shell: Any, ingress: Ingress) -> None:
    """With numbers as numbers, and null where a table has a dash; of tokens, partitions and webhooks."""
    shell("create", "feed", ACME, "--days", "1")
    fixed, feed = sorted(json.loads(shell("list", "--json").output), key=lambda each: each["name"] == "feed")
    assert (fixed["created"], feed["key"], feed["scope"], feed["last_used"]) == (None, ACME, "rw", None)
    assert feed["expires"] > feed["created"]
    ingress.write("PUT", "/v2/items", {"items": items("a")})
    [waits] = json.loads(CliRunner().invoke(sluice, ["partitions", "list", "--json"]).output)
    assert (waits["key"], waits["tasks"], waits["head"], waits["owner"]) == (ACME, 1, 1, None)
    assert CliRunner().invoke(sluice, ["webhooks", "list", ACME, "--json"]).output == "[]\n"
    assert CliRunner().invoke(sluice, ["webhooks", "deliveries", ACME, "--json"]).output == "[]\n"
