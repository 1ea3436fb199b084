"""Sluice on a Redis Cluster, with a broker of its own: as it runs where one server is too small."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import cast

import redis
from redis.cluster import RedisCluster

from deploy.stack.services import Name
from shared.doorbell import broker_url_for
from tests.benchmarks.sluice_system import Sluice
from tests.benchmarks.store import Store
from tests.support.cluster import Cluster


class SluiceOnCluster(Sluice):
    """The stack of `make up` with another store; ingress and worker have so many processes."""

    name = "Sluice on a cluster"

    def __init__(self, folder: Path, catalog_keys: Iterable[str], *, shards: int, workers: int) -> None:
        folder.mkdir()
        (folder / "broker").mkdir()
        self._broker = Store(folder / "broker")
        self._cluster = Cluster(folder, shards=shards, replicas=0)
        super().__init__(
            folder / "stack", catalog_keys, SLUICE_REDIS_URL=self._cluster.url,
            SLUICE_BROKER_URL=broker_url_for(self._broker.url), SLUICE_WORKERS=str(workers),
        )  # fmt: skip

    def start(self) -> None:
        self._cluster.start()
        self._stack.start()
        first = self._cluster.nodes[0]
        self.store = cast(redis.Redis, RedisCluster("127.0.0.1", first.port))
        pids = self._stack.pids()
        self._groups = {"ingress": pids[Name.INGRESS], "worker": pids[Name.WORKER], "broker": self._broker.group}
        self._groups |= {f"store {number}": node.pid for number, node in enumerate(self._cluster.nodes)}

    def stop(self) -> None:
        super().stop()
        self._cluster.end()
        self._broker.stop()
