"""Wait for a task to end, for callers who want its result in the response."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from shared.model import Status
from shared.tasks.records import Task, Tasks
from shared.waiting import WaitedInVain, wait_until

#: Longest wait that a request may ask for.
MAX_WAIT_S = 30
#: Seconds between two checks of the task: little compared with a round through a worker.
LOOK_EVERY_S = 0.004
#: Seconds between two checks of the sinks.
INDEXED_EVERY_S = 0.03


class UntilIndexed(int):
    """So many seconds, and not only until the task has ended, but until every required sink has it."""


class Waiters:
    """Limits how many requests wait at once, so that they never occupy all threads of a process."""

    def __init__(self, threads: int) -> None:
        self._seats = threading.BoundedSemaphore(max(1, threads // 2))

    def wait_for_end(
        self,
        tasks: Tasks,
        task_id: int,
        seconds: float,
        *,
        standing_s: float = 0.0,
        indexed: Callable[[Task], bool] = lambda _: True,
    ) -> Task | None:
        """Wait until a task has ended or the time is up, then read it; with `UntilIndexed` until it is ``indexed``.

        If too many requests wait already, wait only ``standing_s``.  Returns None if there is no such task.
        """
        until = time.monotonic() + seconds
        self.wait_for(lambda: tasks.has_ended(task_id), "end of the task", seconds, standing_s=standing_s)
        task = tasks.get(task_id)
        left_s = until - time.monotonic()
        if task is not None and isinstance(seconds, UntilIndexed) and task.status is Status.DONE and left_s > 0:
            self.wait_for(lambda: indexed(task), "delivery to the sinks", left_s, every_s=INDEXED_EVERY_S)
        return task

    def wait_for(
        self,
        condition: Callable[[], object],
        what: str,
        seconds: float,
        *,
        every_s: float = LOOK_EVERY_S,
        standing_s: float = 0.0,
    ) -> None:
        """Wait until a condition holds or the time is up; if too many requests wait already, only ``standing_s``."""
        seated = seconds > 0 and self._seats.acquire(blocking=False)
        try:
            patience_s = seconds if seated else min(seconds, standing_s)
            if patience_s > 0:
                with contextlib.suppress(WaitedInVain):
                    wait_until(condition, what, timeout_s=patience_s, every_s=every_s)
        finally:
            if seated:
                self._seats.release()
