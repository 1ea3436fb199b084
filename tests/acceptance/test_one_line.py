"""A mistyped command gets one line that says what to change: no traceback, no success, no secret."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from deploy.stack.ports import LOOPBACK, free_port
from shared.waiting import wait_until
from tests.acceptance.processes import kill_family
from tests.acceptance.up_process import up_environ
from tests.support.batches import items
from tests.support.rig import ACME, Rig
from tests.support.small_disk import small_disk
from tests.support.store_server import StoreServer

SLUICE = [sys.executable, "-c", "from api.cli.main import main; main()"]


def run(command: list[str], **settings: object) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
    environ = clean | {f"SLUICE_{name}": str(value) for name, value in settings.items()}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)


def refused(command: list[str], **settings: object) -> str:
    """Run something that must not work and return its one line."""
    done = run(command, **settings)
    assert done.returncode != 0, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    # click says how a command is used before it says what is wrong.
    return [line for line in done.stderr.splitlines() if line][-1]


@pytest.fixture
def url(store_server: StoreServer, client: redis.Redis) -> str:
    return store_server.url


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "acmee"],
        ["catalogs", "delete", "acmee", "--yes"],
        ["catalogs", "copy", "acmee", "redis://127.0.0.1:1/0"],
        ["partitions", "retry", "acmee"],
        ["partitions", "skip", "acmee", "--yes"],
        ["webhooks", "add", "acmee", "https://shop.example/"],
        ["webhooks", "list", "acmee"],
        ["webhooks", "deliveries", "acmee"],
    ],
)
def test_a_mistyped_key_is_no_success_and_no_new_catalog(arguments: list[str], url: str, rig: Rig) -> None:
    rig.put(*items("a"))
    rig.drain()
    before = sorted(rig.client.scan_iter())
    assert refused([*SLUICE, *arguments], REDIS_URL=url).endswith(f"did you mean {ACME}?")
    assert sorted(rig.client.scan_iter()) == before


def test_help_needs_no_store_and_no_good_settings() -> None:
    for command in ([], ["catalogs"], ["export"]):
        done = run([*SLUICE, *command, "--help"], PORT="high", REDIS_URL="nonsense")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("Usage:")


@pytest.mark.parametrize(("command", "unneeded"), [("get", "flask"), ("credentials", "api.dashboard")])
def test_a_command_loads_only_what_it_needs(command: str, unneeded: str) -> None:
    """It starts a quarter sooner than with all of it."""
    program = "import sys; from api.cli.main import _with_services, sluice; sluice.get_command(None, sys.argv[1])"
    program += "; sys.argv[1] == 'get' or _with_services(); print(sys.argv[2] in sys.modules)"
    done = run([sys.executable, "-c", program, command, unneeded], REDIS_URL="redis://127.0.0.1:1/0")
    assert (done.stdout, done.returncode) == ("False\n", 0), done


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"REDIS_URL": "nonsense"}, "SLUICE_REDIS_URL"),
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, "does not answer"),
        ({"PORT": "high"}, "SLUICE_PORT='high': not a whole number"),
        ({}, "SLUICE_REDIS_URL is not set"),
    ],
)
def test_a_shell_command_says_what_is_wrong_with_the_settings(
    settings: dict[str, str], said: str, tmp_path: Path
) -> None:
    assert said in refused([*SLUICE, "credentials", "list"], DATA_DIR=tmp_path, **settings)


def test_an_export_to_nowhere_is_refused_before_it_is_begun(url: str, rig: Rig) -> None:
    rig.put(*items("a"))
    rig.drain()
    assert "/nonexistent is no folder" in refused([*SLUICE, "export", ACME, "--to", "/nonexistent/x"], REDIS_URL=url)
    assert rig.client.zcard(rig.keys().tasks) == 1


def test_a_copy_to_a_database_that_is_not_there(url: str, rig: Rig) -> None:
    rig.put(*items("a"))
    rig.drain()
    missing = url.replace("db=0", "db=99")
    assert "DB index is out of range" in refused([*SLUICE, "catalogs", "copy", ACME, missing], REDIS_URL=url)
    assert "DB index is out of range" in refused([*SLUICE, "credentials", "list"], REDIS_URL=missing)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"SMTP_URL": "mail.example"}, "SLUICE_SMTP_URL"),
        ({"SMTP_URL": "smtp://mail.example", "MAIL_FROM": "Shop noreply"}, "SLUICE_MAIL_FROM"),
        ({"EXPORTS_URL": "nowhere://bucket"}, "SLUICE_EXPORTS_URL"),
        ({"FLOWER_AUTH": "sluice:change-me"}, "SLUICE_FLOWER_AUTH: still the word of the example"),
        ({"SECRET_KEY": "change-me"}, "SLUICE_SECRET_KEY: still the word of the example"),
        ({"SECRET_KEY": "short"}, "SLUICE_SECRET_KEY: shorter than"),
        ({"REDIS_URL": "nonsense"}, "SLUICE_REDIS_URL"),
        ({"REDIS_URL": "redis://127.0.0.1:1/x"}, "SLUICE_REDIS_URL"),
    ],
)
def test_make_up_and_the_services_say_what_is_wrong_before_they_start(
    settings: dict[str, str], said: str, tmp_path: Path
) -> None:
    given = {"DATA_DIR": tmp_path / "var", "REDIS_URL": "redis://127.0.0.1:1/0", "SECRET_KEY": "s" * 32, **settings}
    assert said in refused([sys.executable, "-m", "deploy.up"], **given)
    assert said in refused([sys.executable, "-m", "deploy.run", "worker"], **given)


def test_two_services_on_one_port(tmp_path: Path) -> None:
    port = free_port(LOOPBACK, 0)
    said = refused([sys.executable, "-m", "deploy.up"], DATA_DIR=tmp_path / "var", PORT=port, FLOWER_PORT=port)
    assert f"SLUICE_PORT and SLUICE_FLOWER_PORT are both {port}" in said


def test_a_disk_that_is_full_at_the_start(tmp_path: Path) -> None:
    with small_disk(tmp_path / "var", size_mb=1) as disk:
        disk.fill()
        done = subprocess.run(
            [sys.executable, "-m", "deploy.up"], env=up_environ(disk.folder), capture_output=True, text=True, timeout=90
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "cannot be written: No space left on device" in done.stderr


@pytest.mark.parametrize("place", ["sluice:s3cr3t@", "sluice:s3cr3t%40x@", "?password=s3cr3t&username=sluice"])
def test_a_password_is_never_printed(place: str, tmp_path: Path) -> None:
    """Wherever it stands in the URL."""
    login, _, query = place.partition("?")
    url = f"redis://{login}127.0.0.1:1/0?{query}".rstrip("?")
    settings = {"DATA_DIR": tmp_path / "var", "REDIS_URL": url, "SECRET_KEY": "s" * 32}
    assert "s3cr3t" not in refused([sys.executable, "-m", "deploy.up"], **settings)
    # A worker waits for its store and tells so.
    environ = os.environ | {f"SLUICE_{name}": str(value) for name, value in settings.items()}
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen([sys.executable, "-m", "deploy.run", "worker"], env=environ, stdout=log, stderr=log)
    try:
        wait_until(lambda: "Cannot connect to" in (tmp_path / "log").read_text(), "it waits", timeout_s=40)
        assert "s3cr3t" not in (tmp_path / "log").read_text()
    finally:
        kill_family(worker.pid)
        worker.wait()


def test_a_store_with_a_password_in_the_query_works(
    store_server: StoreServer, client: redis.Redis, tmp_path: Path
) -> None:
    """Also as the broker, whose library knows no such thing."""
    client.acl_setuser("sluice", enabled=True, passwords=["+s3cr3t"], keys=["*"], channels=["*"], commands=["+@all"])
    url = store_server.url + "&username=sluice&password=s3cr3t"
    assert "NAME" in run([*SLUICE, "credentials", "list"], REDIS_URL=url).stdout
    bell = "from shared.doorbell import *; import sys; b = broker_url_for(sys.argv[1]);"
    done = run([sys.executable, "-c", f"{bell} print(Doorbell(doorbell_app(b), b).reachable())", url])
    assert done.stdout == "True\n"


def test_a_command_reaches_the_store_without_valkey_cli(url: str, client: redis.Redis) -> None:
    client.set("{sluice}:credentials:version", 7)
    assert run([*SLUICE, "store", "GET", "{sluice}:credentials:version"], REDIS_URL=url).stdout == "7\n"
    assert "maxmemory_policy: noeviction" in run([*SLUICE, "store", "INFO", "memory"], REDIS_URL=url).stdout
    assert "unknown command" in refused([*SLUICE, "store", "FROBNICATE"], REDIS_URL=url)
