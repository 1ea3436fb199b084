"""What is to be told outside when tasks end.  Written by the script that ends a task, delivered at least once.

An entry is a task id at first.  Whoever delivers makes of it an entry for everybody who is to be told, named
``<task id>:<target>:<attempts so far>``, so that one target's trouble is nothing to another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from shared import keys
from shared.codec import encode_json
from shared.keys import CatalogKeys, padded
from shared.scripts import CLAIM_ENTRY, Command, run, run_apart
from shared.store import Store
from shared.tasks import Task, Tasks

#: The target that is the addresses of a task; others are webhooks, by their ids.
MAIL = "mail"

#: Longer than any attempt lasts: an entry whose taker was killed is due again after this.
CLAIM_MS = 120_000
#: How many catalogs one look takes in.
PAGE = 1000
#: Attempts that are remembered for each catalog.
LOG_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to be told."""

    task_id: int
    #: Empty: it has not been worked out yet who is to be told.
    target: str = ""
    #: How often that was tried.
    attempts: int = 0

    @property
    def member(self) -> str:
        name = padded(self.task_id)
        return f"{name}:{self.target}:{self.attempts}" if self.target else name

    @classmethod
    def parse(cls, member: str) -> Entry:
        task_id, *rest = member.split(":")
        return cls(int(task_id), rest[0], int(rest[1])) if rest else cls(int(task_id))


class Told(StrEnum):
    """What came of an attempt."""

    DELIVERED = "delivered"
    #: Failed; there is to be another attempt.
    FAILED = "failed"
    #: Failed, for the last time.
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One line of the delivery log."""

    task_id: int
    target: str
    #: From 1.
    number: int
    at_ms: int
    took_ms: int
    outcome: Told
    #: Of the HTTP answer, if there was one.
    status_code: int | None = None
    error: str | None = None
    next_ms: int | None = None


_decode_attempt = msgspec.json.Decoder(Attempt).decode


class Outbox:
    """The outbox of one catalog.  Every call is one round trip and raises StoreUnavailable."""

    def __init__(self, client: Store, catalog_key: str) -> None:
        self._client = client
        self._keys = CatalogKeys(catalog_key)
        self._tasks = Tasks(client, catalog_key)

    def claim(self, now_ms: int) -> Entry | None:
        """Take what was due first; unless it is settled it will be due again after CLAIM_MS."""
        [member] = run(self._client, CLAIM_ENTRY.command(self._keys.partition, (now_ms, CLAIM_MS)))
        return None if member is None else Entry.parse(member.decode())

    def task(self, entry: Entry) -> Task | None:
        """Read what is to be told; None if it is no longer kept."""
        return self._tasks.get(entry.task_id)

    def split(self, entry: Entry, targets: Iterable[str], now_ms: int) -> None:
        """Make of an entry one for each target, due at once."""
        self._replace(entry, [(Entry(entry.task_id, target), now_ms) for target in targets])

    def drop(self, entry: Entry) -> None:
        """Take out what nobody needs to be told any more."""
        self._replace(entry, ())

    def settle(self, entry: Entry, attempt: Attempt) -> None:
        """Note an attempt: the entry is done with, or due again when the attempt says so."""
        again = Entry(entry.task_id, entry.target, entry.attempts + 1)
        later = [] if attempt.next_ms is None else [(again, attempt.next_ms)]
        log = ("XADD", self._keys.deliveries, "MAXLEN", LOG_LENGTH, "*", "attempt", encode_json(attempt))
        self._replace(entry, later, log)

    def attempts(self, limit: int) -> list[Attempt]:
        """Read the last attempts, newest first."""
        [lines] = run(self._client, ("XREVRANGE", self._keys.deliveries, "+", "-", "COUNT", limit))
        return [_decode_attempt(fields[1] if isinstance(fields, list) else fields[b"attempt"]) for _, fields in lines]

    def _replace(self, entry: Entry, others: Sequence[tuple[Entry, int]], *more: Command) -> None:
        added = [("ZADD", self._keys.outbox, due_ms, other.member) for other, due_ms in others]
        run(self._client, ("MULTI",), ("ZREM", self._keys.outbox, entry.member), *added, *more, ("EXEC",))


class Outboxes:
    """Which catalogs have something in their outbox.  Always a superset: whoever may soon have is in it too."""

    def __init__(self, client: Store) -> None:
        self._client = client

    @staticmethod
    def mark(catalog_key: str, now_ms: int) -> Command:
        """The command to send before and after anything is written that may put something into the outbox."""
        return ("ZADD", keys.OUTBOXES, "NX", now_ms, catalog_key)

    def due(self, now_ms: int) -> Iterator[str]:
        """Go through all of them: name those with something due, let go of those where nothing is to be expected."""
        skip, seen = 0, PAGE
        while seen == PAGE:
            [members] = run(self._client, ("ZRANGE", keys.OUTBOXES, skip, skip + PAGE - 1))
            catalog_keys = [member.decode() for member in members]
            counts = run_apart(
                self._client, *(("ZCOUNT", CatalogKeys(key).outbox, "-inf", now_ms) for key in catalog_keys)
            )
            idle = [key for key, expects in zip(catalog_keys, self._expect(catalog_keys), strict=True) if not expects]
            for catalog_key in idle:
                self._let_go(catalog_key, now_ms)
            yield from (key for key, count in zip(catalog_keys, counts, strict=True) if count)
            seen = len(catalog_keys)
            skip += seen - len(idle)

    def _let_go(self, catalog_key: str, now_ms: int) -> None:
        """Take a catalog out, unless that has changed meanwhile."""
        run(self._client, ("ZREM", keys.OUTBOXES, catalog_key))
        if any(self._expect([catalog_key])):
            run(self._client, self.mark(catalog_key, now_ms))

    def _expect(self, catalog_keys: Sequence[str]) -> list[bool]:
        """Tell for each catalog whether anything is or can come into its outbox."""
        found = [CatalogKeys(key) for key in catalog_keys]
        replies = run_apart(
            self._client,
            *(command for of in found for command in (("EXISTS", of.outbox, of.webhooks), ("XLEN", of.stream))),
        )
        return [bool(exists or waiting) for exists, waiting in zip(replies[::2], replies[1::2], strict=True)]
