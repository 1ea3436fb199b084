"""Wait for conditions, and limit how long others take; the only module that sleeps."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from shared.elsewhere import elsewhere

T = TypeVar("T")


class WaitedInVain(Exception):
    """The condition did not come true in time."""


def wait_until(condition: Callable[[], T], what: str, *, timeout_s: float, every_s: float = 0.05) -> T:
    """Call ``condition`` until its answer is true, and return that answer.

    It is called at least twice: at once, and when the time is up.  What it raises passes through.  Raises WaitedInVain,
    naming ``what``, if it never came true.
    """
    end = time.monotonic() + timeout_s
    return condition() or elsewhere(partial(_wait, condition, what, end, timeout_s, every_s))


def _wait(condition: Callable[[], T], what: str, end: float, timeout_s: float, every_s: float) -> T:
    while True:
        late = time.monotonic() >= end
        if not late:
            # The one place that sleeps: everybody else waits for something, by way of this.
            time.sleep(every_s)
        if answer := condition():
            return answer
        if late:
            raise WaitedInVain(f"{what}: not within {timeout_s:g} s")


@contextlib.contextmanager
def cut_off(seconds: float, cut: Callable[[], None]) -> Iterator[None]:
    """Call ``cut`` on another thread, unless what is done within ends in time; it has to make that fail.

    For calls as a whole: a peer that sends a byte per second keeps every step of one in time.
    """
    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
