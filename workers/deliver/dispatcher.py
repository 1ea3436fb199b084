"""Dispatch the entries of all outboxes, on threads of their own, so that draining never waits for them.

All its state is in the store: killed at any point, it or another worker continues from there.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import structlog

from shared.clock import Clock
from shared.errors import StoreUnavailable
from shared.outbox.outbox import MAIL, Lane, Outboxes
from workers.deliver.deliverer import Deliverer

log = structlog.get_logger()

#: Most concurrent calls of one worker.
CALLS = 64
#: Of these, most calls to targets that are not known to be quick, so that quick ones never wait for them.
DOUBTFUL_CALLS = 48
#: Most concurrent calls to one quick target; to any other it is one.
CALLS_PER_TARGET = 4
#: Most concurrent conversations with the mail server, of all catalogs.
MAIL_CALLS = 8
#: Seconds within which a quick target answers.
QUICK_S = 1.0
#: Seconds after which a target yields to another.
TURN_S = 1.0
#: Most targets remembered as quick; beyond that all are forgotten.
QUICK_TARGETS = 10_000


class Dispatcher:
    """Checks every second which targets have due entries, and delivers them on threads.

    A slow or dead target delays only itself: until it has proved quick it gets one thread at a time.
    """

    def __init__(
        self, deliverer: Deliverer, outboxes: Outboxes, *, every_s: float, clock: Clock, stop: threading.Event
    ) -> None:
        self._deliverer = deliverer
        self._outboxes = outboxes
        self._every_s = every_s
        self._clock = clock
        self._stop = stop
        self._guard = threading.Lock()
        self._under_way: Counter[Lane] = Counter()
        self._quick: set[Lane] = set()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Start no more calls.  Running calls are not awaited: unless they end in time, they are repeated."""
        self._stop.set()

    def once(self) -> None:
        """Go once through all due queues, in random order, so that none is always last."""
        due = list(self._outboxes.due(self._clock()))
        random.shuffle(due)
        for lane in due:
            self._send_out(lane)

    def _send_out(self, lane: Lane) -> None:
        with self._guard:
            if not self._has_room(lane):
                return
            self._under_way[lane] += 1
        name = f"outbox {lane.catalog_key} {lane.target}"
        threading.Thread(target=self._turn, args=(lane,), name=name, daemon=True).start()

    def _has_room(self, lane: Lane) -> bool:
        under_way = self._under_way
        if under_way.total() >= CALLS:
            return False
        if lane.target == MAIL and sum(count for each, count in under_way.items() if each.target == MAIL) >= MAIL_CALLS:
            return False
        if self._is_quick(lane):
            return under_way[lane] < CALLS_PER_TARGET
        doubtful = sum(count for each, count in under_way.items() if not self._is_quick(each))
        return not under_way[lane] and doubtful < DOUBTFUL_CALLS

    def _is_quick(self, lane: Lane) -> bool:
        # Splitting an entry only takes a read of the store.
        return not lane.target or lane in self._quick

    def _turn(self, lane: Lane) -> None:
        """Deliver to one target until nothing is due or its turn is over."""
        until, slowest_s = time.monotonic() + TURN_S, 0.0
        try:
            while not self._stop.is_set() and (begun := time.monotonic()) < until:
                if not self._deliverer.deliver_next(*lane):
                    break
                slowest_s = max(slowest_s, time.monotonic() - begun)
            if not lane.target:
                for each in self._outboxes.due_of(lane.catalog_key, self._clock()):
                    if each.target:
                        self._send_out(each)
        except StoreUnavailable as error:
            log.warning("store unreachable", action="deliver", catalog_key=lane.catalog_key, error=str(error))
        # Whatever the error, the entry is due again later, and the others must not wait for it.
        except Exception:
            log.exception("delivery failed unexpectedly", action="deliver", catalog_key=lane.catalog_key)
        finally:
            with self._guard:
                self._remember(lane, quick=slowest_s < QUICK_S)
                self._under_way[lane] -= 1
                self._under_way += Counter()  # forgets those at zero

    def _remember(self, lane: Lane, *, quick: bool) -> None:
        if not quick:
            self._quick.discard(lane)
        elif lane.target:
            if len(self._quick) >= QUICK_TARGETS:
                self._quick.clear()
            self._quick.add(lane)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self.once()
            except StoreUnavailable as error:
                log.warning("store unreachable", action="outbox", error=str(error))
            # The thread must survive any error of a round.
            except Exception:
                log.exception("outbox round failed", action="outbox")
