"""The sweep: find partitions with a backlog and no owner, and drain them in place.  It pulls, it never rings.

A thread of its own in each worker, because Celery's timer stands still while its broker is away: so a lost wake-up
costs a moment, and ingestion goes on without a broker.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import structlog

from shared.backlog import PAGE, Backlog
from shared.clock import Clock
from shared.errors import StoreUnavailable
from shared.heartbeats import Heartbeats
from shared.partitions import Partition
from shared.settings import Settings
from workers.drain import Drained, Drainer

log = structlog.get_logger()

#: Tasks and payloads let go of in one call.
RETIRE_STEP = 100


def pull(drainer: Drainer, backlog: Backlog) -> bool:
    """Drain the longest-waiting partition that nobody attends to; False if there is none."""
    skip = 0
    while True:
        catalog_keys, seen = backlog.unattended(skip=skip)
        for catalog_key in catalog_keys:
            if drainer.drain(catalog_key) not in (Drained.NOT_OWNER, Drained.STUCK):
                return True
        if seen < PAGE:
            return False
        skip += seen


class Sweep:
    """What a worker does each second besides its jobs."""

    def __init__(
        self,
        drainer: Drainer,
        backlog: Backlog,
        heartbeats: Heartbeats,
        open_partition: Callable[[str], Partition],
        settings: Settings,
        *,
        holder: str,
        clock: Clock,
        stop: threading.Event,
    ) -> None:
        """Prepare; ``stop`` ends the sweep, and is for the drainer to look at too."""
        self._drainer = drainer
        self._backlog = backlog
        self._heartbeats = heartbeats
        self._open_partition = open_partition
        self._settings = settings
        self._holder = holder
        self._clock = clock
        self._stop = stop
        self._thread = threading.Thread(target=self._run, name="sweep", daemon=True)
        self._known_seen = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End after the slice at hand."""
        self._stop.set()
        self._thread.join(timeout_s)

    def once(self) -> None:
        """Do one round: beat, drain what nobody drains, look at a page of all known catalogs."""
        self._heartbeats.beat(self._holder, self._clock())
        while not self._stop.is_set() and pull(self._drainer, self._backlog):
            self._heartbeats.beat(self._holder, self._clock())
        self._look_at_known()

    def _look_at_known(self) -> None:
        """Page by page through all known catalogs, round by round: the last net, and retention."""
        for catalog_key in self._backlog.known(skip=self._known_seen):
            self._open_partition(catalog_key).retire(now_ms=self._clock(), limit=RETIRE_STEP)
        seen = self._backlog.add_forgotten(self._clock(), skip=self._known_seen)
        self._known_seen = self._known_seen + seen if seen == PAGE else 0

    def _run(self) -> None:
        while not self._stop.wait(self._settings.sweep_s):
            try:
                self.once()
            except StoreUnavailable as error:
                log.warning("the store is away", action="sweep", error=str(error))
            # The thread has to outlive any one partition's trouble, which was logged where it happened.
            except Exception as error:
                log.error("sweep failed", action="sweep", error=repr(error))
        with contextlib.suppress(StoreUnavailable):
            self._heartbeats.stop(self._holder)
