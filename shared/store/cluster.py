"""Route commands to the servers of a Redis Cluster.

All keys of a catalog are in one slot, and so are all keys across catalogs.  A slot may move to another server, or its
server be replaced by a replica, at any moment.  Any command may be sent again, see `shared.store.scripts.run`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.cluster import ClusterNode, RedisCluster
from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, ReadOnlyError, RedisClusterException, TryAgainError

from shared.elsewhere import elsewhere
from shared.errors import StoreUnavailable
from shared.store.wire import Command
from shared.waiting import WaitedInVain, wait_until

#: Seconds for which rejected commands are repeated: longer than moving a slot takes; a server's replacement takes
#: longer still and is left to another call.
TURNED_AWAY_S = 1.0
#: Seconds between two attempts.
AGAIN_EVERY_S = 0.02

#: Errors of a server that does not serve a slot, or not any more, or not yet.
_TURNED_AWAY = (AskError, ClusterDownError, ReadOnlyError, TryAgainError, redis.ConnectionError, RedisClusterException)

#: Sends commands to one server in one round trip.
Transmit = Callable[[redis.Redis, Sequence[Command]], list[Any]]


class ClusterClient:
    """The client of a Redis Cluster.  Every call raises StoreUnavailable if a needed server does not serve."""

    def __init__(self, url: str, **options: Any) -> None:
        """Prepare; ``redis://`` or ``rediss://`` with one or more hosts, separated by commas.  Nothing is sent yet.

        Raises ValueError for another kind of URL.
        """
        scheme, _, rest = url.partition("://")
        place, slash, path = rest.partition("/")
        login, at, hosts = place.rpartition("@")
        first, *others = hosts.split(",")
        self._url = f"{scheme}://{login}{at}{first}{slash}{path}"
        self._others = [host_and_port(each) for each in others]
        self._options = options
        self._guard = threading.Lock()
        self._cluster: RedisCluster | None = None

    def send(self, commands: Sequence[Command], transmit: Transmit) -> list[Any]:
        """Send commands in order, those of one slot in one round trip; returns their replies."""
        replies: list[Any] = []
        for slot, run in groupby(zip(_slots(commands), commands, strict=True), key=lambda pair: pair[0]):
            replies += self._send_to(slot, [command for _, command in run], transmit)
        return replies

    def send_apart(self, commands: Sequence[Command], transmit: Transmit) -> list[Any]:
        """Send commands in one round trip to each server; only those of one slot keep their order."""
        slots, servers = _slots(commands), list[redis.Redis]()
        try:
            servers = [self._server(slot) for slot in slots]
            found: dict[int, Any] = {}
            for server in set(servers):
                mine = [number for number, each in enumerate(servers) if each is server]
                found.update(zip(mine, transmit(server, [commands[number] for number in mine]), strict=True))
            return [found[number] for number in range(len(commands))]
        except _TURNED_AWAY:
            return [self._send_to(slot, [each], transmit)[0] for slot, each in zip(slots, commands, strict=True)]

    def servers(self) -> list[redis.Redis]:
        """List a client for each server that serves slots."""
        try:
            cluster = self._connected()
        except RedisClusterException as error:
            raise StoreUnavailable(f"the cluster does not answer: {error}") from error
        return [cluster.get_redis_connection(node) for node in cluster.get_primaries()]  # type: ignore[no-untyped-call]

    def server_of(self, key: str) -> redis.Redis:
        """Return the server that currently has a key."""
        try:
            return self._server(key_slot(key.encode()))
        except RedisClusterException as error:
            raise StoreUnavailable(f"the cluster does not answer: {error}") from error

    def _send_to(self, slot: int, commands: Sequence[Command], transmit: Transmit) -> list[Any]:
        """Send commands of one slot to its server, and again while the slot moves."""
        turned_away: list[Exception] = []

        def attempt() -> list[Any] | None:
            try:
                return transmit(self._server(slot), commands)
            except _TURNED_AWAY as error:
                turned_away.append(error)
                self._look_around()
                return None
            except redis.TimeoutError:
                # It may hang for long: later calls should not ask it.
                self._look_around()
                raise

        try:
            return wait_until(attempt, "the slot is served", timeout_s=TURNED_AWAY_S, every_s=AGAIN_EVERY_S) or []
        except WaitedInVain:
            raise StoreUnavailable(f"the cluster does not serve slot {slot}: {turned_away[-1]}") from turned_away[-1]

    def _server(self, slot: int) -> redis.Redis:
        cluster = self._connected()
        return cluster.get_redis_connection(cluster.nodes_manager.get_node_from_slot(slot))

    def _connected(self) -> RedisCluster:
        cluster = self._cluster  # read once: another thread may drop it
        return elsewhere(self._connect) if cluster is None else cluster

    def _connect(self) -> RedisCluster:
        with self._guard:
            if self._cluster is None:
                self._cluster = RedisCluster(
                    url=self._url,
                    startup_nodes=[ClusterNode(*each) for each in self._others],  # type: ignore[no-untyped-call]
                    # A catalog whose server is up must not wait for one whose server is down.
                    require_full_coverage=False,
                    **self._options,
                )
            return self._cluster

    def _look_around(self) -> None:
        """Refresh the map of slots; if no server answers, start again with those of the URL."""
        cluster = self._cluster
        if cluster is None:
            return
        try:
            elsewhere(lambda: cluster.nodes_manager.initialize(disconnect_startup_nodes_pools=False))
        except RedisClusterException:
            self._cluster = None


def host_and_port(text: str) -> tuple[str, int]:
    """Read ``host:port``.  Raises ValueError."""
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.port is None:
        raise ValueError(f"{text!r} is not host:port")
    return parts.hostname, parts.port


def _slots(commands: Sequence[Command]) -> list[int]:
    """Name the slot of each command: MULTI goes with the command after it, what else names no key with the one before.

    So EXEC ends where its MULTI began, and WAIT and WAITAOF wait for what was just written.
    """
    slots = [_slot(command) for command in commands]
    for number, slot in enumerate(slots):
        if slot is None and commands[number][0] != "MULTI":
            slots[number] = slots[number - 1]
    for number in reversed(range(len(slots))):
        if slots[number] is None:
            slots[number] = slots[number + 1]
    return [slot for slot in slots if slot is not None]


def _slot(command: Command) -> int | None:
    if command[0] in ("MULTI", "EXEC", "WAIT", "WAITAOF"):
        return None
    key = command[{"EVALSHA": 3, "MEMORY": 2}.get(str(command[0]), 1)]
    return key_slot(str(key).encode())
