"""The thread that empties the outboxes, beside the sweep: it never holds up what is applied.

Everything it has to know lies in the store: killed at any point, it or another worker goes on from there.
"""

from __future__ import annotations

import threading
import time
from collections import Counter

import structlog

from shared.clock import Clock
from shared.errors import StoreUnavailable
from shared.outbox import Outboxes
from workers.delivering import Deliverer

log = structlog.get_logger()

#: Calls that one worker has under way at most, and for one catalog: some wait for whoever does not answer.
CALLS = 16
CALLS_PER_CATALOG = 4
#: Seconds after which a catalog makes room for another.
TURN_S = 1.0


class Postman:
    """Looks every second which outboxes have something due, and delivers on threads of their own."""

    def __init__(
        self, deliverer: Deliverer, outboxes: Outboxes, *, every_s: float, clock: Clock, stop: threading.Event
    ) -> None:
        self._deliverer = deliverer
        self._outboxes = outboxes
        self._every_s = every_s
        self._clock = clock
        self._stop = stop
        self._guard = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more.  Calls under way are not waited for: unless they end in time, they are made again."""
        self._stop.set()

    def once(self) -> None:
        """Go once through all catalogs with something due."""
        for catalog_key in self._outboxes.due(self._clock()):
            self._send_out(catalog_key)

    def _send_out(self, catalog_key: str) -> None:
        with self._guard:
            if self._under_way[catalog_key] >= CALLS_PER_CATALOG or self._under_way.total() >= CALLS:
                return
            self._under_way[catalog_key] += 1
        threading.Thread(target=self._turn, args=(catalog_key,), name=f"outbox {catalog_key}", daemon=True).start()

    def _turn(self, catalog_key: str) -> None:
        """Deliver for one catalog until nothing is due or its turn is over."""
        until = time.monotonic() + TURN_S
        try:
            while not self._stop.is_set() and time.monotonic() < until and self._deliverer.deliver_next(catalog_key):
                pass
        except StoreUnavailable as error:
            log.warning("the store is away", action="deliver", catalog_key=catalog_key, error=str(error))
        # Whatever one entry's trouble is, it is due again later, and the others must not wait for it.
        except Exception:
            log.exception("delivery broke", action="deliver", catalog_key=catalog_key)
        finally:
            with self._guard:
                self._under_way[catalog_key] -= 1
                self._under_way += Counter()  # forgets those at zero

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self.once()
            except StoreUnavailable as error:
                log.warning("the store is away", action="outbox", error=str(error))
            # The thread has to outlive whatever a look at the outboxes may meet.
            except Exception:
                log.exception("the outboxes were not looked at", action="outbox")
