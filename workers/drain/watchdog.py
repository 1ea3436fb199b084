"""The watchdog: end a process that owns work and makes no progress, whatever it is stuck in.

It is a kernel timer, so that neither an endless loop nor a library that never returns can block it.  A process has
only one: a pool of draining threads would need another mechanism.
"""

from __future__ import annotations

import faulthandler
import signal


class Watchdog:
    """Ends this process, with a traceback of all its threads, unless it is fed in time."""

    def __init__(self, limit_s: float | None) -> None:
        """``limit_s`` exceeds the duration of any step, the store's timeouts included; None disables it."""
        self._limit_s = limit_s
        if limit_s is not None:
            # The signal is fatal; before that, the traceback goes to standard error.
            faulthandler.register(signal.SIGALRM, file=2, all_threads=True, chain=True)

    def feed(self) -> None:
        """Report progress."""
        if self._limit_s is not None:
            signal.setitimer(signal.ITIMER_REAL, self._limit_s)

    def rest(self) -> None:
        """Stop watching while there is no work."""
        if self._limit_s is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
