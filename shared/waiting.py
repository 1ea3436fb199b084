"""Wait for conditions; the only module that sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class WaitedInVain(Exception):
    """The condition did not come true in time."""


def wait_until(condition: Callable[[], T], what: str, *, timeout_s: float, every_s: float = 0.05) -> T:
    """Call ``condition`` until its answer is true, and return that answer.

    It is called at least twice: at once, and when the time is up.  What it raises passes through.  Raises WaitedInVain,
    naming ``what``, if it never came true.
    """
    end = time.monotonic() + timeout_s
    while True:
        late = time.monotonic() >= end
        if answer := condition():
            return answer
        if late:
            raise WaitedInVain(f"{what}: not within {timeout_s:g} s")
        # The one place that sleeps: everybody else waits for something, by way of this.
        time.sleep(every_s)
