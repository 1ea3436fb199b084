"""A backup restored as the runbook says serves what was in it, and gives out no id twice."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from deploy.stack.embedded_store import answers, server_binary
from shared.store import id_writes
from shared.waiting import wait_until
from tests.support.batches import items
from tests.support.key_checker import check_keys
from tests.support.rig import Rig

CONFIG = Path(__file__).parents[3] / "deploy" / "store.conf"


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="sluice-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def start(folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start a server with the configuration that is shipped for one of its own."""
    where = ["--port", "0", "--unixsocket", str(folder / "s.sock"), "--dir", str(folder)]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([server_binary(), CONFIG, *where, *options], stdout=log, stderr=log)
    wait_until(lambda: answers(folder / "s.sock"), "the server answers", timeout_s=20, every_s=0.02)
    return process


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(20)


def test_a_backup_is_restored(rig: Rig, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Started without its log, told to write one, and started again with it."""
    # This process knows the run from the tests before, whose store was emptied.
    monkeypatch.setattr(id_writes, "_numbers", {})
    rig.put(*items("a", "b"))
    rig.drain()
    rig.put(*items("c"))
    rig.client.save()
    shutil.copy(Path(rig.client.config_get("dir")["dir"]) / "dump.rdb", folder / "backup.rdb")
    last = rig.put(*items("after-the-backup"))

    server = start(folder, "--dbfilename", "backup.rdb", "--appendonly", "no")
    client = redis.Redis(unix_socket_path=str(folder / "s.sock"))
    try:
        client.config_set("appendonly", "yes")
        wait_until(
            lambda: not client.info("persistence")["aof_rewrite_in_progress"], "the log is written", timeout_s=20
        )
        stop(server)
        server = start(folder)
        restored = rig.with_settings()
        restored.client = client
        restored.accepted["acme"].remove(restored.journal(last))
        assert restored.put(*items("d")) > last + 5_000
        restored.drain()
        restored.check_laws()
        check_keys(client)
    finally:
        client.close()
        stop(server)
    assert rig.state().tasks == 2
