"""The signs of life of workers."""

from __future__ import annotations

from shared import keys
from shared.memory import even_if_full
from shared.scripts import run
from shared.store import Store

#: A worker not heard of for so long is not there.
ALIVE_MS = 10_000
#: After so long its name is forgotten.
FORGOTTEN_MS = 60_000


class Heartbeats:
    """Which workers are alive."""

    def __init__(self, client: Store) -> None:
        self._client = client

    def beat(self, holder: str, now_ms: int) -> None:
        """Say that a worker is alive."""
        run(
            self._client,
            even_if_full("ZADD", keys.WORKERS, now_ms, holder),
            ("ZREMRANGEBYSCORE", keys.WORKERS, "-inf", now_ms - FORGOTTEN_MS),
        )

    def stop(self, holder: str) -> None:
        """Say that a worker has gone."""
        run(self._client, ("ZREM", keys.WORKERS, holder))

    def alive(self, now_ms: int) -> list[str]:
        """Name the workers heard of lately."""
        [members] = run(self._client, ("ZRANGE", keys.WORKERS, now_ms - ALIVE_MS, "+inf", "BYSCORE"))
        return [member.decode() for member in members]
