"""The sweep: find partitions with a backlog and no owner, and drain them in place, without wake-ups.

A thread of its own in each worker, because Celery's timer stops while its broker is unreachable: so a lost wake-up
costs a moment, and ingestion goes on without a broker.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

import structlog

from shared.clock import Clock
from shared.errors import StoreUnavailable
from shared.partition.backlog import PAGE, Backlog
from shared.partition.heartbeats import Heartbeats
from shared.partition.retention import Retention, retire_together
from shared.settings import Settings
from workers.drain.puller import Puller
from workers.drain.trimming import Trimmer
from workers.export.exporter import Exporter

log = structlog.get_logger()

#: Longest pulling in one round, seconds: the heartbeat must not wait for long.
PULL_S = 2.0
#: Longest trimming in one round, seconds.
TRIM_S = 0.5
#: Tasks and payloads deleted of each catalog of a page in one call, and of those that have more in a call of their own:
#: others wait for the store meanwhile.
RETIRE_FEW = 2
RETIRE_STEP = 100


class Sweep:
    """The upkeep of a worker, once a second, besides its jobs."""

    def __init__(
        self,
        puller: Puller,
        backlog: Backlog,
        heartbeats: Heartbeats,
        open_retention: Callable[[str], Retention],
        exporter: Exporter,
        trimmer: Trimmer,
        settings: Settings,
        *,
        holder: str,
        clock: Clock,
        stop: threading.Event,
    ) -> None:
        """``stop`` ends the sweep; its drainer checks it too."""
        self._puller = puller
        self._backlog = backlog
        self._heartbeats = heartbeats
        self._open_retention = open_retention
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
        """Stop after the current time slice."""
        self._stop.set()
        self._thread.join(timeout_s)

    def once(self) -> None:
        """Do one round: heartbeat, trimming, draining what nobody drains, one page of all known catalogs."""
        self._heartbeats.beat(self._holder, self._clock())
        self._trimmer.trim(now_ms=self._clock(), until=time.monotonic() + TRIM_S)
        # Another worker that goes through the backlog would only compete with this one.
        if not self._backlog.is_watched():
            self._puller.pull(until=time.monotonic() + PULL_S)
        self._look_at_known()

    def _look_at_known(self) -> None:
        """Check one page of all known catalogs per round: the last safety net, and retention."""
        known = self._backlog.known(skip=self._known_seen)
        retentions = list(map(self._open_retention, known))
        for retention in retire_together(retentions, now_ms=self._clock(), limit=RETIRE_FEW):
            retention.retire(now_ms=self._clock(), limit=RETIRE_STEP)
        self._exporter.remove_expired(known, self._clock())
        seen = self._backlog.add_forgotten(self._clock(), skip=self._known_seen)
        self._known_seen = self._known_seen + seen if seen == PAGE else 0

    def _run(self) -> None:
        while not self._stop.wait(self._settings.sweep_s):
            try:
                self.once()
            except StoreUnavailable as error:
                log.warning("store unreachable", action="sweep", error=str(error))
            # The thread must survive an error in one partition, which was logged there.
            except Exception as error:
                log.error("sweep failed", action="sweep", error=repr(error))
        with contextlib.suppress(StoreUnavailable):
            self._heartbeats.stop(self._holder)
