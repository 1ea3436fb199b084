"""One server of a cluster, on loopback or on a host of its own."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy.stack.embedded_store import APPENDFSYNC
from deploy.stack.ports import LOOPBACK, free_port
from shared.waiting import WaitedInVain, wait_until
from tests.support.hosts import Host

#: Seconds for the cluster to agree on something, on a busy machine.
AGREED_S = 30.0
#: Seconds in which a server that is well says what it is.
LOOKED_UP_S = 1.0
#: Of the log of a server that does not start.
LOG_CHARS = 2000

CONFIG = """
bind {address}
protected-mode no
port {port}
cluster-port {bus_port}
cluster-enabled yes
cluster-node-timeout {timeout_ms}
# One shard that is away must not stop the others.
cluster-require-full-coverage no
# A replica may take over however long it has not heard of its master.
cluster-replica-validity-factor 0
repl-diskless-sync-delay 0
dir "{folder}"
appendonly yes
appendfsync {appendfsync}
save ""
maxmemory {maxmemory}
maxmemory-policy noeviction
daemonize no
"""


class Node:
    """One server, with a process that may die and come back."""

    def __init__(
        self, folder: Path, *, timeout_ms: int, maxmemory: int, durability: str, server: Path, host: Host | None = None
    ) -> None:
        self.host = host
        self.address = host.address if host else LOOPBACK
        self.port, self.bus_port = free_port(LOOPBACK, 0), free_port(LOOPBACK, 0)
        folder.mkdir()
        config = CONFIG.format(
            address=self.address, port=self.port, bus_port=self.bus_port, timeout_ms=timeout_ms, folder=folder,
            maxmemory=maxmemory, appendfsync=APPENDFSYNC[durability],
        )  # fmt: skip
        file = folder / "redis.conf"
        file.write_text(config, encoding="utf-8")
        self._command = [*(host.inside if host else ()), server, file]
        self._log = folder / "log"
        self.client = self._client(timeout_s=5)
        self._impatient = self._client(timeout_s=LOOKED_UP_S)
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        #: Killed or stopped.
        self._is_away = True

    def start(self) -> None:
        """Start it, or start it again with what it has."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.starts += 1
        self._is_away = False

    @property
    def pid(self) -> int:
        """Its process, the leader of its group."""
        assert self._process
        return self._process.pid

    def kill(self, signal_number: int = signal.SIGKILL) -> None:
        """Kill it, as when its machine dies; or stop it, and let it go on."""
        assert self._process
        self._process.send_signal(signal_number)
        self._is_away = signal_number != signal.SIGCONT
        if signal_number == signal.SIGKILL:
            self._process.wait()

    def said(self) -> str:
        """Everything it has written so far."""
        return self._log.read_text("utf-8", "replace")

    def wait_ready(self) -> None:
        """Wait until it answers.  Raises WaitedInVain with the end of its log if it does not."""
        try:
            wait_until(self.answers, "the server answers", timeout_s=AGREED_S)
        except WaitedInVain as problem:
            raise WaitedInVain(f"{problem}; its log ends:\n{self.said()[-LOG_CHARS:]}") from None

    def answers(self) -> bool:
        """Say whether it has its data loaded."""
        with contextlib.suppress(redis.RedisError):
            return bool(self.client.ping())
        return False

    def cluster(self, *words: str | int) -> Any:
        """Say something about the cluster to it."""
        return self.client.execute_command("CLUSTER", *words)

    @property
    def id(self) -> str:
        return str(self.cluster("MYID").decode())

    def info(self) -> dict[str, str]:
        """What it knows of the cluster."""
        answer = self.client.execute_command("CLUSTER INFO")
        return dict(answer) if isinstance(answer, dict) else {}

    def is_master(self) -> bool:
        """Whether it takes writes."""
        with contextlib.suppress(redis.RedisError):
            return bool(not self._is_away and self._impatient.info("replication")["role"] == "master")
        return False

    def is_followed(self) -> bool:
        """Whether it has a replica that keeps up."""
        return self._reached() >= 0

    def wait_passed_on(self) -> None:
        """Wait until a replica has all that it has now."""
        now = self.client.info("replication")["master_repl_offset"]
        wait_until(lambda: self._reached() >= now, "a replica has all", timeout_s=AGREED_S)

    def _reached(self) -> int:
        """How far a replica that keeps up is, at least; -1: there is none."""
        found = self.client.info("replication")
        replicas = [found[f"slave{number}"] for number in range(found["connected_slaves"])]
        return max((int(each["offset"]) for each in replicas if each["state"] == "online"), default=-1)

    def _client(self, *, timeout_s: float) -> redis.Redis:
        return redis.Redis(self.address, self.port, socket_timeout=timeout_s, retry=Retry(NoBackoff(), 0))
