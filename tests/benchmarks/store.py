"""A store server with the configuration that ships, for the systems that are not ours and for the floor."""

from __future__ import annotations

from pathlib import Path

import redis

from deploy.stack import embedded_store
from deploy.stack.allocator import MALLOC
from shared.waiting import wait_until
from tests.benchmarks.processes import Process, wait_ready

#: Seconds that writing a log anew may take.
LOG_TIMEOUT_S = 120.0


class Store:
    """A running valkey-server: the same binary, append-only file, limits and environment as Sluice's own."""

    def __init__(self, folder: Path) -> None:
        socket_path = folder / "store.sock"
        self.url = embedded_store.store_url(socket_path)
        config = embedded_store.write_config(folder / "store", socket_path)
        command = [str(embedded_store.server_binary()), str(config)]
        self._process = Process("store", command, folder, environ={**embedded_store.environ(), **MALLOC})
        wait_ready(lambda: embedded_store.answers(socket_path), self._process, "the store answers")

    @property
    def group(self) -> int:
        return self._process.group

    def stop(self) -> None:
        self._process.stop()


def empty(client: redis.Redis) -> None:
    """Remove the data, and start the append-only file anew."""
    client.flushdb()
    wait_freed(client)
    rewrite_log(client)


def wait_freed(client: redis.Redis) -> None:
    """Wait until the memory of what was removed is free: that goes on behind, and takes a core."""

    def freed() -> bool:
        return not client.info("memory")["lazyfree_pending_objects"]

    wait_until(freed, "memory is freed", timeout_s=60)


def rewrite_log(client: redis.Redis) -> None:
    """Write the append-only file anew and wait for it: the next time it is due, it is due for all alike."""
    _wait_log_written(client)
    client.bgrewriteaof()
    _wait_log_written(client)


def _wait_log_written(client: redis.Redis) -> None:
    def written() -> bool:
        found = client.info("persistence")
        return not found["aof_rewrite_in_progress"] and not found["aof_rewrite_scheduled"]

    wait_until(written, "the append-only file is written", timeout_s=LOG_TIMEOUT_S, every_s=0.01)
