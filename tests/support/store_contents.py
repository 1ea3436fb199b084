"""All that a database holds, read at once, and shown as a client shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import redis

from shared.store import wire
from shared.store.wire import Command

#: Commands of one round trip: after chaos there are a hundred thousand keys.
AT_A_TIME = 2_000

#: How everything of a key is read, by its type.
_READ: Mapping[str, tuple[str | int, ...]] = {
    "hash": ("HGETALL",),
    "list": ("LRANGE", 0, -1),
    "set": ("SMEMBERS",),
    "stream": ("XRANGE", "-", "+"),
    "string": ("GET",),
    "zset": ("ZRANGE", 0, -1),
}


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()


def _ask(client: redis.Redis, commands: Sequence[Command]) -> list[Any]:
    """Send many commands at a time; one server is asked without what redis-py does around each command."""
    if isinstance(client, redis.Redis):
        parts = (commands[first : first + AT_A_TIME] for first in range(0, len(commands), AT_A_TIME))
        return [reply for part in parts for reply in wire.exchange(client, part)]
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    return list(pipeline.execute())


def _names(client: redis.Redis) -> Iterable[bytes]:
    return (
        wire.exchange(client, [("KEYS", "*")])[0] if isinstance(client, redis.Redis) else client.scan_iter(count=1000)
    )


class StoreContents:
    """The keys of one moment, with their types, lifetimes and values."""

    def __init__(self, client: redis.Redis) -> None:
        names = sorted(key.decode() for key in _names(client))
        replies = _ask(client, [command for name in names for command in (("TYPE", name), ("PTTL", name))])
        self.types = {name: _text(type_) for name, type_ in zip(names, replies[::2], strict=True)}
        #: Milliseconds, or below 0 as PTTL says it.
        self.ttls = dict(zip(names, replies[1::2], strict=True))
        there = [name for name in names if self.types[name] != "none"]
        looks = [(command, name, *arguments) for name in there for command, *arguments in [_READ[self.types[name]]]]
        self._values = dict(zip(there, _ask(client, looks), strict=True))

    def names(self, prefix: str) -> list[str]:
        """List the keys that begin so."""
        return [name for name in self.types if name.startswith(prefix)]

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
