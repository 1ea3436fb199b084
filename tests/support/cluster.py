"""A real Redis Cluster: three shards, each with a replica, put together through redis-py."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import redis
from redis.crc import key_slot

from deploy.stack.embedded_store import server_binary
from shared import keys
from shared.keys import CatalogKeys
from shared.waiting import wait_until
from tests.support.cluster_node import AGREED_S, Node
from tests.support.hosts import Host

SLOTS = 16384
SHARDS = 3
#: Milliseconds after which a server that says nothing is given up by the others, and its replica takes over: where that
#: is what is tested, and where a busy machine must not make it happen.
SOON_MS, LATE_MS = 1_500, 15_000

#: The slot of everything that spans catalogs.
SHARED_SLOT = key_slot(keys.BACKLOG.encode())


def slot_of(catalog_key: str) -> int:
    """The slot in which everything of a catalog lies."""
    return int(key_slot(CatalogKeys(catalog_key).seq.encode()))


class Cluster:
    """All servers, and what can be done to them."""

    def __init__(
        self, folder: Path, *, shards: int = SHARDS, replicas: int = 1, timeout_ms: int = LATE_MS,
        maxmemory: int = 2**28, durability: str = "everysec", server: Path | None = None, hosts: Sequence[Host] = (),
    ) -> None:  # fmt: skip
        """Prepare.

        ``replicas`` is for each shard, none or one; ``server`` is the binary if not the embedded one; ``hosts`` are
        where its servers run, one on each, if not on loopback.
        """
        self._shards, binary = shards, server or server_binary()
        self.nodes = [
            Node(
                folder / str(number), timeout_ms=timeout_ms, maxmemory=maxmemory, durability=durability, server=binary,
                host=hosts[number] if hosts else None,
            )
            for number in range(shards * (1 + replicas))
        ]  # fmt: skip
        self.url = "redis+cluster://" + ",".join(f"{node.address}:{node.port}" for node in self.nodes)

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
            node.cluster("MEET", first.address, first.port, first.bus_port)
        bounds = [SLOTS * number // self._shards for number in range(self._shards + 1)]
        for node, low, high in zip(masters, bounds, bounds[1:], strict=False):
            node.cluster("ADDSLOTSRANGE", low, high - 1)
        self._agree(lambda info: int(info["cluster_known_nodes"]) == len(self.nodes))
        for master, replica in zip(masters, replicas, strict=False):
            wait_until(lambda one=replica, of=master.id: _follows(one, of), "it follows", timeout_s=AGREED_S)  # type: ignore[misc]
        self.wait_whole()

    def wait_whole(self) -> None:
        """Wait until it is whole."""
        wait_until(self.is_whole, "the cluster is whole", timeout_s=AGREED_S, every_s=0.1)

    def is_whole(self) -> bool:
        """Whether every server knows that every slot is served, and every master has a replica that keeps up."""
        with contextlib.suppress(redis.RedisError):
            masters = self.masters()
            return (
                all(_is_served(node.info()) for node in self.nodes)
                and len(masters) == self._shards
                and (len(self.nodes) == self._shards or all(master.is_followed() for master in masters))
            )
        return False

    def master_of(self, slot: int) -> Node:
        """Find who serves a slot."""
        return wait_until(lambda: self._master_of(slot), f"somebody serves slot {slot}", timeout_s=AGREED_S)

    def other_master(self, than: Node) -> Node:
        """Name any other that serves slots."""
        return next(node for node in self.nodes if node is not than and node.is_master())

    def hand_over(self, slot: int, to: Node) -> None:
        """Move a slot with all its keys at once, as Valkey 9 does."""
        self.begin_to_hand_over(slot, to)
        wait_until(lambda: self._master_of(slot) is to, "the slot has moved", timeout_s=AGREED_S)

    def begin_to_hand_over(self, slot: int, to: Node) -> None:
        """Begin, and let the servers go on with it."""
        self.master_of(slot).cluster("MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", to.id)

    def carry_over(self, slot: int, to: Node, *, between: Iterator[None]) -> None:
        """Move a slot key by key, as all servers do; ``between`` is asked for once after each key."""
        journey = SlotJourney(slot, self.master_of(slot), to)
        while journey.carry(1):
            next(between, None)
        journey.end()

    def replica_of(self, master: Node) -> Node:
        """Find who follows a master."""
        port = next(int(line.split(b"@")[0].rpartition(b":")[2]) for line in master.cluster("REPLICAS", master.id))
        return next(node for node in self.nodes if node.port == port)

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


class SlotJourney:
    """A slot on its way to another server, key by key; until its end, its keys are here and there."""

    #: Keys that go together.
    AT_ONCE = 100

    def __init__(self, slot: int, source: Node, to: Node) -> None:
        """Begin."""
        self._slot, self._source, self._to = slot, source, to
        to.cluster("SETSLOT", slot, "IMPORTING", source.id)
        source.cluster("SETSLOT", slot, "MIGRATING", to.id)

    def carry(self, count: int) -> bool:
        """Move some keys; says whether there were any left."""
        found = self._source.cluster("GETKEYSINSLOT", self._slot, count)
        if found:
            there = (self._to.address, self._to.port)
            self._source.client.execute_command("MIGRATE", *there, "", 0, 5000, "KEYS", *found)
        return bool(found)

    def end(self) -> None:
        """Move what is left, and tell everybody; after an error, once more."""
        while self.carry(self.AT_ONCE):
            pass
        for node in (self._to, self._source):
            node.cluster("SETSLOT", self._slot, "NODE", self._to.id)


def _is_served(info: Mapping[str, str]) -> bool:
    return info["cluster_state"] == "ok" and info["cluster_slots_ok"] == str(SLOTS)


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
