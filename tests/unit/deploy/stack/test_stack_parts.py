"""`make up` prepares its parts before the first process starts."""

from __future__ import annotations

import configparser
import contextlib
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from deploy.stack import embedded_store
from deploy.stack.data_folder import LONGEST_SOCKET_PATH, open_folder
from deploy.stack.first_credentials import NewCredential, check_credentials, new_credential
from deploy.stack.ports import base_url, check_port, free_port
from deploy.stack.services import STOP_ORDER
from deploy.stack.stack import Stack
from deploy.stack.supervisor import render_config
from deploy.up import Stopped, stop_on_signals, warn_of_mail
from shared.credentials import parse_credentials
from shared.errors import Misconfigured
from shared.settings import Settings
from shared.waiting import WaitedInVain, wait_until
from tests.support.receivers import mail_server

LOOPBACK = "127.0.0.1"


def render(folder: Path, **values: object) -> configparser.ConfigParser:
    wanted = {
        "store_binary": "/bin/true", "store_config": "/x", "store_preloaded": "", "workers": 3, "sinks": 2,
        "log_level": "INFO",
    }  # fmt: skip
    opened = open_folder(folder)
    try:
        text = render_config(opened, folder / "supervisor.sock", **(wanted | values))
    finally:
        opened.close()
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=(";", "#"))
    parser.read_string(text)
    return parser


def test_every_service_is_supervised_and_stops_in_the_order_that_loses_nothing(tmp_path: Path) -> None:
    config = render(tmp_path)
    priorities = [config.getint(f"program:{name}", "priority") for name in STOP_ORDER]
    assert priorities == sorted(priorities, reverse=True), "supervisor stops the highest first"
    for name in STOP_ORDER:
        assert config.getboolean(f"program:{name}", "autorestart")
        assert config[f"program:{name}"]["stdout_logfile"] == str(tmp_path / "log" / f"{name}.log")
    assert "--concurrency 3" in config["program:worker"]["command"]
    assert "--concurrency 2" in config["program:sinks"]["command"]


def test_a_path_that_supervisor_would_misread_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="choose another folder"):
        render(tmp_path / "100% mine")


def test_a_signal_stops_even_if_what_it_raised_was_lost() -> None:
    """As it is where it comes while an object is finalized."""
    with stop_on_signals() as check:
        check()
        with contextlib.suppress(Stopped):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Stopped):
            check()


def test_what_is_preloaded_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded store gets jemalloc where there is one, but not against what the machine's owner says."""
    monkeypatch.setattr("ctypes.util.find_library", {"jemalloc": "libjemalloc.so.2"}.get)
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    assert embedded_store.preloaded() == "libjemalloc.so.2"
    monkeypatch.setenv("LD_PRELOAD", "libother.so")
    assert embedded_store.preloaded() == "libother.so"


def test_a_data_folder_belongs_to_one_stack_at_a_time(tmp_path: Path) -> None:
    first = open_folder(tmp_path / "var")
    with pytest.raises(Misconfigured, match=r"in use by another Sluice \(process \d+\)"):
        open_folder(tmp_path / "var")
    first.close()
    open_folder(tmp_path / "var").close()


def test_a_data_folder_is_closed_to_other_users(tmp_path: Path) -> None:
    shared = tmp_path / "open"
    shared.mkdir(mode=0o755)
    open_folder(shared).close()
    assert shared.stat().st_mode & 0o777 == 0o700


