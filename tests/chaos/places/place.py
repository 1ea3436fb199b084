"""What a run has to know of the place where the catalogs lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.store.client import Store

#: Seconds for which faults wait for a server that an earlier one has stopped.
IMPATIENT_S = 0.5


class Place(Protocol):
    """One store, or a cluster."""

    @property
    def fleet(self) -> Mapping[str, Any]:
        """How a fleet is made that uses it, see `Fleet`."""

    @property
    def producers(self) -> int:
        """How many send at a time."""

    @property
    def here(self) -> str:
        """The address at which all of the fleet reach this process."""

    @property
    def may_repeat(self) -> bool:
        """Whether what workers did may be lost, and done again: a task may then be seen to end twice."""

    def connect(self) -> Store:
        """A client of the data that does not wait for a server which is away."""

    def servers(self) -> Sequence[redis.Redis]:
        """A patient client of each server with a part of the data."""

    def wait_whole(self) -> None:
        """Wait until all of it works, once there is peace."""

    def starts(self) -> Mapping[str, int]:
        """How often its servers were started, by name, but for those of the fleet."""

    def findings(self) -> Sequence[str]:
        """Sentences for the report."""

    def end(self) -> None:
        """Take it away."""


def impatient(url: str) -> redis.Redis:
    """Make a client that does not wait for a server which an earlier fault has stopped."""
    return redis.Redis.from_url(url, socket_timeout=IMPATIENT_S, retry=Retry(NoBackoff(), 0))
