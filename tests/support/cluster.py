"""A real Redis Cluster on loopback: three shards, each with a replica, put together through redis-py."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import redis
from redis.crc import key_slot

from deploy.stack.embedded_store import server_binary
from deploy.stack.ports import LOOPBACK, free_port
from shared import keys
from shared.keys import CatalogKeys
from shared.waiting import WaitedInVain, wait_until

SLOTS = 16384
SHARDS = 3
#: Milliseconds after which a server that says nothing is given up by the others, and its replica takes over: where that
#: is what is tested, and where a busy machine must not make it happen.
SOON_MS, LATE_MS = 1_500, 15_000
#: Seconds for the cluster to agree on something, on a busy machine.
AGREED_S = 30.0
#: Of the log of a server that does not start.
LOG_CHARS = 2000

#: The slot of everything that spans catalogs.
SHARED_SLOT = key_slot(keys.BACKLOG.encode())

CONFIG = """
bind {host}
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
save ""
maxmemory {maxmemory}
maxmemory-policy noeviction
daemonize no
"""


def slot_of(catalog_key: str) -> int:
    """The slot in which everything of a catalog lies."""
    return int(key_slot(CatalogKeys(catalog_key).seq.encode()))


class Node:
    """One server of the cluster."""

    def __init__(self, folder: Path, timeout_ms: int, maxmemory: int, server: Path) -> None:
        self._server = server
        self.port, self.bus_port = free_port(LOOPBACK, 0), free_port(LOOPBACK, 0)
        folder.mkdir()
        config = CONFIG.format(
            host=LOOPBACK, port=self.port, bus_port=self.bus_port, timeout_ms=timeout_ms, folder=folder,
            maxmemory=maxmemory,
        )  # fmt: skip
        self._config = folder / "redis.conf"
        self._config.write_text(config, encoding="utf-8")
        self._log = folder / "log"
        self.client = redis.Redis(LOOPBACK, self.port, socket_timeout=5)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again with what it has."""
        with self._log.open("ab") as log:
            command = [self._server, self._config]
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    @property
    def pid(self) -> int:
        """Its process, the leader of its group."""
        assert self._process
        return self._process.pid

    def kill(self, signal_number: int = signal.SIGKILL) -> None:
        """Kill it, as when its machine dies; or stop it, and let it go on."""
        assert self._process
        self._process.send_signal(signal_number)
        if signal_number == signal.SIGKILL:
            self._process.wait()

    def wait_ready(self) -> None:
        """Wait until it answers.  Raises WaitedInVain with the end of its log if it does not."""
        try:
            wait_until(self.answers, "the server answers", timeout_s=AGREED_S)
        except WaitedInVain as problem:
            log = self._log.read_text("utf-8", "replace")
            raise WaitedInVain(f"{problem}; its log ends:\n{log[-LOG_CHARS:]}") from None

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
            return bool(self.client.info("replication")["role"] == "master")
        return False


