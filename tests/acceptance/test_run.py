"""Each service as containers and systemd start it: alone, in the foreground, from one command."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.probe import works
from deploy.stack.ports import LOOPBACK
from deploy.stack.services import Name, answers_ok
from shared.settings import Settings
from shared.waiting import wait_until
from tests.acceptance.customer import Customer
from tests.acceptance.site import environment
from tests.support.store_server import StoreServer, running_store

#: Starts a service as systemd does: with a socket that listens already, as descriptor 3.
ACTIVATED = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, sys.argv[2:])
"""


@pytest.fixture(scope="module")
def store() -> Iterator[StoreServer]:
    with running_store() as server:
        yield server


def test_ingress_and_worker_run_alone_and_a_restart_refuses_nobody(store: StoreServer, tmp_path: Path) -> None:
    """systemd holds the port: what is sent while the ingress is restarted waits for the new one."""
    with socket.create_server((LOOPBACK, 0)) as listening:
        port = listening.getsockname()[1]
        environ = environment(tmp_path / "var", redis_url=store.url, port=port, secret_key="a" * 64)
        settings = Settings.from_env(environ)
        run = [sys.executable, "-m", "deploy.run"]

        def start_ingress() -> subprocess.Popen[bytes]:
            number = listening.fileno()
            return subprocess.Popen(
                [sys.executable, "-c", ACTIVATED, str(number), *run, "ingress"],
                env={**environ, "LISTEN_FDS": "1"},
                pass_fds=[number],
            )

        ingress, worker = start_ingress(), subprocess.Popen([*run, "worker"], env=environ)
        try:
            shop = Customer(f"http://{LOOPBACK}:{port}", "shop-000", "acceptance-token")
            wait_until(lambda: works(Name.INGRESS, settings), "the ingress works", timeout_s=30)
            wait_until(lambda: works(Name.WORKER, settings), "the worker works", timeout_s=30)
            shop.done(shop.put({"id": "a", "name": "A"}))

            ingress.send_signal(signal.SIGTERM)
            ingress.wait(15)
            while_down = threading.Thread(target=shop.put, args=({"id": "b", "name": "B"},))
            while_down.start()
            ingress = start_ingress()
            while_down.join(30)
            shop.wait_all_ended()
            assert len(shop.accepted) == 2
            shop.check_laws()
        finally:
            for process in (ingress, worker):
                process.terminate()
                process.wait(20)
    assert not answers_ok(f"http://{LOOPBACK}:{port}/health/live")


def test_it_says_in_one_line_what_is_missing(tmp_path: Path) -> None:
    environ = environment(tmp_path)
    for words in (["ingress"], ["nonsense"], []):
        said = subprocess.run(
            [sys.executable, "-m", "deploy.run", *words], env=environ, capture_output=True, text=True, timeout=20
        )
        assert said.returncode == 1
        assert said.stderr.startswith("sluice: ")
        assert said.stderr.count("\n") == 1
