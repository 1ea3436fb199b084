"""``sluice doctor``: what is wrong with an installation, and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

from api.cli.main import sluice
from shared.clock import now_ms
from shared.codec import encode_json
from shared.credentials import Credential, Credentials, Scope, digest_of
from shared.outbox.outbox import Trouble
from shared.partition.heartbeats import Heartbeats
from tests.support.batches import items
from tests.support.receivers import mail_server
from tests.support.rig import ACME, Rig
from tests.support.store_server import StoreServer

Doctor = Callable[..., Result]


@pytest.fixture
def rig(rig: Rig) -> Rig:
    """At the present: the command looks at the real clock; somebody works."""
    rig.clock.now_ms = now_ms()
    Heartbeats(rig.client).beat("somebody", rig.clock.now_ms)
    return rig


@pytest.fixture
def doctor(store_server: StoreServer, tmp_path: Path) -> Doctor:
    def run(*words: str, **settings: str) -> Result:
        environ = {"SLUICE_REDIS_URL": store_server.url, "SLUICE_DATA_DIR": str(tmp_path)} | settings
        try:
            return CliRunner().invoke(sluice, ["doctor", *words], env=environ)
        finally:
            structlog.reset_defaults()

    return run


def found(ran: Result) -> dict[str, str]:
    """Return the worst state by subject."""
    order = ("ok", "warning", "broken")
    worst: dict[str, str] = {}
    for one in json.loads(ran.output):
        worst[one["subject"]] = max(worst.get(one["subject"], "ok"), one["health"], key=order.index)
    return worst


def test_a_healthy_installation_is_all_right(rig: Rig, doctor: Doctor) -> None:
    """But for the wake-ups' broker, which tests do not have; exit code 0."""
    ran = doctor("--json")
    assert ran.exit_code == 0
    states = found(ran)
    assert {states[name] for name in ("settings", "workers", "partitions", "deliveries", "disk")} == {"ok"}
    assert "workers     1 alive" in doctor().output


def test_what_is_broken_comes_with_what_to_do(rig: Rig, doctor: Doctor) -> None:
    """Exit code 1."""
    rig.put(*items("a"))
    Heartbeats(rig.client).stop("somebody")
    trouble = encode_json(Trouble(3, rig.clock(), "answered 500"))
    rig.client.hset(rig.keys().troubles, "wh_1", trouble)
    ran = doctor("--json", SLUICE_TREADS="8")
    assert ran.exit_code == 1
    states = found(ran)
    assert (states["workers"], states["deliveries"], states["settings"]) == ("broken", "warning", "warning")
    said = doctor(SLUICE_TREADS="8").output
    assert "SLUICE_TREADS (did you mean SLUICE_THREADS?) is no setting" in said
    assert f"{ACME}: wh_1 has failed 3 times in a row (answered 500)" in said
    assert "→ start a worker" in said


def test_a_stuck_partition_is_named_with_its_commands(rig: Rig, doctor: Doctor) -> None:
    rig.put(*items("a"))
    rig.client.hset(rig.keys().position, "stuck", 1)
    said = doctor().output
    assert f"{ACME} is stuck" in said
    assert f"`sluice partitions retry {ACME}`" in said


def test_a_store_that_is_away_is_one_finding_each(doctor: Doctor, tmp_path: Path) -> None:
    """No traceback."""
    ran = doctor("--json", SLUICE_REDIS_URL=f"unix://{tmp_path}/none.sock")
    assert ran.exit_code == 1
    assert found(ran)["store"] == "broken"


def test_a_mail_server_that_is_away_is_found_before_a_mail_is_missed(rig: Rig, doctor: Doctor) -> None:
    """And one without links in its mails; without a mail server nothing is said."""
    assert "mail" not in found(doctor("--json"))
    with mail_server() as mailbox:
        said = doctor(SLUICE_SMTP_URL=mailbox.url).output
        assert "mails have no links" in said
        here = {"SLUICE_SMTP_URL": mailbox.url, "SLUICE_PUBLIC_URL": "https://sluice.example"}
        assert found(doctor("--json", **here))["mail"] == "ok"
    said = doctor(**here).output
    assert "Connection refused" in said
    assert "→ no mail is sent; see that SLUICE_SMTP_URL is right" in said


def test_a_token_that_ends_soon_is_told_unless_it_was_rotated(rig: Rig, doctor: Doctor) -> None:
    """With the command that makes the next one."""
    credentials = Credentials(rig.client, (), clock=rig.clock)
    now, day = rig.clock(), 24 * 3600 * 1000
    ending = Credential("feed", digest_of("a"), {ACME: Scope.READ}, created_ms=now - day, expires_ms=now + 3 * day)
    credentials.store(ending)
    credentials.store(Credential("later", digest_of("b"), {ACME: Scope.READ}, expires_ms=now + 30 * day))
    said = doctor().output
    assert f"feed ({ending.id}) expires in 72 h" in said or f"feed ({ending.id}) expires in 3 d" in said
    assert f"→ `sluice credentials rotate {ending.id}`" in said
    assert "later" not in said
    credentials.revoke(ending.id)
    lasting = Credential("lasting", digest_of("c"), {ACME: Scope.READ}, created_ms=now - day)
    credentials.store(lasting)
    credentials.rotate(lasting, digest_of("d"), now_ms=now, overlap_ms=day)
    assert found(doctor("--json"))["tokens"] == "ok"


def test_a_backlog_that_is_old_though_somebody_works_is_told(rig: Rig, doctor: Doctor) -> None:
    """With its age, in words."""
    rig.clock.now_ms -= 600_000
    rig.put(*items("a"))
    rig.clock.now_ms += 600_000
    assert "the oldest batch has waited 10 min" in doctor().output
