"""Guard the memory of the store: refuse batches before it is full, and allow small writes that free memory."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis

from shared import keys
from shared.errors import StoreFull
from shared.keys import RESERVED, CatalogKeys
from shared.store import scripts
from shared.store.client import Store, server_of, servers
from shared.store.cluster import ClusterClient
from shared.store.lines import together

#: Above this percentage of its memory, used or reserved for what waits, the store accepts no more batches.
FULL_PERCENT = 80
#: Above this share payloads of ended tasks are deleted early, oldest first over all catalogs.
TRIM_ABOVE = 0.60

#: Size of the random sample of catalogs of a cluster whose reserved memory is read to estimate that of all.
ASKED = 256

#: Seconds for which a measurement of the memory is used to accept a batch, and to refuse one: what was full may be
#: empty by now.
BELIEVED_S = 1.0
REFUSAL_BELIEVED_S = 0.1
#: As BELIEVED_S, for batches of at most this share of the room, and for all where the store has no limit: the script
#: that stores a batch decides, and little was sent in vain if it refuses.  (No script decides on a guard's few rules.)
SMALL_BELIEVED_S = 10.0
SMALL_SHARE = 0.001

_INFO = ("INFO", "memory", "server")
_RESERVED = ("GET", RESERVED)


def reserved_key(store: Store, catalog: CatalogKeys) -> str:
    """Return the key in which a catalog's scripts count the memory that waiting tasks will take.

    One server has one for all catalogs, so submit knows just what is left.  In a cluster a script can write to its
    catalog's slot only.
    """
    return catalog.reserved if isinstance(store, ClusterClient) else RESERVED


class MemoryGuard:
    """Decides, for one process, whether the store accepts more batches; thread-safe.

    The scripts that accept them decide once more, just then.  A refusal here saves their senders and the store work;
    in a cluster it also counts what other catalogs on the same server have reserved, and what was admitted since.
    """

    def __init__(self, client: Store, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock_s = clock_s
        self._looking = threading.Lock()
        self._looked_at = -math.inf
        self._changing = threading.Lock()
        #: Bytes that may still be reserved on each server, None where there is no limit.
        self._rooms: dict[redis.Redis, float | None] = {}
        self._is_lean = False

    @property
    def is_lean(self) -> bool:
        """Whether the servers, as far as known, store small texts as Valkey does from 8.1 on."""
        return self._is_lean

    def admit(self, catalog_key: str, growth: int = 0, *, is_early: bool = False) -> None:
        """Raise StoreFull if so many more bytes, with all that waiting tasks will take, would be too much.

        ``is_early``: this is asked again, with all bytes, before they are reserved.
        """
        self._look_if_older(self._believed_for(growth, is_early=is_early))
        server = server_of(self._client, catalog_key)
        room = self._rooms.get(server)
        if room is not None and growth > room:
            self._look_if_older(REFUSAL_BELIEVED_S)
            room = self._rooms.get(server)
        if room is None:
            return
        if growth > room:
            raise StoreFull(f"{room:.0f} bytes of the store's memory are left, {growth} would be needed")
        if isinstance(self._client, ClusterClient) and not is_early:
            # Until the next look nobody else tells.
            with self._changing:
                # Another look may have found other servers, or no limit, meanwhile.
                if (left := self._rooms.get(server)) is not None:
                    self._rooms[server] = left - growth

    def _believed_for(self, growth: int, *, is_early: bool) -> float:
        """Return the seconds for which what was seen decides on a batch."""
        if isinstance(self._client, ClusterClient):
            return REFUSAL_BELIEVED_S  # no script of a cluster sees it all
        room = self._rooms.get(self._client, 0.0)
        is_small = not is_early and (room is None or growth <= room * SMALL_SHARE)
        return SMALL_BELIEVED_S if is_small else BELIEVED_S

    def _look_if_older(self, believed_s: float) -> None:
        """Look unless somebody looks just now, or has within this time."""
        if self._clock_s() >= self._looked_at + believed_s and self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looking.release()

    def _look(self) -> None:
        memories, reserved = _measure(self._client)
        rooms = {
            server: memory["maxmemory"] * FULL_PERCENT / 100 - memory["used_memory"] - reserved.get(server, 0.0)
            if memory["maxmemory"]
            else None
            for server, memory in memories.items()
        }
        with self._changing:
            self._rooms = dict(rooms)
        self._is_lean = all(map(_is_lean, memories.values()))
        self._looked_at = self._clock_s()


def used_share(client: Store) -> float:
    """Return the used share of the store's memory, in a cluster of the fullest server; 0 without a limit."""
    return max(map(_share, _memories(servers(client))))


def even_if_full(name: str, key: str, *args: scripts.Argument) -> scripts.Command:
    """Turn a small write into one that a full store accepts, because it helps to free memory."""
    return scripts.EVEN_IF_FULL.command(key=key, command=name, arguments=args)


def _measure(client: Store) -> tuple[dict[redis.Redis, Mapping[str, Any]], dict[redis.Redis, float]]:
    """Return what each server says of its memory, and what is reserved on it; one server is asked once."""
    if isinstance(client, ClusterClient):
        asked = servers(client)
        return dict(zip(asked, _memories(asked), strict=True)), _reserved_on(client)
    with together():
        memory, reserved = scripts.run(client, _INFO, _RESERVED)
    return {client: memory}, {client: float(reserved or 0)}


def _memories(asked: Sequence[redis.Redis]) -> list[Mapping[str, Any]]:
    return [scripts.run(server, _INFO)[0] for server in asked]


def _share(memory: Mapping[str, float]) -> float:
    most = memory["maxmemory"]
    return memory["used_memory"] / most if most else 0.0


def _is_lean(info: Mapping[str, Any]) -> bool:
    return tuple(map(int, str(info.get("valkey_version", "0.0")).split(".")[:2])) >= (8, 1)


def reserved_bytes(client: Store) -> float:
    """Return the memory that waiting tasks will take once they are applied, bytes; of a cluster an estimate."""
    return sum(_reserved_on(client).values())


def _reserved_on(client: Store) -> dict[redis.Redis, float]:
    """Return the memory that is reserved on each server; of a cluster exact as long as few catalogs wait."""
    if not isinstance(client, ClusterClient):
        return {client: float(scripts.run(client, _RESERVED)[0] or 0)}
    drawn, catalogs = scripts.run(client, ("ZRANDMEMBER", keys.BACKLOG, ASKED), ("ZCARD", keys.BACKLOG))
    catalog_keys = [key.decode() for key in drawn]
    counts = scripts.run_apart(client, *(("GET", keys.keys_of(key).reserved) for key in catalog_keys))
    share_asked = len(drawn) / max(1, len(drawn), catalogs)
    reserved = Counter[redis.Redis]()
    for key, count in zip(catalog_keys, counts, strict=True):
        reserved[server_of(client, key)] += int(count or 0)
    return {server: bytes_ / share_asked for server, bytes_ in reserved.items()}
