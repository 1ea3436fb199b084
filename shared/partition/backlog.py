"""The backlog: the catalogs that have batches waiting.

A superset: catalogs are added early and removed late.  Only a catalog that was removed just as a batch arrived is
missing, until its remover has put it back, one round trip later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from shared import keys
from shared.store.client import Store
from shared.store.memory import even_if_full
from shared.store.scripts import Command, run, run_apart

#: Catalogs read from the backlog at a time.
PAGE = 64
#: How long a worker counts as awake after saying so.  Short: a worker in a big partition does not check the backlog.
AWAKE_MS = 20
#: For how long a catalog counts as one that gets its turns.
MOVING_MS = 5_000


class Unowned(NamedTuple):
    """A catalog with a backlog that nobody drains."""

    catalog_key: str
    #: Entries that wait.
    entries: int


class Backlog:
    """The catalogs with a backlog, longest-waiting first, and all catalogs ever seen."""

    def __init__(self, client: Store) -> None:
        self._client = client

    @staticmethod
    def before_submit(catalog_key: str, now_ms: int) -> list[Command]:
        """Build the commands to send before a submit: they mark the catalog as known and as having a backlog."""
        return [("ZADD", keys.CATALOGS, "NX", now_ms, catalog_key), _mark(catalog_key, now_ms)]

    @staticmethod
    def after_submit(catalog_key: str, now_ms: int) -> list[Command]:
        """Build the commands to send after a submit: they undo a removal in between and wake a lingering worker."""
        return [_mark(catalog_key, now_ms), ("ZADD", keys.CALL, 0, catalog_key)]

    def move_back(self, catalog_key: str, now_ms: int) -> None:
        """Move a catalog behind all that waited while it was served, and wake a lingering worker for it."""
        run(
            self._client,
            even_if_full("ZADD", keys.BACKLOG, "XX", now_ms, catalog_key),
            even_if_full("ZADD", keys.CALL, 0, catalog_key),
        )

    def remove(self, catalog_keys: Sequence[str], now_ms: int) -> None:
        """Remove catalogs that were seen empty, unless a batch has arrived since."""
        if catalog_keys:
            _, *waiting = run(self._client, *_removal(catalog_keys))
            self._put_back(catalog_keys, waiting, now_ms)

    def unowned(
        self, *, skip: int = 0, emptied: Sequence[str] = (), now_ms: int = 0, stay_awake: bool = False
    ) -> tuple[list[Unowned], int]:
        """Read a page of the backlog: the catalogs that nobody drains, longest-waiting first.

        Returns them and how many were looked at; fewer than PAGE means that the end was reached.  The first page has
        all that workers were called for, so nobody needs to hear those calls any more.

        On the way it does the same as `stay_awake`, and as `remove` for the catalogs that were ``emptied``.
        """
        before: list[Command] = [_AWAKE] if stay_awake else []
        removal = _removal(emptied) if emptied else []
        heard: list[Command] = [] if skip else [("DEL", keys.CALL)]
        *replies, members = run(self._client, *before, *removal, *heard, _page(keys.BACKLOG, skip))
        if self._put_back(emptied, replies[len(before) + 1 :][: len(emptied)], now_ms):
            # They are not in that page, and nobody else may look for them.
            [members] = run(self._client, _page(keys.BACKLOG, skip))
        catalog_keys = [member.decode() for member in members]
        looks: list[Command] = []
        for names in map(keys.keys_of, catalog_keys):
            looks += [("EXISTS", names.lease), ("HGET", names.waiting, "entries")]
        found = run_apart(self._client, *looks)
        looked = zip(catalog_keys, found[::2], found[1::2], strict=True)
        unowned = [Unowned(key, int(entries or 0)) for key, taken, entries in looked if not taken]
        return unowned, len(catalog_keys)

    def stay_awake(self) -> None:
        """Mark a worker as awake: it will check the backlog again, so no wake-up is needed."""
        run(self._client, _AWAKE)

    def linger(self, seconds: float) -> str | None:
        """Wait until a batch is submitted or the time is up; meanwhile no wake-up is needed.

        Returns its catalog.  Each batch wakes one lingering worker, and the signal may come late: check the backlog
        afterwards in any case.
        """
        meanwhile = even_if_full("SET", keys.AWAKE, 1, "PX", int(seconds * 1000) + AWAKE_MS)
        _, called, _ = run(self._client, meanwhile, ("BZPOPMIN", keys.CALL, f"{seconds:.3f}"), _AWAKE)
        return called[1].decode() if called else None

    def fall_asleep(self) -> None:
        """Stop counting as awake.  Check the backlog once more afterwards: a submit may just have relied on it."""
        run(self._client, ("DEL", keys.AWAKE))

    def is_watched(self) -> bool:
        """Return whether some worker will check the backlog again, so that no wake-up is needed."""
        [awake] = run(self._client, ("EXISTS", keys.AWAKE))
        return bool(awake)

    def waiting(self, *, skip: int) -> Sequence[str]:
        """List a page of the backlog, longest-waiting first."""
        return self._members(keys.BACKLOG, skip)

    def moves(self, now_ms: int) -> bool:
        """Return whether a catalog began to wait, or had its turn and waits again, in the last MOVING_MS.

        What waits for an operator, or for a newer worker, does not count.
        """
        [moving] = run(self._client, ("ZCOUNT", keys.BACKLOG, now_ms - MOVING_MS, "+inf"))
        return bool(moving)

    def size(self) -> int:
        """Count the catalogs with a backlog."""
        [size] = run(self._client, ("ZCARD", keys.BACKLOG))
        return int(size)

    def count_known(self) -> int:
        """Count the catalogs that ever got a batch."""
        [count] = run(self._client, ("ZCARD", keys.CATALOGS))
        return int(count)

    def add_forgotten(self, now_ms: int, *, skip: int) -> int:
        """Read a page of all known catalogs and add those with an unmarked backlog: the last safety net.

        Returns how many were looked at; fewer than PAGE means that the end was reached.
        """
        catalog_keys = self.known(skip=skip)
        if catalog_keys:
            waiting = run_apart(self._client, *(("XLEN", keys.keys_of(key).stream) for key in catalog_keys))
            forgotten = [key for key, length in zip(catalog_keys, waiting, strict=True) if length]
            run(self._client, *(_mark_again(key, now_ms) for key in forgotten))
        return len(catalog_keys)

    def known(self, *, skip: int) -> Sequence[str]:
        """List a page of all catalogs that ever got a batch."""
        return self._members(keys.CATALOGS, skip)

    def knows(self, catalog_key: str) -> bool:
        """Return whether a catalog ever got a batch."""
        [since] = run(self._client, ("ZSCORE", keys.CATALOGS, catalog_key))
        return since is not None

    def all_waiting(self, *, most: int) -> list[str]:
        """List the catalogs with a backlog, longest-waiting first, for people and metrics."""
        return self._members(keys.BACKLOG, 0, most)

    def all_known(self, *, most: int) -> list[str]:
        """List the catalogs that ever got a batch, oldest first, for people."""
        return self._members(keys.CATALOGS, 0, most)

    def _put_back(self, catalog_keys: Sequence[str], waiting: Sequence[Any], now_ms: int) -> bool:
        """Mark those again in which a batch had arrived by the time that they were removed; False if none had."""
        again = [key for key, length in zip(catalog_keys, waiting, strict=True) if length]
        run(self._client, *(_mark_again(key, now_ms) for key in again))
        return bool(again)

    def _members(self, key: str, skip: int, size: int = PAGE) -> list[str]:
        [members] = run(self._client, _page(key, skip, size))
        return [member.decode() for member in members]


#: Some worker will check the backlog again.
_AWAKE = even_if_full("SET", keys.AWAKE, 1, "PX", AWAKE_MS)


def _removal(catalog_keys: Sequence[str]) -> list[Command]:
    """Remove catalogs, and look whether something waits in them."""
    return [("ZREM", keys.BACKLOG, *catalog_keys), *(("XLEN", keys.keys_of(key).stream) for key in catalog_keys)]


def _page(key: str, skip: int, size: int = PAGE) -> Command:
    return ("ZRANGE", key, skip, skip + size - 1)


def _mark(catalog_key: str, now_ms: int) -> Command:
    """Add a catalog to the backlog; if it is there already, it keeps its place."""
    return ("ZADD", keys.BACKLOG, "NX", now_ms, catalog_key)


def _mark_again(catalog_key: str, now_ms: int) -> Command:
    """Add a catalog whose batches are stored already."""
    return even_if_full("ZADD", keys.BACKLOG, "NX", now_ms, catalog_key)
