"""The memory of the store: how much of it is used, who is refused when, and what may be written when none is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from shared import keys, scripts
from shared.errors import StoreFull
from shared.store import Store, servers

#: Above this share of its memory, used or soon to be, the store takes no more batches.
REFUSE_ABOVE = 0.75
#: Above this share payloads of ended tasks are let go of before their time, over all catalogs the oldest first.
TRIM_ABOVE = 0.60

#: What a byte of a waiting payload, which is compressed, becomes once it is applied, and what each entry adds.
#: Measured with generated catalogues: 4 to 5, and 130.
APPLIED_BYTES = 5
APPLIED_BYTES_PER_ENTRY = 130
#: So many catalogs with a backlog are asked what waits in them, drawn by lot; they stand for the others.
ASKED = 256

#: Seconds for which a look at the memory is believed; a full store is looked at more often, it may have room again.
BELIEVED_S = 1.0
FULL_BELIEVED_S = 0.1


class Room:
    """Whether the store takes more batches, as one process sees it; safe for threads."""

    def __init__(self, client: Store, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock_s = clock_s
        self._looking = threading.Lock()
        self._counting = threading.Lock()
        self._look_at = 0.0
        #: Bytes of all servers; 0 is no limit.
        self._most = 0.0
        self._share = 0.0

    def take(self, payload_bytes: int = 0, entries: int = 0) -> None:
        """Count in a batch, unless the store is past 75 % of its memory with what all waiting payloads will become.

        Raises StoreFull then.  Between two looks only what this process took is known.
        """
        if self._clock_s() >= self._look_at and self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looking.release()
        with self._counting:
            if self._share > REFUSE_ABOVE:
                raise StoreFull(f"{self._share:.0%} of the store's memory are taken")
            if self._most:
                self._share += (payload_bytes + _applied(payload_bytes, entries)) / self._most

    def _look(self) -> None:
        memories = _memories(self._client, _to_come(self._client))
        share = max(map(_share, memories))
        with self._counting:
            self._share, self._most = share, sum(memory["maxmemory"] for memory in memories)
        self._look_at = self._clock_s() + (FULL_BELIEVED_S if share > REFUSE_ABOVE else BELIEVED_S)


def used_share(client: Store) -> float:
    """Tell how much of its memory the store has used, of a cluster the fullest server; 0 if it has no limit."""
    return max(map(_share, _memories(client, 0)))


def even_if_full(name: str, key: str, *args: scripts.Argument) -> scripts.Command:
    """Make a small write one that a store without memory takes: it helps to make room."""
    return scripts.EVEN_IF_FULL.command((key,), (name, *args))


def _memories(client: Store, to_come: float) -> list[Mapping[str, Any]]:
    """Ask each server; what is to come is divided among them."""
    found = [scripts.run(server, ("INFO", "memory"))[0] for server in servers(client)]
    return [{**memory, "to_come": to_come / len(found)} for memory in found]


def _share(memory: Mapping[str, float]) -> float:
    most = memory["maxmemory"]
    return (memory["used_memory"] + memory["to_come"]) / most if most else 0.0


def _to_come(client: Store) -> float:
    """Estimate the bytes that everything waiting will take once it is applied, beside its payloads."""
    drawn, catalogs = scripts.run(client, ("ZRANDMEMBER", keys.BACKLOG, ASKED), ("ZCARD", keys.BACKLOG))
    if not drawn:
        return 0.0
    waiting = [keys.CatalogKeys(key.decode()).waiting for key in drawn]
    counts = scripts.run_apart(client, *(("HMGET", key, "bytes", "entries") for key in waiting))
    payload_bytes, entries = (sum(int(each or 0) for each in column) for column in zip(*counts, strict=True))
    share_asked: float = len(drawn) / max(len(drawn), catalogs)
    return _applied(payload_bytes, entries) / share_asked


def _applied(payload_bytes: int, entries: int) -> int:
    return payload_bytes * APPLIED_BYTES + entries * APPLIED_BYTES_PER_ENTRY
