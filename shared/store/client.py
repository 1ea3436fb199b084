"""Connect to Redis or Valkey, and translate its errors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from shared.errors import BadSetting, Misconfigured, StoreFull, StoreUnavailable
from shared.keys import keys_of
from shared.store.cluster import ClusterClient, host_and_port

#: The oldest supported server: it has scripts with flags, COPY, ZMSCORE.
OLDEST_SERVER = (7, 0)

#: Seconds to wait for a connection; a server on the same network answers in milliseconds or not at all.
CONNECT_TIMEOUT_S = 1.0
#: Seconds to wait for an answer; no call of ours takes more than milliseconds.
ANSWER_TIMEOUT_S = 5.0
#: How often a call is repeated when its connection broke; safe, since every script recognizes a repeat.  A call without
#: an answer in time is not repeated: a hanging server would block every thread for longer.
RETRIES = 2
#: Bytes per read: the entries of a PATCH are half a megabyte.
READ_BYTES = 262_144
#: Most connections that a client may ever make: each thread has its own, and redis-py would go on counting those of
#: threads that are gone.
CONNECTIONS = 2**31
#: Longest duration of a call in seconds, with all retries; on a line (`shared.store.lines`) it may be a try longer.
LONGEST_CALL_S = (RETRIES + 1) * (CONNECT_TIMEOUT_S + ANSWER_TIMEOUT_S) + 1


#: A client of one server (possibly found by Sentinel) or of a cluster.
Store = redis.Redis | ClusterClient

_CLUSTER, _SENTINEL = "+cluster", "+sentinel"


class BadStoreUrl(BadSetting, ValueError):
    """The URL of the store is invalid; the text leaves it out, as it may have a password."""


def connect(url: str) -> Store:
    """Create a client for ``redis://``, ``rediss://`` or ``unix://``; nothing is sent yet.

    ``redis+cluster://host:port,host:port`` is a Redis Cluster, known by some of its servers;
    ``redis+sentinel://host:port,host:port/name`` the server of that name among Sentinels; ``rediss`` is TLS for both.
    Raises BadStoreUrl for anything else.
    """
    try:
        return _connect(url)
    except ValueError as problem:
        raise BadStoreUrl(f"not the URL of a store, as SLUICE_REDIS_URL wants one: {problem}") from problem


def _connect(url: str) -> Store:
    scheme, _, rest = url.partition("://")
    options: dict[str, Any] = {
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": ANSWER_TIMEOUT_S,
        "health_check_interval": 0,
        "socket_read_size": READ_BYTES,
        "max_connections": CONNECTIONS,
    }
    if scheme.endswith(_CLUSTER):
        # It repeats commands itself, at the slot's current server.
        return ClusterClient(f"{scheme.removesuffix(_CLUSTER)}://{rest}", **options)
    backoff = ExponentialBackoff(cap=0.2, base=0.02)
    options["retry"] = Retry(backoff, RETRIES, supported_errors=(redis.ConnectionError,))
    if scheme.endswith(_SENTINEL):
        return _through_sentinels(scheme.removesuffix(_SENTINEL), rest, options)
    # redis-py silently takes the first database if the name is not a number.
    if scheme in ("redis", "rediss") and not re.fullmatch(r"\d*", urlsplit(url).path.strip("/")):
        raise ValueError("its database is not a number")
    return redis.Redis.from_url(url, **options)


def is_replicated(url: str) -> bool:
    """Return whether replicas may take over: they may not have all that a server has told."""
    return url.partition("://")[0].endswith((_CLUSTER, _SENTINEL))


def needs_broker(url: str) -> bool:
    """Return whether this store cannot serve as the broker too."""
    return is_replicated(url)


def servers(store: Store) -> list[redis.Redis]:
    """List a client for each server with a part of the data."""
    return store.servers() if isinstance(store, ClusterClient) else [store]


def server_of(store: Store, catalog_key: str) -> redis.Redis:
    """Return a client for the server that currently has a catalog."""
    return store.server_of(keys_of(catalog_key).seq) if isinstance(store, ClusterClient) else store


def _through_sentinels(scheme: str, rest: str, options: dict[str, Any]) -> redis.Redis:
    place, _, path = rest.partition("/")
    login, _, hosts = place.rpartition("@")
    name, _, database = path.partition("/")
    if scheme not in ("redis", "rediss") or not name:
        raise ValueError("Sentinel wants redis+sentinel://host:port,host:port/name")
    username, _, password = login.partition(":")
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        [host_and_port(each) for each in hosts.split(",")],
        sentinel_kwargs={"socket_connect_timeout": CONNECT_TIMEOUT_S, "socket_timeout": CONNECT_TIMEOUT_S},
    )
    login_options = {"username": unquote(username) or None, "password": unquote(password) or None}
    master: redis.Redis = sentinels.master_for(  # type: ignore[no-untyped-call]
        name, db=int(database or 0), ssl=scheme == "rediss", **login_options, **options
    )
    return master


#: Error replies unrelated to the request: a full disk, missing replicas, a foreign script that never ends.
_REFUSES_ALL = re.compile(
    r"(^|caused error: )((MISCONF|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|BUSY) |DB index is out of range)"
)


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn the client's errors into ours: StoreUnavailable, StoreFull; others are bugs and pass."""
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError, redis.exceptions.ReadOnlyError) as error:
        raise StoreUnavailable(f"the store does not answer: {error}") from error
    except redis.exceptions.OutOfMemoryError as error:
        raise StoreFull("the store has no memory left") from error
    except redis.ResponseError as error:
        if not _REFUSES_ALL.search(str(error)):
            raise
        raise StoreUnavailable(f"the store does not work: {error}") from error


def raw_command(store: Store, words: Sequence[str]) -> Any:
    """Send one command as a person wrote it, to the server of its key; redis-py's reading of the answer.

    Raises Misconfigured with the server's words if it refuses.
    """
    server = store.server_of(words[1] if len(words) > 1 else "") if isinstance(store, ClusterClient) else store
    try:
        with store_errors():
            return server.execute_command(*words)  # type: ignore[no-untyped-call]
    except redis.ResponseError as error:
        raise Misconfigured(f"the server says: {error}") from error


def check_server(store: Store) -> str:
    """Return the server's name and version, of a cluster the oldest, and how many serve.

    Raises StoreUnavailable if it cannot be reached, Misconfigured if it is too old.
    """
    with store_errors():
        infos = [server.info("server") for server in servers(store)]
    info = min(infos, key=lambda info: _numbers(info["redis_version"]))
    version = str(info["redis_version"])
    if _numbers(version) < OLDEST_SERVER:
        oldest = ".".join(map(str, OLDEST_SERVER))
        raise Misconfigured(f"the Redis server is version {version}; Sluice needs Redis {oldest} or newer, or Valkey")
    found = f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {version}"
    return f"{found}, {len(infos)} shards" if isinstance(store, ClusterClient) else found


def _numbers(version: object) -> tuple[int, ...]:
    return tuple(int(part) for part in str(version).split(".")[:2])
