"""The floor: what one process can bring into the store at all.  No HTTP, no check, no queue, no index, no status."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
import redis

from tests.benchmarks.store import empty

#: Commands that go out in one round trip.
DEEP = 4


class _Body(msgspec.Struct):
    items: list[msgspec.Raw]


class _Named(msgspec.Struct):
    id: str


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_named = msgspec.json.Decoder(_Named).decode


class Floor:
    """One process with redis-py and hiredis: splits the bodies and writes the entries."""

    name = "floor"

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url)

    def put(self, bodies: Sequence[bytes], seconds: float) -> float:
        """Write bodies over and over, as HSET of 1,000 raw entries, four of them a round trip; entries a second."""
        empty(self._client)
        start, number, written = time.perf_counter(), 0, 0
        while time.perf_counter() - start < seconds:
            with self._client.pipeline(transaction=False) as pipeline:
                while len(pipeline) < DEEP:
                    entries = _decode_body(bodies[number % len(bodies)]).items
                    for first in range(0, len(entries), 1000):
                        some = entries[first : first + 1000]
                        pipeline.hset("floor", mapping={_decode_named(entry).id: bytes(entry) for entry in some})
                    written += len(entries)
                    number += 1
                pipeline.execute()
        return written / (time.perf_counter() - start)

    def close(self) -> None:
        self._client.close()
