"""The connection to Redis or Valkey: how it is made, and what its failures mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from shared.errors import Misconfigured, StoreFull, StoreUnavailable

#: The lowest server we know to work: scripts with flags, COPY, ZMSCORE.
OLDEST_SERVER = (7, 0)

#: Seconds to wait for a connection; a server on the same network answers in milliseconds or not at all.
CONNECT_TIMEOUT_S = 1.0
#: Seconds to wait for an answer; no call of ours takes more than milliseconds.
ANSWER_TIMEOUT_S = 5.0
#: A call is sent again so often when its connection broke.  Safe, since every script knows a repeat.  One that got no
#: answer in time is not: a server that hangs would hold every thread for that much longer.
RETRIES = 2
#: Seconds after which a call has come to an end, one way or the other.
LONGEST_CALL_S = (RETRIES + 1) * (CONNECT_TIMEOUT_S + ANSWER_TIMEOUT_S) + 1


def connect(url: str) -> redis.Redis:
    """Make a client for ``redis://``, ``rediss://`` or ``unix://``; nothing is sent yet."""
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=ANSWER_TIMEOUT_S,
        health_check_interval=0,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), RETRIES, supported_errors=(redis.ConnectionError,)),
    )


#: Answers that say nothing about the request: the disk is full, a script of somebody's never ends.
_REFUSES_ALL = re.compile(r"(^|caused error: )(MISCONF|BUSY) ")


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


def check_server(client: redis.Redis) -> str:
    """Return the server's name and version.

    Raises StoreUnavailable if it cannot be reached, Misconfigured if it is too old.
    """
    with store_errors():
        info = client.info("server")
    version = str(info["redis_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_SERVER:
        oldest = ".".join(map(str, OLDEST_SERVER))
        raise Misconfigured(f"the Redis server is version {version}; Sluice needs Redis {oldest} or newer, or Valkey")
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}"
    return f"Redis {version}"
