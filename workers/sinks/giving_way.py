"""Give way to ingestion: where processors are short while batches wait, a sink takes a small share of its time.

The scheduler's lowest class is not enough.  It leaves some time to a sink even if others could use all of it, and the
destination, which may be on the same machine, is in another class.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

#: Nanoseconds that this thread ran, and that it waited for a processor; and how often it ran.
_TIMES = Path("/proc/thread-self/schedstat")
#: Processors are short if a thread waits for one this share of its time: half of it and more where others use all of
#: them, a tenth where there is room.
SHORT = 1 / 3
#: The share of its time that a thread works then, as far as the longest rest allows.
SHARE = 1 / 32
#: Seconds; how long a step takes, and so what it is to rest for, has no bound.
LONGEST_S = 2.0


class GivingWay:
    """Rests between two steps of a delivery where that is due; safe for threads."""

    def __init__(
        self,
        batches_wait: Callable[[], bool],
        rest: Callable[[float], object],
        times_s: Callable[[], tuple[float, float] | None] | None = None,
    ) -> None:
        """``batches_wait`` tells whether batches are being applied, and more wait; ``rest`` takes seconds.

        ``times_s`` tells how long this thread ran and waited for a processor so far; None where nobody knows.
        """
        self._batches_wait = batches_wait
        self._rest = rest
        self._times_s = times_s or thread_times_s
        self._last = threading.local()

    def step(self) -> None:
        """Rest, if it is due, until the work since the last step is SHARE of the time since then."""
        times = self._times_s()
        if times is None:
            return
        before, now = getattr(self._last, "seen", None), (time.monotonic(), *times)
        if before is not None:
            took, ran, waited = (after - earlier for after, earlier in zip(now, before, strict=True))
            if waited > SHORT * took and self._batches_wait():
                self._rest(min(LONGEST_S, max(0.0, ran / SHARE - took)))
                now = (time.monotonic(), *(self._times_s() or times))
        self._last.seen = now


def thread_times_s() -> tuple[float, float] | None:
    """Read how long this thread ran and waited; None where the system does not tell: only Linux does."""
    try:
        ran_ns, waited_ns, _ = map(int, _TIMES.read_text("ascii").split())
    except (OSError, ValueError):
        return None
    return ran_ns / 1e9, waited_ns / 1e9
