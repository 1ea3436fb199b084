"""Named cursors: how far the followers of a catalog's change feed have come, as they say themselves.

A cursor keeps nothing from being deleted: one that the feed no longer reaches back to is told to be behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from shared import keys
from shared.codec import encode_json
from shared.errors import SluiceError
from shared.idempotency import IdempotencyKey
from shared.keys import CatalogKeys
from shared.store.client import Store
from shared.store.members import refuse_used, write_member
from shared.store.positions import Position, is_known
from shared.store.scripts import READ_CURSORS, Command, run, run_apart

#: Most cursors of one catalog.
MOST = 100
NAME = re.compile(r"[A-Za-z0-9_.\-]{1,100}")
#: Tasks whose entries are counted for the lag of a cursor; those of more are estimated from these.
COUNTED_TASKS = 100


class BadCursor(SluiceError):
    """The cursor cannot be kept; ``name`` or ``after`` is wrong, and the text says why."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(why)
        self.where = where


class CursorState(StrEnum):
    """Whether a follower can go on from its cursor."""

    OK = "ok"
    #: The feed no longer reaches back so far: the follower has to read the whole catalogue.
    BEHIND = "behind"
    #: The store has lost what the follower had read: it has to read the whole catalogue.
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Cursor:
    name: str
    after: Position
    #: When the follower last told it.
    updated_ms: int


@dataclass(frozen=True, slots=True)
class Lag:
    """What a follower has still to read."""

    #: Tasks that have ended since, canceled and failed ones included.
    tasks: int
    #: Their entries as they were sent, unchanged ones included.
    entries: int
    #: Whether there were too many tasks to count the entries of all.
    is_estimated: bool
    #: End of the first of these tasks; None if there is none.
    since_ms: int | None


@dataclass(frozen=True, slots=True)
class CursorReport:
    cursor: Cursor
    state: CursorState
    #: Whether the store was started anew, or another server took over, since the position was told.
    restarted: bool
    #: None unless the state is OK: nobody knows what was deleted or lost.
    lag: Lag | None


def lag_s(report: CursorReport, now_ms: int) -> float:
    """Return the age of the oldest change that a follower has still to read; 0 if it has none, or reads all anew."""
    if report.lag is None or report.lag.since_ms is None:
        return 0.0
    return max(0, now_ms - report.lag.since_ms) / 1000


class _Stored(msgspec.Struct):
    task_id: int
    mark: str
    pieces: int
    updated_ms: int


_decode = msgspec.json.Decoder(_Stored).decode


class Cursors:
    """The cursors of one catalog.  Raises StoreUnavailable."""

    def __init__(self, client: Store, catalog_key: str) -> None:
        self._client = client
        self._catalog_key = catalog_key
        self._keys = CatalogKeys(catalog_key)

    def all(self) -> list[CursorReport]:
        """Read all of them, by name."""
        [reply] = run(self._client, _read_all(self._keys))
        return _reports(self._client, self._catalog_key, reply)

    def get(self, name: str) -> CursorReport | None:
        """Read one; None if there is none of this name."""
        return next((report for report in self.all() if report.cursor.name == name), None)

    def put(
        self, name: str, after: Position, *, now_ms: int, idempotency: IdempotencyKey | None = None
    ) -> tuple[Cursor, bool]:
        """Keep a position that the feed has told under a name; a cursor of that name is moved, backwards too.

        A repeat with the same Idempotency-Key gets the cursor of the first; whether it was one is told beside it.
        Raises BadCursor for a name that will not do, a position that this catalog's feed has not told, and if there are
        too many; and KeyUsed.
        """
        if not NAME.fullmatch(name):
            raise BadCursor("name", "a name has 1 to 100 characters of A-Z a-z 0-9 _ . -")
        self._check(after)
        stored = _Stored(after.task_id, after.mark, after.pieces, now_ms)
        mark = ("ZADD", keys.CURSORS, "NX", now_ms, self._catalog_key)
        _, (code, written), _ = run(self._client, mark, self._write(name, encode_json(stored), idempotency), mark)
        if code == b"TOO_MANY":
            raise BadCursor("name", f"a key may have at most {MOST} cursors")
        refuse_used(code)
        return _cursor(name, written), code == b"REPEATED"

    def remove(self, name: str, *, idempotency: IdempotencyKey | None = None) -> tuple[bool, bool]:
        """Remove a cursor: the first value is False if there is none, the second tells a repeat.  Raises KeyUsed."""
        (code, _), left = run(self._client, self._write(name, b"", idempotency), ("HLEN", self._keys.cursors))
        refuse_used(code)
        if not left:
            _, left = run(self._client, ("ZREM", keys.CURSORS, self._catalog_key), ("HLEN", self._keys.cursors))
            if left:  # one was kept meanwhile
                run(self._client, ("ZADD", keys.CURSORS, "NX", 0, self._catalog_key))
        return code != b"NOT_FOUND", code == b"REPEATED"

    def _check(self, after: Position) -> None:
        """Raise BadCursor unless the feed has told a position, or it is the beginning."""
        if after == Position(0):
            return
        if not after.mark or not is_known(self._client, self._catalog_key, after):
            raise BadCursor("after", "value is not a position that the feed of this key has told")
        [[latest, *_]] = run(self._client, _read_all(self._keys))
        if after.task_id > latest:
            raise BadCursor("after", f"value is ahead of the feed, which is at task {latest}")

    def _write(self, name: str, stored: bytes, idempotency: IdempotencyKey | None) -> Command:
        return write_member(self._keys, self._keys.cursors, name, stored, most=MOST, idempotency=idempotency)


def read_reports(client: Store, *, most: int) -> Iterator[tuple[str, list[CursorReport]]]:
    """Read the cursors of the catalogs that have some, at most of so many catalogs, those that had them first."""
    [members] = run(client, ("ZRANGE", keys.CURSORS, 0, most - 1))
    catalog_keys = [member.decode() for member in members]
    replies = run_apart(client, *(_read_all(CatalogKeys(catalog_key)) for catalog_key in catalog_keys))
    for catalog_key, reply in zip(catalog_keys, replies, strict=True):
        yield catalog_key, _reports(client, catalog_key, reply)


def _read_all(of: CatalogKeys) -> Command:
    return READ_CURSORS.command(of.partition, cursors=of.cursors, most=COUNTED_TASKS)


def _cursor(name: str, stored: bytes) -> Cursor:
    read = _decode(stored)
    return Cursor(name, Position(read.task_id, read.mark, read.pieces), read.updated_ms)


def _reports(client: Store, catalog_key: str, reply: list[Any]) -> list[CursorReport]:
    _, run_id, *found = reply
    reports = [_report(client, catalog_key, run_id, *each) for each in found]
    return sorted(reports, key=lambda report: report.cursor.name)


def _report(
    client: Store, catalog_key: str, run_id: bytes, name: bytes, stored: bytes, state: bytes,
    tasks: int, counted: int, entries: int, since: bytes,
) -> CursorReport:  # fmt: skip
    cursor = _cursor(name.decode(), stored)
    restarted = not cursor.after.is_of(catalog_key, run_id)
    is_lost = state == b"LOST" or (restarted and not is_known(client, catalog_key, cursor.after))
    found = CursorState.LOST if is_lost else CursorState(state.decode().lower())
    if found is not CursorState.OK:
        return CursorReport(cursor, found, restarted, None)
    estimate = entries if counted == tasks else round(entries * tasks / counted)
    lag = Lag(tasks, estimate, counted < tasks, int(float(since)) if since else None)
    return CursorReport(cursor, found, restarted, lag)
