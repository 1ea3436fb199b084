"""Pull: drain one partition after the other, whichever waited longest and nobody drains."""

from __future__ import annotations

import time

from shared.backlog import AWAKE_MS, PAGE, Backlog
from shared.errors import StoreUnavailable
from shared.wakeups import Bell
from workers.drain import Drained, Drainer


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
            self._fall_asleep()
        self._fall_asleep()
        left, _ = self._backlog.unowned()
        if left:
            self._bell.ring(left[0])

    def _round(self, until: float) -> bool:
        """Go through the backlog page by page until a page had something to drain; False if none had."""
        skip, seen = 0, PAGE
        while seen == PAGE:
            catalog_keys, seen = self._backlog.unowned(skip=skip)
            busy = False
            for catalog_key in catalog_keys:
                if time.monotonic() >= until:
                    return True
                busy |= self._drained(catalog_key)
            if busy:
                return True
            skip += seen
        return False

    def _drained(self, catalog_key: str) -> bool:
        """Drain one partition; False if that came to nothing."""
        try:
            worked = self._drainer.drain(catalog_key) not in (Drained.NOT_OWNER, Drained.STUCK)
        except StoreUnavailable:
            raise
        # One partition's trouble, logged where it happened, must not hold up the others.
        except Exception:
            return False
        if worked:
            # Only now, since only after this it is certain that there will be another look.
            self._stay_awake()
        return worked

    def _stay_awake(self) -> None:
        now = time.monotonic()
        if self._awake_since is None or now - self._awake_since > AWAKE_MS / 2000:
            self._backlog.stay_awake()
            self._awake_since = now

    def _fall_asleep(self) -> None:
        self._backlog.fall_asleep()
        self._awake_since = None
