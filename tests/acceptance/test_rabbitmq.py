"""RabbitMQ serves as the broker too.  Runs where a rabbitmq-server is installed; the machine's own is left alone."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import kombu
import pytest
from amqp.exceptions import PreconditionFailed

from deploy.stack.ports import LOOPBACK, free_port
from shared.doorbell import QUEUE
from shared.waiting import wait_until
from tests.acceptance.conftest import OpenSite
from tests.acceptance.load import some_batches

#: Debian's command in the path wants to be root and becomes another user; the one behind it does not.
BINARIES = [Path("/usr/lib/rabbitmq/bin/rabbitmq-server"), Path(shutil.which("rabbitmq-server") or "/nowhere")]
BINARY = next((path for path in BINARIES if path.exists()), None)
#: Long beside what a ring takes, so that the two can be told apart.
SWEEP_S = 5.0

pytestmark = pytest.mark.skipif(BINARY is None, reason="no rabbitmq-server is installed")


class Rabbit:
    """A RabbitMQ node on loopback, with its own name, folders and port mapper."""

    def __init__(self, folder: Path) -> None:
        ports = [free_port(LOOPBACK, 0) for _ in range(3)]
        self._port, self._epmd_port = ports[:2]
        self.url = f"amqp://guest:guest@{LOOPBACK}:{self._port}//"
        mine = {
            "HOME": folder,
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_EPMD_PORT": self._epmd_port,
            "RABBITMQ_NODENAME": "sluice-test@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": self._port,
            "RABBITMQ_DIST_PORT": ports[2],
            "RABBITMQ_MNESIA_BASE": folder / "mnesia",
            "RABBITMQ_LOG_BASE": folder / "log",
            "RABBITMQ_CONFIG_FILE": folder / "rabbitmq",
            "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "enabled_plugins",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-kernel inet_dist_use_interface {{{LOOPBACK.replace('.', ',')}}}",
        }
        self._environ = os.environ | {name: str(value) for name, value in mine.items()}
        (folder / "enabled_plugins").write_text("[].\n", encoding="ascii")
        self._output = (folder / "output").open("wb")

    def start(self) -> None:
        """Start the node and wait until it listens."""
        assert BINARY
        self._process = subprocess.Popen(
            [BINARY], env=self._environ, stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        wait_until(self._listens, "RabbitMQ listens", timeout_s=60, every_s=0.1)

    def stop(self) -> None:
        """Stop the node in order."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(30)

    def close(self) -> None:
        """Stop the node, and the port mapper that it leaves behind."""
        self.stop()
        subprocess.run(["epmd", "-port", str(self._epmd_port), "-kill"], env=self._environ, stdout=subprocess.DEVNULL)
        self._output.close()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((LOOPBACK, self._port)) == 0


@pytest.fixture
def rabbit() -> Iterator[Rabbit]:
    folder = Path(tempfile.mkdtemp(prefix="sluice-"))
    made = Rabbit(folder)
    made.start()
    yield made
    made.close()
    shutil.rmtree(folder, ignore_errors=True)


def test_rabbitmq_rings_goes_away_and_comes_back(
    open_site: OpenSite, rabbit: Rabbit, measured: Callable[[str], None]
) -> None:
    """A ring takes a moment, through a quorum queue; without RabbitMQ batches are swept; when it is back it is used."""
    with open_site(broker_url=rabbit.url, sweep_s=SWEEP_S) as site:
        wait_until(site.rings_are_heard, "rings are heard", timeout_s=20)
        ring = min(site.time_to_effect() for _ in range(5))
        assert site.get("/health/ready").ok()["status"] == "ok"
        assert "quorum" in _refusal_of_a_classic_queue(rabbit)
        shops = site.customers(4)
        some_batches(shops, 40, entries=50, seed=6)
        site.wait_all_ended(shops, timeout_s=20)

        rabbit.stop()
        some_batches(shops, 8, entries=50, seed=7)
        assert site.get("/health/ready").ok()["broker"] == "away"
        site.wait_all_ended(shops, timeout_s=20)

        rabbit.start()
        start = time.monotonic()
        wait_until(site.rings_are_heard, "rings are heard again", timeout_s=60)
        measured(
            f"RabbitMQ: ring to effect {ring * 1000:.0f} ms; back: heard again after {time.monotonic() - start:.1f} s"
        )
        for shop in shops:
            shop.check_laws()


def _refusal_of_a_classic_queue(rabbit: Rabbit) -> str:
    """Declare the queue of wake-ups as one that dies with its node; the server says what it is instead."""
    with kombu.Connection(rabbit.url) as connection, pytest.raises(PreconditionFailed) as refused:
        connection.channel().queue_declare(QUEUE, durable=True, auto_delete=False)
    return str(refused.value)
