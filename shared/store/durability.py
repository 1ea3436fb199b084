"""Durability: check that the store keeps its data as SLUICE_DURABILITY promises."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import redis

from shared import keys
from shared.elsewhere import elsewhere
from shared.errors import Misconfigured, StoreFull, StoreUnavailable
from shared.store.client import Store, check_server, servers, store_errors
from shared.store.scripts import TRY_RIGHTS, run

#: SLUICE_DURABILITY: the server settings that it requires.
NEEDED: dict[str, dict[str, str]] = {"everysec": {}, "fsync": {"appendonly": "yes", "appendfsync": "always"}}


def check_store(store: Store, durability: str) -> list[str]:
    """Return warnings for the operator, one sentence each; empty if all is well.

    Raises Misconfigured if a server of it is too old, a replica, may drop what was accepted, refuses what has to be
    done with it, or could lose more than the setting allows.  Raises StoreUnavailable if it cannot be reached.
    """
    warnings = [warning for server in servers(store) for warning in _look_at(server)]
    check_server(store)
    check_durability(store, durability)
    _try_rights(store)
    return list(dict.fromkeys(warnings))


def _look_at(server: redis.Redis) -> Iterator[str]:
    """Raise Misconfigured if a server loses what it is given while it runs; yield what it may lose otherwise."""
    try:
        with store_errors():
            info: dict[str, Any] = {}
            for section in ("replication", "memory", "persistence"):
                info |= server.info(section)
    except redis.ResponseError as error:
        raise Misconfigured(f"the Redis server does not tell how it is set up, which it must: {error}") from error
    if info["role"] != "master":
        master = f"{info.get('master_host')}:{info.get('master_port')}"
        raise Misconfigured(
            f"the Redis server is a replica of {master} and takes no writes: name the master, or use redis+sentinel://"
        )
    policy, maxmemory = info["maxmemory_policy"], info["maxmemory"]
    if maxmemory and policy != "noeviction":
        raise Misconfigured(
            f"the Redis server has maxmemory-policy {policy}: when its memory is full it would drop what was accepted; "
            "set noeviction there"
        )
    if not maxmemory:
        yield "no maxmemory is set: a full store is not noticed before the machine is out of memory"
    if not info["aof_enabled"]:
        yield "it has no append-only file: what was accepted is gone when it ends (appendonly yes)"
    elif _configured(server, "appendfsync") == "no":
        yield "it writes out when the system likes: a crash may lose half a minute (appendfsync everysec)"


def _try_rights(store: Store) -> None:
    try:
        # Catalogs lie under another name, for which rules may be others.
        for trial in (keys.TRIAL, keys.CatalogKeys("trial").nonce("trial")):
            run(store, TRY_RIGHTS.command(trial=trial, text="a"))
    except StoreFull:
        return
    except redis.ResponseError as error:
        raise Misconfigured(
            f"the Redis server forbids what Sluice has to do ({error}): its user needs the keys sluice:* and "
            "{sluice}:*, and +@all -@dangerous +info"
        ) from error


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
        """Raise StoreUnavailable as long as the store is not known to keep what it is given, as was promised."""
        if self._kept.is_set():
            return
        try:
            elsewhere(lambda: check_store(self._store, self._durability))
        except Misconfigured as problem:
            raise StoreUnavailable(str(problem)) from problem
        self._kept.set()
