"""Decide how many entries to read at once, so that replies on their way take little of the store's memory.

How long entries are is known only from those that were read before: what is read first is little, and then more and
more, as long as they are short.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.store.wire import Command

#: About so many bytes in one reply.
REPLY_BYTES = 4 * 1024 * 1024
#: Entries read at first; so many times more after each reply; and at most.
FIRST, STEP, MOST = 64, 16, 2000
#: Most keys of entries that are remembered.
KEYS = 1000


class ReadSizes:
    """How many entries of each key can be read at once."""

    def __init__(self) -> None:
        self._most: dict[str, int] = {}

    def most(self, key: str) -> int:
        """Return how many entries of a key to read next."""
        return self._most.get(key, FIRST)

    def learn(self, key: str, values: Sequence[bytes | None]) -> None:
        """Note the reply to a reading of a key."""
        if len(self._most) >= KEYS and key not in self._most:
            self._most.clear()
        average = sum(map(len, filter(None, values))) // max(1, len(values))
        self._most[key] = max(1, min(MOST, STEP * self.most(key), REPLY_BYTES // max(1, average)))


@dataclass(slots=True)
class LongRead:
    """Entries of one key to be read, in as many replies as their lengths need."""

    key: str
    #: Those that are still to be read.
    ids: Sequence[str]
    note: Callable[[Sequence[str], Sequence[bytes | None]], None]

    def next(self, sizes: ReadSizes) -> Command:
        """Return the command for the next of them."""
        return ("HMGET", self.key, *self.ids[: sizes.most(self.key)])

    def take(self, sizes: ReadSizes, values: Sequence[bytes | None]) -> None:
        """Note the reply to it."""
        self.note(self.ids[: len(values)], values)
        self.ids = self.ids[len(values) :]
        sizes.learn(self.key, values)