class Cluster:
    """All servers, and what can be done to them."""

    def __init__(
        self, folder: Path, *, shards: int = SHARDS, replicas: int = 1, timeout_ms: int = LATE_MS,
        maxmemory: int = 2**28, server: Path | None = None,
    ) -> None:  # fmt: skip
        """Prepare; ``replicas`` is for each shard, none or one; ``server`` is the binary if not the embedded one."""
        self._shards, binary = shards, server or server_binary()
        self.nodes = [
            Node(folder / str(number), timeout_ms, maxmemory, binary) for number in range(shards * (1 + replicas))
        ]
        self.url = "redis+cluster://" + ",".join(f"{LOOPBACK}:{node.port}" for node in self.nodes)

    def start(self) -> None:
        """Start the servers and make a cluster of them."""
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.wait_ready()
        first, masters, replicas = self.nodes[0], self.nodes[: self._shards], self.nodes[self._shards :]
        for number, node in enumerate(self.nodes):
            # An epoch of its own for each, so that they need not argue about it.
            node.cluster("SET-CONFIG-EPOCH", number + 1)
            node.cluster("MEET", LOOPBACK, first.port, first.bus_port)
        bounds = [SLOTS * number // self._shards for number in range(self._shards + 1)]
        for node, low, high in zip(masters, bounds, bounds[1:], strict=False):
            node.cluster("ADDSLOTSRANGE", low, high - 1)
        self._agree(lambda info: int(info["cluster_known_nodes"]) == len(self.nodes))
        for master, replica in zip(masters, replicas, strict=False):
            wait_until(lambda one=replica, of=master.id: _follows(one, of), "it follows", timeout_s=AGREED_S)  # type: ignore[misc]
        self.wait_whole()

    def wait_whole(self) -> None:
        """Wait until every slot is served, and every master has a replica that keeps up."""
        self._agree(lambda info: info["cluster_state"] == "ok" and info["cluster_slots_ok"] == str(SLOTS))
        wait_until(self._replicated, "every master has its replica", timeout_s=AGREED_S)

    def master_of(self, slot: int) -> Node:
        """Find who serves a slot."""
        return wait_until(lambda: self._master_of(slot), f"somebody serves slot {slot}", timeout_s=AGREED_S)

    def other_master(self, than: Node) -> Node:
        """Name any other that serves slots."""
        return next(node for node in self.nodes if node is not than and node.is_master())

    def hand_over(self, slot: int, to: Node) -> None:
        """Move a slot with all its keys at once, as Valkey 9 does."""
        source = self.master_of(slot)
        source.cluster("MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", to.id)
        wait_until(lambda: self._master_of(slot) is to, "the slot has moved", timeout_s=AGREED_S)

    def carry_over(self, slot: int, to: Node, *, between: Iterator[None]) -> None:
        """Move a slot key by key, as all servers do; ``between`` is asked for once after each key."""
        source = self.master_of(slot)
        to.cluster("SETSLOT", slot, "IMPORTING", source.id)
        source.cluster("SETSLOT", slot, "MIGRATING", to.id)
        while found := source.cluster("GETKEYSINSLOT", slot, 1):
            source.client.execute_command("MIGRATE", LOOPBACK, to.port, "", 0, 5000, "KEYS", *found)
            next(between, None)
        for node in (to, source):
            node.cluster("SETSLOT", slot, "NODE", to.id)

    def masters(self) -> Sequence[Node]:
        """All that take writes."""
        return [node for node in self.nodes if node.is_master()]

    def end(self) -> None:
        """Kill everything."""
        for node in self.nodes:
            with contextlib.suppress(AssertionError):
                node.kill()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _agree(self, on: Any) -> None:
        wait_until(lambda: all(on(node.info()) for node in self.nodes), "all agree", timeout_s=AGREED_S, every_s=0.1)

    def _master_of(self, slot: int) -> Node | None:
        for node in self.nodes:
            with contextlib.suppress(redis.RedisError):
                for low, high, (_, port, *_rest), *_replicas in node.client.execute_command("CLUSTER SLOTS"):
                    if low <= slot <= high:
                        found = next(each for each in self.nodes if each.port == port)
                        return found if found.is_master() else None
        return None

    def _replicated(self) -> bool:
        replicated = len(self.nodes) > self._shards
        return all(node.client.info("replication")["connected_slaves"] >= replicated for node in self.masters())


def _follows(replica: Node, master_id: str) -> bool:
    with contextlib.suppress(redis.ResponseError):
        replica.cluster("REPLICATE", master_id)
        return True
    return False


@contextlib.contextmanager
def running_cluster(**how: Any) -> Iterator[Cluster]:
    """Run a cluster for a while.  Raises Misconfigured where there is no binary for this machine."""
    folder = Path(tempfile.mkdtemp(prefix="sluice-"))
    cluster = Cluster(folder, **how)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.end()
        shutil.rmtree(folder, ignore_errors=True)
