"""The watchdog: a process that no longer gets on with what it owns is ended, whatever it is stuck in.

A timer of the kernel, so that neither an endless loop nor a library that never returns can hold it up.  It is the
process's only one: a pool of threads that drain beside each other would need another.
"""

from __future__ import annotations

import faulthandler
import signal


class Watchdog:
    """Ends this process, with a traceback of all its threads, if it is not fed in time."""

    def __init__(self, limit_s: float | None) -> None:
        """Prepare; ``limit_s`` is more than any step takes, the store's time-outs included; with None it is blind."""
        self._limit_s = limit_s
        if limit_s is not None:
            # The signal itself is fatal; before that it says on standard error where the process was.
            faulthandler.register(signal.SIGALRM, file=2, all_threads=True, chain=True)

    def feed(self) -> None:
        """Say that there is progress."""
        if self._limit_s is not None:
            signal.setitimer(signal.ITIMER_REAL, self._limit_s)

    def rest(self) -> None:
        """Say that there is nothing to get on with."""
        if self._limit_s is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
