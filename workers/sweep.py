"""The sweep: find partitions with a backlog and no owner, and drain them in place.  It pulls, it never rings.

A thread of its own in each worker, because Celery's timer stands still while its broker is away: so a lost wake-up
costs a moment, and ingestion goes on without a broker.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

import structlog

from shared.backlog import PAGE, Backlog
from shared.clock import Clock
from shared.errors import StoreUnavailable
from shared.heartbeats import Heartbeats
from shared.partitions import Partition
from shared.settings import Settings
from workers.exports import Exporter
from workers.pull import Puller
from workers.trimming import Trimmer

log = structlog.get_logger()

#: Seconds of pulling in one round: the heartbeat must not wait for long.
PULL_S = 2.0
#: Seconds of making room in one round.
TRIM_S = 0.5
#: Tasks and payloads let go of in one call.
RETIRE_STEP = 100


class Sweep:
    """What a worker does each second besides its jobs."""

    def __init__(
        self,
        puller: Puller,
        backlog: Backlog,
        heartbeats: Heartbeats,
        open_partition: Callable[[str], Partition],
        exporter: Exporter,
        trimmer: Trimmer,
        settings: Settings,
        *,
        holder: str,
        clock: Clock,
        stop: threading.Event,
    ) -> None:
        """Prepare; ``stop`` ends the sweep, and is for its drainer to look at too."""
        self._puller = puller
        self._backlog = backlog
        self._heartbeats = heartbeats
        self._open_partition = open_partition
        self._exporter = exporter
        self._trimmer = trimmer
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
        """Do one round: beat, make room, drain what nobody drains, look at a page of all known catalogs."""
        self._heartbeats.beat(self._holder, self._clock())
        self._trimmer.trim(now_ms=self._clock(), until=time.monotonic() + TRIM_S)
        # A worker that goes through the backlog already would only be in the way, and the other way round.
        if not self._backlog.is_watched():
            self._puller.pull(until=time.monotonic() + PULL_S)
        self._look_at_known()

    def _look_at_known(self) -> None:
        """Page by page through all known catalogs, round by round: the last net, and retention."""
        for catalog_key in self._backlog.known(skip=self._known_seen):
            self._open_partition(catalog_key).retire(now_ms=self._clock(), limit=RETIRE_STEP)
            self._exporter.remove_expired(catalog_key, self._clock())
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
