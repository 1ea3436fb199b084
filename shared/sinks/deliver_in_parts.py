"""Deliver a change in as many parts as the destination needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import chain

from shared.model import Kind
from shared.sinks.destination import (
    CALL_S,
    Copy,
    CopyChange,
    DeadLetter,
    Destination,
    DestinationAway,
    Mark,
    TooMuchAtOnce,
    Which,
)
from shared.sinks.mapping import Document

#: An entry of a change: without a document it is gone.
_Entry = tuple[Kind, str, Document | None]

#: Most entries of a part; no delivery has more.
MOST_ENTRIES = 20_000
#: So few are not too many, unless no more are sent at once already.
FEW = 16
#: A call that took longer, in seconds, was too much.
LONG_S = CALL_S / 2
#: So was one that failed after so long.
FAILED_S = CALL_S / 10
#: A call that took less was little, seconds.
QUICK_S = CALL_S / 20


class Pace:
    """How many entries a destination takes at once.

    Much that never ends in time would be tried again for ever: fewer are sent after a call that took too long, and more
    again after a change all of whose calls were quick.
    """

    def __init__(self) -> None:
        self.most = MOST_ENTRIES
        self._longest_s = 0.0

    def took(self, entries: int, seconds: float, *, failed: bool = False) -> None:
        """Note how long a call with so many entries took."""
        self._longest_s = max(self._longest_s, seconds)
        # Where few were slow, it was not for being many.
        if seconds >= (FAILED_S if failed else LONG_S) and entries >= min(self.most, FEW):
            self.most = max(1, min(self.most, entries) // 4)

    def delivered(self, entries: int) -> None:
        """Note that a change with so many entries is delivered."""
        # Not before: a change has to end, though more at once may be too much again.
        if self._longest_s < QUICK_S and entries >= self.most:
            self.most = min(MOST_ENTRIES, self.most * 2)
        self._longest_s = 0.0


def deliver_in_parts(
    destination: Destination, change: CopyChange, hold: Callable[[], None], pace: Pace | None = None
) -> list[DeadLetter]:
    """Deliver a change, in halves where it is too much at once; ``hold`` is called before each part.

    Only the last part moves the position: until then all are delivered again if one fails, and the copy is not exact.
    Raises what ``hold`` and `Destination` raise.
    """
    pace = pace or Pace()
    dead = _in_parts(destination, change, hold, pace)
    pace.delivered(change.entries)
    return dead


def _in_parts(destination: Destination, change: CopyChange, hold: Callable[[], None], pace: Pace) -> list[DeadLetter]:
    hold()
    if change.entries <= pace.most:
        try:
            return _deliver(destination, change, pace)
        except TooMuchAtOnce:
            pass
    entries = list(_entries(change))
    half = len(entries) // 2
    before, after = change.before, change.after
    # From its first part on, the copy may have effects up to the reach of the change.
    between = before.at(Mark(before.mark.position, max(before.mark.reach, after.mark.reach)))
    first = _part(change.which, entries[:half], before, between)
    second = _part(change.which, entries[half:], between, after)
    return [letter for each in (first, second) for letter in _in_parts(destination, each, hold, pace)]


def _deliver(destination: Destination, change: CopyChange, pace: Pace) -> list[DeadLetter]:
    start, failed = time.monotonic(), False
    try:
        return destination.deliver(change)
    except DestinationAway:
        failed = True
        raise
    finally:
        pace.took(change.entries, time.monotonic() - start, failed=failed)


def _entries(change: CopyChange) -> Iterable[_Entry]:
    written = ((kind, one.id, one) for kind, some in change.documents.items() for one in some)
    gone = ((kind, entry_id, None) for kind, some in change.gone.items() for entry_id in some)
    return chain(written, gone)


def _part(which: Which, entries: list[_Entry], before: Copy, after: Copy) -> CopyChange:
    documents, gone = dict[Kind, list[Document]](), dict[Kind, list[str]]()
    for kind, entry_id, one in entries:
        if one is None:
            gone.setdefault(kind, []).append(entry_id)
        else:
            documents.setdefault(kind, []).append(one)
    return CopyChange(which, before, after, documents, gone)
