"""The outbox: notifications about ended tasks, written by the script that ends a task, delivered at least once.

An entry is a task id at first.  A deliverer splits it into one entry per target, named
``<task id>:<target>:<attempts so far>``.  Each target has its own queue and pauses after a failure, so that a failing
target does not delay others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import msgspec

from shared import keys
from shared.codec import encode_json
from shared.keys import keys_of, padded
from shared.store.client import Store
from shared.store.scripts import CLAIM_ENTRY, Command, run, run_apart
from shared.tasks.records import Task, Tasks

#: The target that stands for a task's e-mail addresses; all others are ids of webhooks.
MAIL = "mail"

#: Stands for the task of a ping.
PING = 0
#: How long a paused target rests until it is looked at again.
HOLD_MS = 60_000

#: Longer than any attempt: an entry whose deliverer was killed is due again after this.
CLAIM_MS = 120_000
#: Catalogs read at a time.
PAGE = 1000
#: How the error of an attempt begins that was dropped without a call.
TOO_LATE = "too late"
#: Attempts kept per catalog.
LOG_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """A notification to deliver."""

    task_id: int
    #: '' before the entry is split into targets.
    target: str = ""
    #: Number of attempts so far.
    attempts: int = 0

    @property
    def member(self) -> str:
        name = padded(self.task_id)
        return f"{name}:{self.target}:{self.attempts}" if self.target else name

    @classmethod
    def parse(cls, member: str) -> OutboxEntry:
        task_id, *rest = member.split(":")
        return cls(int(task_id), rest[0], int(rest[1])) if rest else cls(int(task_id))


class DeliveryOutcome(StrEnum):
    """The outcome of an attempt."""

    DELIVERED = "delivered"
    #: Failed; it is retried.
    FAILED = "failed"
    #: Failed; it is not retried.
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One line of the delivery log."""

    #: PING of a ping.
    task_id: int
    target: str
    #: From 1.
    number: int
    at_ms: int
    took_ms: int
    outcome: DeliveryOutcome
    #: Status of the HTTP response, if there was one.
    status_code: int | None = None
    error: str | None = None
    next_ms: int | None = None
    #: Beginning of the body of a response that was no success.
    answer: str | None = None
    #: What was called: a webhook's URL may change later.  None of a mail, and of what was not called.
    url: str | None = None


_decode_attempt = msgspec.json.Decoder(Attempt).decode


@dataclass(frozen=True, slots=True)
class Trouble:
    """The current failures of a target."""

    #: Failed attempts in a row.
    failures: int
    #: Time of the first of them.
    since_ms: int
    #: Why the last one failed.
    reason: str
    #: Whether the target is given up: nothing more is sent to it.
    given_up: bool = False


_decode_trouble = msgspec.json.Decoder(Trouble).decode


class Lane(NamedTuple):
    """The queue of one target of a catalog; '' is the queue of entries that are not split yet."""

    catalog_key: str
    target: str


class Outbox:
    """The outbox of one catalog.  Every call is one round trip and raises StoreUnavailable."""

    def __init__(self, client: Store, catalog_key: str) -> None:
        self._client = client
        self._keys = keys_of(catalog_key)
        self._tasks = Tasks(client, catalog_key)

    def claim(self, now_ms: int, target: str = "") -> OutboxEntry | None:
        """Claim the first due entry of a target; unless settled, it is due again after CLAIM_MS.

        Returns None if nothing is due, or the target pauses.
        """
        of = self._keys
        queue = of.target(target) if target else of.outbox
        claim = CLAIM_ENTRY.command(queue=queue, targets=of.targets, target=target, now_ms=now_ms, claim_ms=CLAIM_MS)
        [member] = run(self._client, claim)
        return None if member is None else OutboxEntry.parse(member.decode())

    def task(self, entry: OutboxEntry) -> Task | None:
        """Read the task of an entry; None if it is no longer kept."""
        return self._tasks.get(entry.task_id)

    def split(self, entry: OutboxEntry, targets: Iterable[str], now_ms: int) -> None:
        """Split an entry into one per target, due as soon as the target's pause ends."""
        of = self._keys
        added: list[Command] = []
        for target in targets:
            added += [
                ("ZADD", of.target(target), now_ms, OutboxEntry(entry.task_id, target).member),
                ("ZADD", of.targets, "NX", now_ms, target),
            ]
        run(self._client, ("MULTI",), ("ZREM", of.outbox, entry.member), *added, ("EXEC",))

    def drop(self, entry: OutboxEntry) -> None:
        """Remove an entry that nobody needs any more."""
        run(self._client, ("ZREM", self._queue(entry), entry.member))

    def settle(self, entry: OutboxEntry, attempt: Attempt, trouble: Trouble | None = None, rest_ms: int = 0) -> None:
        """Record an attempt: the entry is removed, or due again at the attempt's time.

        ``trouble`` is the target's, which then pauses for ``rest_ms``; None if it has none.
        """
        of, target = self._keys, entry.target
        commands: list[Command] = [("ZREM", of.target(target), entry.member)]
        if attempt.next_ms is not None:
            again = OutboxEntry(entry.task_id, target, entry.attempts + 1)
            commands.append(("ZADD", of.target(target), attempt.next_ms, again.member))
        if trouble is None:
            commands += [("HDEL", of.troubles, target), ("ZADD", of.targets, "XX", attempt.at_ms, target)]
        else:
            commands += [
                ("HSET", of.troubles, target, encode_json(trouble)),
                ("ZADD", of.targets, "XX", "GT", rest_ms, target),
            ]
        run(self._client, ("MULTI",), *commands, self._logged(attempt), ("EXEC",))

    def log_only(self, entry: OutboxEntry, attempt: Attempt) -> None:
        """Record an attempt and remove its entry; the target's failures and pause stay as they are."""
        run(self._client, ("MULTI",), ("ZREM", self._queue(entry), entry.member), self._logged(attempt), ("EXEC",))

    def hold(self, entry: OutboxEntry, ended_ms: int, *, now_ms: int, keep_ms: int) -> None:
        """Put an entry of a paused target back, and look again in a minute.

        ``ended_ms`` is the end of its task; what has waited for ``keep_ms`` is dropped.
        """
        queue, until_ms = self._queue(entry), now_ms + HOLD_MS
        run(
            self._client,
            ("MULTI",),
            ("ZADD", queue, "XX", ended_ms, entry.member),
            ("ZREMRANGEBYSCORE", queue, "(0", now_ms - keep_ms),
            ("ZADD", self._keys.targets, "XX", "GT", until_ms, entry.target),
            ("EXEC",),
        )

    def drop_all(self, target: str) -> None:
        """Drop all entries of a target."""
        of = self._keys
        run(self._client, ("MULTI",), ("UNLINK", of.target(target)), ("ZREM", of.targets, target), ("EXEC",))

    def waiting(self, target: str) -> int:
        """Count the entries of a target."""
        [count] = run(self._client, ("ZCARD", self._keys.target(target)))
        return int(count)

    def troubles(self) -> dict[str, Trouble]:
        """Read the failing targets, with their failures."""
        [found] = run(self._client, ("HGETALL", self._keys.troubles))
        return {target.decode(): _decode_trouble(value) for target, value in found.items()}

    def forget_trouble(self, target: str, now_ms: int) -> bool:
        """End a target's pause and clear its failures; False if it had none."""
        of = self._keys
        had, _ = run(self._client, ("HDEL", of.troubles, target), ("ZADD", of.targets, "XX", now_ms, target))
        return bool(had)

    def attempts(self, limit: int = LOG_LENGTH) -> list[Attempt]:
        """Read the last attempts, newest first."""
        [lines] = run(self._client, ("XREVRANGE", self._keys.deliveries, "+", "-", "COUNT", limit))
        return [_decode_attempt(fields[1] if isinstance(fields, list) else fields[b"attempt"]) for _, fields in lines]

    def _logged(self, attempt: Attempt) -> Command:
        return ("XADD", self._keys.deliveries, "MAXLEN", LOG_LENGTH, "*", "attempt", encode_json(attempt))

    def _queue(self, entry: OutboxEntry) -> str:
        return self._keys.target(entry.target) if entry.target else self._keys.outbox