def test_a_folder_of_other_things_is_left_as_it_is(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir(mode=0o755)
    (foreign / "letter").touch()
    with pytest.raises(Misconfigured, match="holds other things"):
        open_folder(foreign)
    assert foreign.stat().st_mode & 0o777 == 0o755


def test_a_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    folder = open_folder(tmp_path)
    assert folder.secret("word", lambda: "open sesame") == ("open sesame", True)
    assert folder.secret("word", lambda: "another") == ("open sesame", False)
    assert (tmp_path / "word").stat().st_mode & 0o777 == 0o600
    folder.close()


def test_a_socket_fits_however_long_the_path_of_the_data_folder_is(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / ("x" * 120))
    path = folder.socket("store")
    assert len(str(path)) <= LONGEST_SOCKET_PATH
    assert path == folder.socket("store"), "a restarted store is found again"
    assert path.parent.stat().st_mode & 0o777 == 0o700
    folder.close()
    assert not path.parent.exists()


@pytest.mark.parametrize(("durability", "appendfsync"), [("everysec", "everysec"), ("fsync", "always")])
def test_durability_reaches_the_embedded_store(tmp_path: Path, durability: str, appendfsync: str) -> None:
    config = embedded_store.write_config(tmp_path, tmp_path / "store.sock", durability=durability)
    lines = config.read_text(encoding="utf-8").splitlines()
    assert f"appendfsync {appendfsync}" in lines
    assert "appendonly yes" in lines
    assert "port 0" in lines
    assert f"maxmemory {embedded_store.memory_bytes() // 2}" in lines


def test_a_made_credential_is_one_the_ingress_can_read() -> None:
    made = new_credential()
    assert isinstance(made, NewCredential)
    [read] = parse_credentials(str(made))
    assert read.scopes == {made.catalog_key: "rw"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(credentials="only-a-key"), "SLUICE_CREDENTIALS: credential 1 is not of the form"),
        (Settings(credentials_file=Path("/nowhere/at-all")), "SLUICE_CREDENTIALS_FILE: .*No such file"),
        (Settings(flower_auth="nocolon"), "SLUICE_FLOWER_AUTH: not of the form user:password"),
        (Settings(operator_password="short"), "SLUICE_OPERATOR_PASSWORD: shorter than 12 characters"),
    ],
)
def test_bad_credentials_are_named_before_anything_starts(settings: Settings, words: str) -> None:
    with pytest.raises(Misconfigured, match=words):
        check_credentials(settings)


def test_gunicorn_hands_down_nothing_of_our_code_so_that_a_reload_reads_the_new() -> None:
    """What its parent process keeps in memory would still be the old code in every process to come."""
    look = "import api.server.worker, runpy, sys; runpy.run_path('deploy/gunicorn.conf.py'); print(sorted(sys.modules))"
    root = Path(embedded_store.__file__).parents[2]
    kept = subprocess.run([sys.executable, "-c", look], cwd=root, capture_output=True, text=True, check=True).stdout
    assert "'gunicorn.util'" in kept
    assert "'shared" not in kept
    assert "'api" not in kept


def test_a_taken_port_is_named_with_the_setting_to_change() -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Misconfigured, match=f"port {port} on {LOOPBACK} is in use.* SLUICE_PORT"):
            check_port(LOOPBACK, port, "SLUICE_PORT")
        assert free_port(LOOPBACK, port) != port
    assert free_port(LOOPBACK, port) == port


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:80"), ("0.0.0.0", "http://127.0.0.1:80"), ("::", "http://[::1]:80")],
)
def test_the_printed_url_can_be_opened_on_this_machine(host: str, url: str) -> None:
    assert base_url(host, 80) == url


def test_waiting_looks_once_more_when_the_time_is_up() -> None:
    looks = iter([0, 7])
    assert wait_until(lambda: next(looks), "seven", timeout_s=0.01, every_s=0.01) == 7
    with pytest.raises(WaitedInVain, match="never: not within 0 s"):
        wait_until(lambda: False, "never", timeout_s=0)


def test_mail_that_cannot_go_out_is_told_at_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, without the password; nothing is said where mail is not wanted, or goes out."""
    here = SimpleNamespace(environ={"SLUICE_SMTP_URL": f"smtp://me:s3cr3t@{LOOPBACK}:1"})
    warn_of_mail(cast(Stack, here))
    said = capsys.readouterr().out
    assert said.startswith(f"no mail can be sent, SLUICE_SMTP_URL: {LOOPBACK}:1: ")
    assert (said.count("\n"), "s3cr3t" in said) == (1, False)
    with mail_server() as mailbox:
        for environ in ({}, {"SLUICE_SMTP_URL": mailbox.url}):
            warn_of_mail(cast(Stack, SimpleNamespace(environ=environ)))
    assert capsys.readouterr().out == ""
