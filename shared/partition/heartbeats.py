"""Heartbeats of the workers."""

from __future__ import annotations

from shared import keys
from shared.store.client import Store
from shared.store.id_writes import note_run
from shared.store.memory import even_if_full
from shared.store.scripts import run

#: A worker without a heartbeat for this long counts as gone.
ALIVE_MS = 10_000
#: Its name is forgotten after this long.
FORGOTTEN_MS = 60_000


class Heartbeats:
    """The workers that are alive."""

    def __init__(self, client: Store) -> None:
        self._client = client

    def beat(self, holder: str, now_ms: int) -> None:
        """Record a heartbeat of a worker, and with it that the store is alive."""
        note_run(self._client)
        run(
            self._client,
            even_if_full("ZADD", keys.WORKERS, now_ms, holder),
            ("ZREMRANGEBYSCORE", keys.WORKERS, "-inf", now_ms - FORGOTTEN_MS),
        )

    def stop(self, holder: str) -> None:
        """Record that a worker has stopped."""
        run(self._client, ("ZREM", keys.WORKERS, holder))

    def alive(self, now_ms: int) -> list[str]:
        """List the workers that are alive."""
        [members] = run(self._client, ("ZRANGE", keys.WORKERS, now_ms - ALIVE_MS, "+inf", "BYSCORE"))
        return [member.decode() for member in members]
