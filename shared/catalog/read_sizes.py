"""Decide how many entries to read at once, so that replies on their way take little of the store's memory.

How long entries are is known from those that were sent whole, or read, before.  Where it is not known, little is read
at first, and then more and more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.store.wire import Command

#: About so many bytes in one reply.
REPLY_BYTES = 4 * 1024 * 1024
#: Entries read at first where their length is not known; so many times more after a reply without any; and at most.
FIRST, STEP, MOST = 64, 16, 1000
#: What is known of long entries is forgotten over some reads of short ones.
KEPT_SHARE = 0.8
#: Most keys of entries that are remembered.
KEYS = 1000


class ReadSizes:
    """How many entries of each key can be read at once."""

    def __init__(self) -> None:
        self._lengths: dict[str, float] = {}

    def most(self, key: str) -> int:
        """Return how many entries of a key to read next."""
        length = self._lengths.get(key)
        return FIRST if length is None else int(max(1, min(MOST, REPLY_BYTES / max(1, length))))

    def learn(self, key: str, length: float) -> None:
        """Note how long some entries of a key are, on average; of different lengths, the greater counts for longer."""
        if len(self._lengths) >= KEYS and key not in self._lengths:
            self._lengths.clear()
        self._lengths[key] = max(length, self._lengths.get(key, 0) * KEPT_SHARE)


@dataclass(slots=True)
class LongRead:
    """Entries of one key to be read, in as many replies as their lengths need."""

    key: str
    #: Those that are still to be read.
    ids: Sequence[str]
    note: Callable[[Sequence[str], Sequence[bytes | None]], None]
    #: How many times more may be read than is known to be safe, since those before were not there.
    more: int = 1

    def next(self, sizes: ReadSizes) -> Command:
        """Return the command for the next of them."""
        return ("HMGET", self.key, *self.ids[: min(MOST, self.more * sizes.most(self.key))])

    def take(self, sizes: ReadSizes, values: Sequence[bytes | None]) -> None:
        """Note the reply to it."""
        self.note(self.ids[: len(values)], values)
        self.ids = self.ids[len(values) :]
        if there := list(filter(None, values)):
            sizes.learn(self.key, sum(map(len, there)) / len(there))
            self.more = 1
        else:
            self.more *= STEP
