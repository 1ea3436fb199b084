"""The sweep of the sinks: find those with something to deliver that nobody delivers to, and have a job do it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import structlog

from shared.clock import Clock
from shared.errors import StoreUnavailable
from shared.sinks.sink_lease import Due, due_sinks, mark_rung
from shared.sinks.sinks import Sink, SinkName, all_sinks
from shared.store.client import Store
from shared.store.positions import Position
from shared.tasks.change_feed import ChangeFeed

log = structlog.get_logger()

#: Seconds between two looks at all sinks: the most that a change waits for its job.
LOOK_S = 0.1
#: How long after its last turn a sink is looked at though nothing has changed: its destination may have been restored.
LOOK_AGAIN_MS = 60_000


#: How long after its last turn one is looked at that nothing has ended for, but that is not exact yet.
INEXACT_MS = 1_000


class SinkSweep:
    """A thread of a sink worker.  It sends jobs; without a broker it delivers by itself."""

    def __init__(
        self,
        client: Store,
        send: Callable[[SinkName], None],
        turn: Callable[[SinkName], object],
        *,
        clock: Clock,
        stop: threading.Event,
        close_others: Callable[[Mapping[SinkName, Sink]], None] = lambda sinks: None,
    ) -> None:
        """``send`` sends a job and raises whatever the broker's library raises; ``turn`` takes a turn here.

        ``close_others`` is told of all sinks that are delivered to.
        """
        self._close_others = close_others
        self._client = client
        self._send = send
        self._turn = turn
        self._clock = clock
        self._stop = stop
        self._thread = threading.Thread(target=self._run, name="sink sweep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        self._stop.set()
        self._thread.join(timeout_s)

    def once(self) -> None:
        """Look at all sinks once."""
        sinks = {name: sink for name, sink in all_sinks(self._client) if not sink.paused}
        self._close_others(sinks)
        for due in due_sinks(self._client, sinks, self._clock()):
            if not self._stop.is_set() and self._has_work(due) and mark_rung(self._client, due.name):
                self._ring(due.name)

    def _has_work(self, due: Due) -> bool:
        state = due.state
        if state.phase != "live" or state.version != due.sink.version or state.retried != due.sink.retries:
            return True
        if self._clock() - state.at_ms >= (LOOK_AGAIN_MS if state.exact else INEXACT_MS):
            return True
        return not ChangeFeed(self._client, due.name.catalog_key).ends_at(Position(state.task_id, state.mark))

    def _ring(self, name: SinkName) -> None:
        try:
            self._send(name)
        except Exception as error:
            log.warning("no broker", action="deliver", catalog_key=name.catalog_key, sink=name.name, error=repr(error))
            self._turn(name)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            try:
                self.once()
            except StoreUnavailable as error:
                log.warning("store unreachable", action="sink_sweep", error=str(error))
            # The thread must survive any error of a round.
            except Exception:
                log.exception("sink sweep failed", action="sink_sweep")
