"""One part of the load: something done again and again, on a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

#: Seconds in which the act at hand ends.
END_S = 120.0


class Part:
    """Does its act every so many seconds; an act that took longer is followed by the next at once."""

    def __init__(self, name: str, act: Callable[[], object], every_s: float) -> None:
        self.name = name
        #: How often it has done it.
        self.done = 0
        #: What ended it, if something did.
        self.wrong: BaseException | None = None
        self._act = act
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the act at hand."""
        self._stop.set()
        self._thread.join(END_S)

    def _run(self) -> None:
        due = time.monotonic()
        try:
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                self._act()
                self.done += 1
                due = max(due + self._every_s, time.monotonic())
        except BaseException as error:
            self.wrong = error
