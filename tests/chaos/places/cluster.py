"""A cluster of three masters and three replicas, beside a broker of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redis

from deploy.stack.ports import LOOPBACK
from shared.store.cluster import ClusterClient
from tests.chaos.places.place import IMPATIENT_S
from tests.support.cluster import SOON_MS, Cluster
from tests.support.hosts import Host

SERVERS = 6
#: Members of the fleet that run on hosts of their own, where there are hosts.
AWAY = ("ingress-1", "worker-1")
MAXMEMORY = 512 * 1024**2


class ClusterStore:
    """The cluster of a fleet that answers only what a replica has, too, so that no answer may be lost."""

    #: Some wait for a server that is away, while others go on.
    producers = 16
    #: What a lost master had not passed on is done again.
    may_repeat = True

    def __init__(self, folder: Path, hosts: Sequence[Host]) -> None:
        """Prepare; without ``hosts``, one for each server and each that is away, all is on loopback."""
        folder.mkdir()
        self.cluster = Cluster(
            folder, timeout_ms=SOON_MS, durability="fsync", maxmemory=MAXMEMORY, hosts=hosts[:SERVERS]
        )
        self.here = hosts[0].gateway if hosts else LOOPBACK
        self.away = dict(zip(AWAY, hosts[SERVERS:], strict=False))
        self.fleet: dict[str, Any] = {
            "redis_url": self.cluster.url, "min_replicas": 1, "durability": "fsync", "hosts": self.away,
        }  # fmt: skip

    def connect(self) -> ClusterClient:
        url = self.cluster.url.replace("redis+cluster", "redis")
        return ClusterClient(url, socket_connect_timeout=IMPATIENT_S, socket_timeout=IMPATIENT_S)

    def servers(self) -> Sequence[redis.Redis]:
        return [node.client for node in self.cluster.masters()]

    def wait_whole(self) -> None:
        self.cluster.wait_whole()

    def starts(self) -> dict[str, int]:
        return {f"server-{number}": node.starts for number, node in enumerate(self.cluster.nodes)}

    def findings(self) -> list[str]:
        replaced = sum(node.said().count("Failover election won") for node in self.cluster.nodes)
        where = f"the servers, {' and '.join(AWAY)} on hosts of their own" if self.away else "everything on one host"
        return [f"replicas that took over: {replaced}; {where}"]

    def end(self) -> None:
        self.cluster.end()
