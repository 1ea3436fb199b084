"""The demo's own PostgreSQL, where it cannot be had."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest

from deploy.demo import postgres_server
from deploy.demo.postgres_server import DemoPostgres, NoPostgres


def test_an_initdb_that_fails_says_why_and_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "initdb").write_text("#!/bin/sh\necho no room on the disk >&2\nexit 1\n")
    (programs / "initdb").chmod(0o755)
    tmp_path.chmod(0o755)
    monkeypatch.setattr(postgres_server, "find_programs", lambda: programs)
    monkeypatch.setattr(postgres_server.os, "getuid", lambda: 1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(NoPostgres, match="no room on the disk"):
        DemoPostgres()
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_a_server_that_does_not_stop_is_killed_and_its_folder_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = DemoPostgres.__new__(DemoPostgres)
    server._folder = tmp_path / "data"
    server._folder.mkdir()
    # Deaf to the signal, once it has said that it is.
    deaf = ["sh", "-c", "trap '' QUIT; echo deaf; while :; do read -r _; done"]
    server._process = subprocess.Popen(deaf, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server._process.stdout
    assert server._process.stdout.readline() == b"deaf\n"
    monkeypatch.setattr(postgres_server, "STOP_TIMEOUT_S", 0.1)
    server.stop()
    assert (server._process.returncode, server._folder.exists()) == (-9, False)
    server._process.stdout.close()
