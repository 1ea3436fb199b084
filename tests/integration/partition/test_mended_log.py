"""A log that a power cut left damaged is mended by a command of ours, and loses no more than it must."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from deploy.stack import embedded_store
from deploy.stack.store_damage import find_damage
from shared.waiting import wait_until
from tests.support.store_server import StoreServer

ROOT = Path(__file__).parents[3]
ZEROS = bytes(20_000)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StoreServer]:
    """A server with something in it, in the place of the embedded store of a data folder; killed."""
    (tmp_path / "store").mkdir()
    tmp_path.chmod(0o700)
    running = StoreServer(embedded_store.server_binary(), tmp_path / "store")
    with running.connect() as client:
        for number in range(100):
            client.set(f"key-{number}", f"value\r\n*1\r\n$4\r\nnone {number}")
        client.execute_command("WAITAOF", 1, 0, 10_000)
    running.kill()
    yield running
    running.stop()


def mend(folder: Path, *arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.mend", *arguments], env=os.environ | {"SLUICE_DATA_DIR": str(folder)}, cwd=ROOT,
        capture_output=True, text=True, timeout=60, input=said,
    )  # fmt: skip


def read_all(server: StoreServer) -> int:
    server.start()
    with server.connect() as client:
        return int(client.dbsize())


def test_zeros_at_the_end_are_cut_off(server: StoreServer, tmp_path: Path) -> None:
    """Nothing else is; what was there is kept beside it."""
    whole = server.log.read_bytes()
    server.log.write_bytes(whole + ZEROS)
    done = mend(tmp_path, "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"its last {len(ZEROS)} bytes, from byte {len(whole)} on, are no commands" in done.stdout
    assert server.log.read_bytes() == whole
    [aside] = (tmp_path / "store").glob("*.aof.*")
    assert aside.read_bytes() == whole + ZEROS
    assert read_all(server) == 100


def test_a_command_that_was_torn_goes_with_them(server: StoreServer, tmp_path: Path) -> None:
    """And a transaction as a whole, of which a part is there."""
    whole = server.log.read_bytes()
    server.log.write_bytes(
        whole + b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n*3\r\n$3\r\nSE" + ZEROS
    )
    assert mend(tmp_path, "--yes").returncode == 0
    assert server.log.read_bytes() == whole
    assert read_all(server) == 100


def test_a_hole_between_commands_costs_nothing(server: StoreServer, tmp_path: Path) -> None:
    """A server leaves one when its disk was full: what follows is whole."""
    whole = server.log.read_bytes()
    middle = whole.index(b"key-50") - len(b"*3\r\n$3\r\nSET\r\n$6\r\n")
    server.log.write_bytes(whole[:middle] + ZEROS + whole[middle:] + ZEROS)
    assert mend(tmp_path, "--yes").returncode == 0
    assert server.log.read_bytes() == whole
    assert read_all(server) == 100


def test_nothing_is_changed_unless_it_is_wanted(server: StoreServer, tmp_path: Path) -> None:
    damaged = server.log.read_bytes() + ZEROS
    server.log.write_bytes(damaged)
    assert mend(tmp_path, said="n\n").returncode == 1
    assert server.log.read_bytes() == damaged
    assert mend(tmp_path, said="y\n").returncode == 0
    done = mend(tmp_path)
    assert (done.returncode, done.stdout) == (0, "the log of the store is whole\n")


def test_the_log_that_ships_is_whole_with_all_it_may_hold(client: redis.Redis, store_server: StoreServer) -> None:
    """Transactions, scripts and any bytes."""
    client.pipeline(transaction=True).set("a", bytes(range(256))).zadd("z", {"\r\n": 1}).execute()
    client.flushall()
    wait_until(lambda: find_damage(store_server.log.parents[1]) is None, "written out", timeout_s=5)


def test_without_a_store_it_says_so(tmp_path: Path) -> None:
    done = mend(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("sluice: no embedded store lies in")
