"""Pull: drain one partition after the other, whichever waited longest and nobody drains; small ones by the handful."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from shared.backlog import AWAKE_MS, PAGE, Backlog, Unowned
from shared.errors import StoreUnavailable
from shared.wakeups import Bell
from workers.drain import Drained, Drainer

#: Partitions that are drained together, and entries up to which one is small: all of them take no longer than a slice.
HANDFUL = 32
SMALL_ENTRIES = 50
#: Seconds that a puller stays up after there was something last: to ring for it anew takes longer than to call it.
LINGER_S = 1.0
#: Seconds of that in one go: one that is killed is believed for so long to be awake.
LISTEN_S = 0.1
#: Less is not worth a round trip; and to the store, no time at all would be all the time there is.
SHORTEST_S = 0.001

#: A look at a partition that came to nothing.
_IN_VAIN = (Drained.NOT_OWNER, Drained.STUCK, Drained.TOO_NEW)


class Puller:
    """One worker's way through the backlog.

    While it goes from partition to partition, and lingers afterwards, it says that it is awake; nobody needs to ring:
    whatever is submitted meanwhile it will see, since it looks at the backlog once more after it stopped saying so.
    """

    def __init__(self, drainer: Drainer, backlog: Backlog, bell: Bell, *, linger_s: float = LINGER_S) -> None:
        self._drainer = drainer
        self._backlog = backlog
        self._bell = bell
        self._linger_s = linger_s
        self._awake_since: float | None = None
        self._worked_at = float("-inf")

    def drain(self, catalog_key: str) -> Drained:
        """Drain the partition somebody rang for, at once: others are told that it is needless to ring only later."""
        drained = self._drainer.drain(catalog_key)
        if drained not in _IN_VAIN:
            self._worked_at = time.monotonic()
        return drained

    def pull(self, *, until: float) -> None:
        """Drain what nobody drains until nothing is left, or ``until`` (monotonic, seconds): then ring for the rest."""
        while time.monotonic() < until:
            if self._round(until) or self._lingers(until):
                continue
            if self._awake_since is None:
                return
            self._fall_asleep()
        self._fall_asleep()
        left, _ = self._backlog.unowned()
        if left:
            self._bell.ring(left[0].catalog_key)

    def _round(self, until: float) -> bool:
        """Go through the backlog page by page until a page had something to drain; False if none had."""
        skip, seen = 0, PAGE
        while seen == PAGE:
            unowned, seen = self._backlog.unowned(skip=skip)
            busy = False
            for catalog_keys in _handfuls(unowned):
                if time.monotonic() >= until:
                    return True
                busy |= self._drained(catalog_keys)
            if busy:
                return True
            skip += seen
        return False

    def _drained(self, catalog_keys: Sequence[str]) -> bool:
        """Drain partitions; False if that came to nothing."""
        left = catalog_keys if len(catalog_keys) == 1 else self._drainer.drain_together(catalog_keys)
        worked = left != catalog_keys
        for catalog_key in left:
            worked |= self._drained_alone(catalog_key)
        if worked:
            # Only now, since only after this it is certain that there will be another look.
            self._worked_at = time.monotonic()
            self._stay_awake()
        return worked

    def _drained_alone(self, catalog_key: str) -> bool:
        try:
            return self._drainer.drain(catalog_key) not in _IN_VAIN
        except StoreUnavailable:
            raise
        # One partition's trouble, logged where it happened, must not hold up the others.
        except Exception:
            return False

    def _lingers(self, until: float) -> bool:
        """Wait to be called before the next look; False if there was nothing for too long."""
        now = time.monotonic()
        left_s = min(self._worked_at + self._linger_s, until) - now
        if left_s < SHORTEST_S:
            return False
        self._backlog.linger(min(left_s, LISTEN_S))
        self._awake_since = time.monotonic()
        return True

    def _stay_awake(self) -> None:
        now = time.monotonic()
        if self._awake_since is None or now - self._awake_since > AWAKE_MS / 2000:
            self._backlog.stay_awake()
            self._awake_since = now

    def _fall_asleep(self) -> None:
        self._backlog.fall_asleep()
        self._awake_since = None


def _handfuls(unowned: Iterable[Unowned]) -> Iterator[list[str]]:
    """Put small ones that follow each other together, and leave all others alone; the order stays."""
    handful: list[str] = []
    for catalog_key, entries in unowned:
        if entries > SMALL_ENTRIES or len(handful) == HANDFUL:
            if handful:
                yield handful
            handful = []
        if entries > SMALL_ENTRIES:
            yield [catalog_key]
        else:
            handful.append(catalog_key)
    if handful:
        yield handful
