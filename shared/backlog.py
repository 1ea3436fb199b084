"""Which catalogs have something waiting.

A superset: entries are added early and removed late.  Only one that was taken out just as a batch arrived is missing,
until whoever took it out has put it back, a round trip later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from shared import keys
from shared.memory import even_if_full
from shared.scripts import Command, run, run_apart
from shared.store import Store

#: How many catalogs one look at the backlog takes in.
PAGE = 64
#: How long a worker that says it is awake is believed.  Short: one that drains a big partition does not look around.
AWAKE_MS = 20


class Unowned(NamedTuple):
    """A catalog with a backlog that nobody drains."""

    catalog_key: str
    #: That wait.
    entries: int


class Backlog:
    """The catalogs with a backlog, longest-waiting first, and all that were ever seen."""

    def __init__(self, client: Store) -> None:
        self._client = client

    @staticmethod
    def before_submit(catalog_key: str, now_ms: int) -> list[Command]:
        """The commands to send before a batch is submitted: the catalog is known, and has a backlog."""
        return [("ZADD", keys.CATALOGS, "NX", now_ms, catalog_key), _mark(catalog_key, now_ms)]

    @staticmethod
    def after_submit(catalog_key: str, now_ms: int) -> list[Command]:
        """The commands to send after it: somebody may have seen the catalog empty in between, or be lingering."""
        return [_mark(catalog_key, now_ms), ("ZADD", keys.CALL, 0, 0)]

    def move_back(self, catalog_key: str, now_ms: int) -> None:
        """Put a catalog behind all that waited while it was served; who lingers may take it."""
        run(
            self._client,
            even_if_full("ZADD", keys.BACKLOG, "XX", now_ms, catalog_key),
            even_if_full("ZADD", keys.CALL, 0, 0),
        )

    def remove(self, catalog_keys: Sequence[str], now_ms: int) -> None:
        """Take catalogs out that were seen empty, unless a batch arrived meanwhile."""
        if not catalog_keys:
            return
        streams = (("XLEN", keys.CatalogKeys(key).stream) for key in catalog_keys)
        _, *waiting = run(self._client, ("ZREM", keys.BACKLOG, *catalog_keys), *streams)
        again = [key for key, length in zip(catalog_keys, waiting, strict=True) if length]
        run(self._client, *(_mark_again(key, now_ms) for key in again))

    def unowned(self, *, skip: int = 0) -> tuple[list[Unowned], int]:
        """Look at a page of the backlog: those that nobody drains, longest-waiting first.

        Returns them and how many were looked at; fewer than PAGE means that the end was reached.
        """
        catalog_keys = self.waiting(skip=skip)
        looks: list[Command] = []
        for names in map(keys.CatalogKeys, catalog_keys):
            looks += [("EXISTS", names.lease), ("HGET", names.waiting, "entries")]
        found = run_apart(self._client, *looks)
        looked = zip(catalog_keys, found[::2], found[1::2], strict=True)
        unowned = [Unowned(key, int(entries or 0)) for key, taken, entries in looked if not taken]
        return unowned, len(catalog_keys)

    def stay_awake(self) -> None:
        """Say that a worker goes through the backlog and will look at it again: nobody needs to ring."""
        run(self._client, even_if_full("SET", keys.AWAKE, 1, "PX", AWAKE_MS))

    def linger(self, seconds: float) -> None:
        """Wait until a batch is submitted, or the time is up; nobody needs to ring meanwhile.

        One of those who linger hears of a batch, and one batch may be heard of late: look at the backlog, in any case.
        """
        meanwhile = even_if_full("SET", keys.AWAKE, 1, "PX", int(seconds * 1000) + AWAKE_MS)
        afterwards = even_if_full("SET", keys.AWAKE, 1, "PX", AWAKE_MS)
        run(self._client, meanwhile, ("BZPOPMIN", keys.CALL, f"{seconds:.3f}"), afterwards)

    def fall_asleep(self) -> None:
        """Stop saying so.  Look at the backlog once more afterwards: somebody may have believed it just now."""
        run(self._client, ("DEL", keys.AWAKE))

    def is_watched(self) -> bool:
        """Tell whether some worker will look at the backlog again, so that ringing is needless."""
        [awake] = run(self._client, ("EXISTS", keys.AWAKE))
        return bool(awake)

    def waiting(self, *, skip: int) -> Sequence[str]:
        """List a page of the backlog, longest-waiting first."""
        return self._page(keys.BACKLOG, skip)

    def size(self) -> int:
        """Count the catalogs with a backlog."""
        [size] = run(self._client, ("ZCARD", keys.BACKLOG))
        return int(size)

    def add_forgotten(self, now_ms: int, *, skip: int) -> int:
        """Look at a page of all known catalogs and add those with a backlog that is not marked, the last net.

        Returns how many were looked at; fewer than PAGE means that the end was reached.
        """
        catalog_keys = self.known(skip=skip)
        if catalog_keys:
            waiting = run_apart(self._client, *(("XLEN", keys.CatalogKeys(key).stream) for key in catalog_keys))
            forgotten = [key for key, length in zip(catalog_keys, waiting, strict=True) if length]
            run(self._client, *(_mark_again(key, now_ms) for key in forgotten))
        return len(catalog_keys)

    def known(self, *, skip: int) -> Sequence[str]:
        """List a page of all catalogs that ever got a batch."""
        return self._page(keys.CATALOGS, skip)

    def all_waiting(self, *, most: int) -> list[str]:
        """List the catalogs with a backlog, longest-waiting first, for people and metrics."""
        return self._page(keys.BACKLOG, 0, most)

    def all_known(self, *, most: int) -> list[str]:
        """List the catalogs that ever got a batch, first come first, for people."""
        return self._page(keys.CATALOGS, 0, most)

    def _page(self, key: str, skip: int, size: int = PAGE) -> list[str]:
        [members] = run(self._client, ("ZRANGE", key, skip, skip + size - 1))
        return [member.decode() for member in members]


def _mark(catalog_key: str, now_ms: int) -> Command:
    """Add a catalog to the backlog; one already there keeps its place."""
    return ("ZADD", keys.BACKLOG, "NX", now_ms, catalog_key)


def _mark_again(catalog_key: str, now_ms: int) -> Command:
    """Add a catalog whose batches are stored already."""
    return even_if_full("ZADD", keys.BACKLOG, "NX", now_ms, catalog_key)
