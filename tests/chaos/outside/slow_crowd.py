"""Dozens of slow, silent and vanished clients of one ingress, for a while."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence

from tests.support.slow_clients import Crowd, Kind

#: Of each kind.
COUNT = 4
#: Seconds in which all of them have left.
LEFT_S = 60


class SlowCrowd:
    """Comes at once, and stays until it is told to leave, or is shown out."""

    def __init__(self, url: str, kinds: Sequence[Kind]) -> None:
        self._url = url
        self._kinds = kinds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="slow crowd", daemon=True)
        #: How many have come.
        self.came = 0
        self._thread.start()

    def leave(self) -> None:
        """Hang up."""
        self._stop.set()
        self._thread.join(LEFT_S)

    def _run(self) -> None:
        with contextlib.ExitStack() as stack:
            crowds = []
            for kind in self._kinds:
                # The ingress may have been killed just now.
                with contextlib.suppress(OSError):
                    crowds.append(crowd := Crowd(self._url, kind, COUNT))
                    stack.callback(crowd.close)
                    self.came += COUNT
            while crowds and not self._stop.wait(0.05):
                for crowd in crowds:
                    crowd.tend()
