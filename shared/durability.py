"""Durability: whether the store writes out what it answers as SLUICE_DURABILITY promises."""

from __future__ import annotations

import threading

import redis

from shared.errors import Misconfigured, StoreUnavailable
from shared.store import Store, servers, store_errors

#: SLUICE_DURABILITY → how the server must be set, at least.
NEEDED: dict[str, dict[str, str]] = {"everysec": {}, "fsync": {"appendonly": "yes", "appendfsync": "always"}}


def check_durability(store: Store, durability: str) -> None:
    """Raise Misconfigured if a server of the store could lose more than the setting allows, or does not tell.

    Raises StoreUnavailable if it cannot be reached.
    """
    for name, needed in NEEDED[durability].items():
        for server in servers(store):
            if (found := _configured(server, name)) != needed:
                has = "does not tell" if found is None else f"has {name} {found}"
                raise Misconfigured(
                    f"SLUICE_DURABILITY={durability} needs {name} {needed} in the Redis server, which {has}: "
                    "set it there, or SLUICE_DURABILITY=everysec here"
                )


def _configured(server: redis.Redis, name: str) -> str | None:
    with store_errors():
        try:
            return server.config_get(name).get(name)
        except redis.ResponseError:
            # Servers that others operate often forbid to ask.
            return None


class Durability:
    """The check as those make it who answer writes: once, whenever the store is first there; safe for threads."""

    def __init__(self, store: Store, durability: str) -> None:
        self._store = store
        self._durability = durability
        self._kept = threading.Event()

    def check(self) -> None:
        """Raise StoreUnavailable as long as the store is not known to be as durable as was promised."""
        if self._kept.is_set():
            return
        try:
            check_durability(self._store, self._durability)
        except Misconfigured as problem:
            raise StoreUnavailable(str(problem)) from problem
        self._kept.set()