class Outboxes:
    """The catalogs with entries in their outbox.  A superset: catalogs that may soon have some are included."""

    def __init__(self, client: Store) -> None:
        self._client = client

    @staticmethod
    def mark(catalog_key: str, now_ms: int) -> Command:
        """Build the command to send before and after any write that may add to the outbox."""
        return ("ZADD", keys.OUTBOXES, "NX", now_ms, catalog_key)

    def due(self, now_ms: int) -> Iterator[Lane]:
        """Go through all catalogs: yield the queues that are due, and remove catalogs without possible entries."""
        skip, seen = 0, PAGE
        while seen == PAGE:
            [members] = run(self._client, ("ZRANGE", keys.OUTBOXES, skip, skip + PAGE - 1))
            catalog_keys = [member.decode() for member in members]
            due = self._due(catalog_keys, now_ms)
            quiet = sorted(set(catalog_keys) - {lane.catalog_key for lane in due})
            idle = [key for key, expects in zip(quiet, self._expect(quiet), strict=True) if not expects]
            for catalog_key in idle:
                self._remove(catalog_key, now_ms)
            yield from due
            seen = len(catalog_keys)
            skip += seen - len(idle)

    def due_of(self, catalog_key: str, now_ms: int) -> list[Lane]:
        """List the due queues of one catalog."""
        return self._due([catalog_key], now_ms)

    def _due(self, catalog_keys: Sequence[str], now_ms: int) -> list[Lane]:
        looks: list[Command] = []
        for of in map(keys_of, catalog_keys):
            looks += [
                ("ZCOUNT", of.outbox, "-inf", now_ms), ("ZRANGE", of.targets, "-inf", now_ms, "BYSCORE"),
            ]  # fmt: skip
        found = run_apart(self._client, *looks)
        due = [Lane(key, "") for key, count in zip(catalog_keys, found[::2], strict=True) if count]
        lanes = [
            Lane(key, target.decode()) for key, targets in zip(catalog_keys, found[1::2], strict=True)
            for target in targets
        ]  # fmt: skip
        queues = [keys_of(key).target(target) for key, target in lanes]
        found = run_apart(
            self._client,
            *(look for queue in queues for look in (("ZCOUNT", queue, "-inf", now_ms), ("EXISTS", queue))),
        )
        # An empty queue too: claiming from it removes its target.
        return due + [
            lane for lane, count, exists in zip(lanes, found[::2], found[1::2], strict=True) if count or not exists
        ]

    def _remove(self, catalog_key: str, now_ms: int) -> None:
        """Remove a catalog, unless it has changed meanwhile."""
        run(self._client, ("ZREM", keys.OUTBOXES, catalog_key))
        if any(self._expect([catalog_key])):
            run(self._client, self.mark(catalog_key, now_ms))

    def _expect(self, catalog_keys: Sequence[str]) -> list[bool]:
        """Return for each catalog whether its outbox has, or can get, entries."""
        found = [keys_of(key) for key in catalog_keys]
        replies = run_apart(
            self._client,
            *(
                command
                for of in found
                for command in (("EXISTS", of.outbox, of.targets, of.webhooks), ("XLEN", of.stream))
            ),
        )
        return [bool(exists or waiting) for exists, waiting in zip(replies[::2], replies[1::2], strict=True)]
