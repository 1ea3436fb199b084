"""Pull: drain partitions that nobody drains, longest-waiting first, small ones in groups."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from shared.clock import Clock
from shared.doorbell import Doorbell
from shared.errors import StoreUnavailable
from shared.partition.backlog import AWAKE_MS, PAGE, Backlog, Unowned
from workers.drain.drainer import Drained, Drainer

#: Most partitions in a group, and most entries of a small one: a group takes no longer than a time slice.
GROUP_SIZE = 32
SMALL_ENTRIES = 50
#: Seconds a puller keeps waiting after its last work: a wake-up takes longer than a signal to a waiting worker.
LINGER_S = 1.0
#: Seconds of one wait: a worker that is killed counts as awake for this long.
LISTEN_S = 0.1
#: Shortest wait worth a round trip; the store would take 0 for "no limit".
SHORTEST_S = 0.001

#: A drain that applied nothing.
_IN_VAIN = (Drained.NOT_OWNER, Drained.STUCK, Drained.TOO_NEW)


class Puller:
    """One worker's way through the backlog.

    While it goes from partition to partition, and lingers afterwards, it marks itself as awake and needs no wake-up: it
    sees everything submitted meanwhile, since it checks the backlog once more after it stopped counting as awake.
    """

    def __init__(
        self, drainer: Drainer, backlog: Backlog, bell: Doorbell, *, clock: Clock, linger_s: float = LINGER_S
    ) -> None:
        self._drainer = drainer
        self._backlog = backlog
        self._bell = bell
        self._clock = clock
        self._linger_s = linger_s
        self._awake_since: float | None = None
        self._worked_at = float("-inf")
        #: Whether it has worked since it last said that it is awake.
        self._has_news = False
        #: Catalogs that were seen empty since the last look at the backlog.
        self._emptied: list[str] = []

    def drain(self, catalog_key: str) -> Drained:
        """Drain the partition of a wake-up at once, before this worker marks itself as awake."""
        drained = self._drainer.drain(catalog_key)
        if drained not in _IN_VAIN:
            self._note_work()
        return drained

    def pull(self, *, until: float) -> None:
        """Drain what nobody drains until nothing is left or ``until`` (monotonic, seconds); then send wake-ups."""
        while time.monotonic() < until:
            if self._round(until) or self._lingers(until):
                continue
            if self._awake_since is None:
                return
            self._fall_asleep()
        self._fall_asleep()
        left, _ = self._look(stay_awake=False)
        if left:
            self._bell.ring(left[0].catalog_key)

    def _round(self, until: float) -> bool:
        """Go through the backlog page by page until a page had work; False if none had."""
        skip, seen = 0, PAGE
        while seen == PAGE:
            unowned, seen = self._look(skip=skip)
            busy = False
            for catalog_keys in _groups(unowned):
                if busy:
                    self._stay_awake()
                if time.monotonic() >= until:
                    return True
                busy |= self._drained(catalog_keys)
            if busy:
                return True
            skip += seen
        return False

    def _drained(self, catalog_keys: Sequence[str]) -> bool:
        """Drain partitions; False if there was nothing to do."""
        left = catalog_keys
        if len(catalog_keys) > 1:
            drained = self._drainer.drain_together(catalog_keys)
            self._emptied += drained.empty
            left = drained.left
        worked = left != catalog_keys
        for catalog_key in left:
            worked |= self._drained_alone(catalog_key)
        if worked:
            self._note_work()
        return worked

    def _drained_alone(self, catalog_key: str) -> bool:
        try:
            return self._drainer.drain(catalog_key) not in _IN_VAIN
        except StoreUnavailable:
            raise
        # An error in one partition, which is logged there, must not hold up the others.
        except Exception:
            return False

    def _lingers(self, until: float) -> bool:
        """Wait for a batch and apply it, before the next check of the backlog; False if no work came for too long."""
        now = time.monotonic()
        left_s = min(self._worked_at + self._linger_s, until) - now
        if left_s < SHORTEST_S:
            return False
        called = self._backlog.linger(min(left_s, LISTEN_S))
        self._awake_since = time.monotonic()
        if called is not None:
            # At once: to look at the backlog first takes as long as to apply it.
            self._drained([called])
        return True

    def _note_work(self) -> None:
        """Note that it has worked: only now is another look at the backlog certain."""
        self._worked_at, self._has_news = time.monotonic(), True

    def _look(self, *, skip: int = 0, stay_awake: bool = True) -> tuple[list[Unowned], int]:
        """Look at the backlog, and tell on the way what has happened since the last look."""
        emptied, self._emptied = self._emptied, []
        stays = stay_awake and self._is_time_to_say()
        return self._backlog.unowned(skip=skip, emptied=emptied, now_ms=self._clock(), stay_awake=stays)

    def _stay_awake(self) -> None:
        if self._is_time_to_say():
            self._backlog.stay_awake()

    def _is_time_to_say(self) -> bool:
        """Return whether to say that it is awake, which the caller then does."""
        now = time.monotonic()
        if not self._has_news or (self._awake_since is not None and now - self._awake_since <= AWAKE_MS / 2000):
            return False
        self._awake_since, self._has_news = now, False
        return True

    def _fall_asleep(self) -> None:
        self._backlog.fall_asleep()
        self._awake_since = None


def _groups(unowned: Iterable[Unowned]) -> Iterator[list[str]]:
    """Group adjacent small partitions and leave all others alone, in order."""
    group: list[str] = []
    for catalog_key, entries in unowned:
        if entries > SMALL_ENTRIES or len(group) == GROUP_SIZE:
            if group:
                yield group
            group = []
        if entries > SMALL_ENTRIES:
            yield [catalog_key]
        else:
            group.append(catalog_key)
    if group:
        yield group
