"""All that a database holds, read at once, and shown by the commands of a client that only read."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import redis

#: How everything of a key is read, by its type.
_READ: Mapping[str, tuple[str | int, ...]] = {
    "hash": ("HGETALL",),
    "list": ("LRANGE", 0, -1),
    "set": ("SMEMBERS",),
    "stream": ("XRANGE", "-", "+"),
    "string": ("GET",),
    "zset": ("ZRANGE", 0, -1),
}


class StoreContents:
    """The keys of one moment, with their types, lifetimes and values."""

    def __init__(self, client: redis.Redis) -> None:
        names = sorted(key.decode() for key in client.scan_iter(count=1000))
        first = client.pipeline(transaction=False)
        for name in names:
            first.type(name).pttl(name)
        replies = first.execute()
        self.types = {name: type_.decode() for name, type_ in zip(names, replies[::2], strict=True)}
        #: Milliseconds, or below 0 as PTTL says it.
        self.ttls = dict(zip(names, replies[1::2], strict=True))
        there = [name for name in names if self.types[name] != "none"]
        second = client.pipeline(transaction=False)
        for name in there:
            command, *arguments = _READ[self.types[name]]
            second.execute_command(command, name, *arguments)
        self._values = dict(zip(there, second.execute(), strict=True))

    def scan_iter(self, *, match: str, count: int) -> Iterator[bytes]:
        wanted = re.compile(fnmatch.translate(re.sub(r"\\(.)", lambda escaped: f"[{escaped[1]}]", match)))
        return (name.encode() for name in self.types if wanted.fullmatch(name))

    def hgetall(self, key: str) -> dict[bytes, bytes]:
        return self._values.get(key) or {}

    def hget(self, key: str, name: str) -> bytes | None:
        return self.hgetall(key).get(name.encode())

    def hkeys(self, key: str) -> list[bytes]:
        return list(self.hgetall(key))

    def get(self, key: str) -> bytes | None:
        return self._values.get(key)

    def zrange(self, key: str, first: int, last: int) -> Sequence[bytes]:
        return self._all(key, first, last)

    def lrange(self, key: str, first: int, last: int) -> Sequence[bytes]:
        return self._all(key, first, last)

    def xrange(self, key: str, *, count: int | None = None) -> Sequence[tuple[bytes, Any]]:
        return (self._values.get(key) or [])[:count]

    def _all(self, key: str, first: int, last: int) -> Sequence[bytes]:
        assert (first, last) == (0, -1), "only whole values are shown"
        return self._values.get(key) or []
