"""The floor: what one process can do to the store by itself.  No HTTP, no check, no queue, no index, no status."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import cycle

import msgspec
import redis

from shared.store.client import READ_BYTES
from tests.benchmarks.store import empty
from workers.apply.columns import merge_columns

#: Commands that go out in one round trip.
DEEP = 4

_KEY = "floor"


class _Body(msgspec.Struct):
    items: list[msgspec.Raw]


class _Named(msgspec.Struct):
    id: str


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_named = msgspec.json.Decoder(_Named).decode


class Floor:
    """One process with redis-py and hiredis: splits the bodies and does what they say, four commands a trip or more.

    One thing after the other: while it waits for the store, nobody works.
    """

    name = "floor"

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url, socket_read_size=READ_BYTES)

    def put(self, bodies: Sequence[bytes], seconds: float) -> float:
        """Write bodies over and over, from empty, as HSET of 1,000 raw entries; entries a second."""
        empty(self._client)
        return self._repeat(bodies, seconds, self._write)

    def patch(self, bodies: Sequence[bytes], seconds: float) -> float:
        """Merge bodies over and over into what is there: HMGET of 1,000, all merged at once, HSET of them whole."""
        return self._repeat(bodies, seconds, self._merge)

    def delete(self, bodies: Sequence[bytes]) -> float:
        """Delete the entries of bodies, as HDEL of 1,000."""
        start, deleted = time.perf_counter(), 0
        for first in range(0, len(bodies), DEEP):
            some = [entries for body in bodies[first : first + DEEP] for entries in _split(body)]
            with self._client.pipeline(transaction=False) as pipeline:
                for entries in some:
                    pipeline.hdel(_KEY, *entries)
                pipeline.execute()
            deleted += sum(map(len, some))
        return deleted / (time.perf_counter() - start)

    def close(self) -> None:
        self._client.close()

    def _repeat(self, bodies: Sequence[bytes], seconds: float, do: Callable[[list[dict[str, bytes]]], None]) -> float:
        """Do something with four times 1,000 entries or more, and again with the next; entries a second."""
        start, done, waiting = time.perf_counter(), 0, list[dict[str, bytes]]()
        for body in cycle(bodies):
            waiting += _split(body)
            if len(waiting) >= DEEP:
                do(waiting)
                done += sum(map(len, waiting))
                waiting.clear()
                if time.perf_counter() - start > seconds:
                    break
        return done / (time.perf_counter() - start)

    def _write(self, some: list[dict[str, bytes]]) -> None:
        with self._client.pipeline(transaction=False) as pipeline:
            for entries in some:
                pipeline.hset(_KEY, mapping=entries)
            pipeline.execute()

    def _merge(self, some: list[dict[str, bytes]]) -> None:
        with self._client.pipeline(transaction=False) as pipeline:
            for entries in some:
                pipeline.hmget(_KEY, list(entries))
            stored = pipeline.execute()
        for before, sent in zip(stored, some, strict=True):
            first, *_ = sent.values()
            after = merge_columns(before, b"[%b]" % b",".join(sent.values()), first)
            assert after is not None, "these PATCHes set two fields of what is there"
            sent.update(zip(sent, after, strict=True))
        self._write(some)


def _split(body: bytes) -> list[dict[str, bytes]]:
    """Take a body apart: entries by id, 1,000 at a time."""
    entries = _decode_body(body).items
    return [
        {_decode_named(entry).id: bytes(entry) for entry in entries[first : first + 1000]}
        for first in range(0, len(entries), 1000)
    ]
