"""Pull: drain one partition after the other, whichever waited longest and nobody drains; small ones by the handful."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence

from shared.backlog import AWAKE_MS, PAGE, Backlog, Unowned
from shared.errors import StoreUnavailable
from shared.wakeups import Bell
from workers.drain import Drained, Drainer

#: Partitions that are drained together, and entries up to which one is small: all of them take no longer than a slice.
HANDFUL = 16
SMALL_ENTRIES = 50
#: Seconds that a puller waits for more after there was something last, looking again and again: waking it up anew
#: costs more than that.
LINGER_S = 0.01
LOOK_EVERY_S = 0.001

#: A look at a partition that came to nothing.
_IN_VAIN = (Drained.NOT_OWNER, Drained.STUCK, Drained.TOO_NEW)


class Puller:
    """One worker's way through the backlog.

    While it goes from partition to partition it says that it is awake, and nobody needs to ring: whatever is submitted
    meanwhile it will see, since it looks at the backlog once more after it stopped saying so.
    """

    def __init__(self, drainer: Drainer, backlog: Backlog, bell: Bell) -> None:
        self._drainer = drainer
        self._backlog = backlog
        self._bell = bell
        self._awake_since: float | None = None
        self._worked_at = 0.0
        self._pause = threading.Event()

    def drain(self, catalog_key: str) -> Drained:
        """Drain the partition somebody rang for, at once: others are told that it is needless to ring only later."""
        return self._drainer.drain(catalog_key)

    def pull(self, *, until: float) -> None:
        """Drain what nobody drains until nothing is left, or ``until`` (monotonic, seconds): then ring for the rest."""
        while time.monotonic() < until:
            if self._round(until):
                continue
            if self._awake_since is None:
                return
            if not self._lingers():
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

    def _lingers(self) -> bool:
        """Wait a moment before the next look; False if there was nothing for too long."""
        if time.monotonic() - self._worked_at > LINGER_S:
            return False
        self._stay_awake()
        self._pause.wait(LOOK_EVERY_S)
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
