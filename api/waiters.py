"""Wait for a task to end, for callers who want its result in the response."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from shared.tasks.records import Task, Tasks
from shared.waiting import WaitedInVain, wait_until

#: Longest wait that a request may ask for.
MAX_WAIT_S = 30
#: Seconds between two checks of the task: little compared with a round through a worker.
LOOK_EVERY_S = 0.004


class Waiters:
    """Limits how many requests wait at once, so that they never occupy all threads of a process."""

    def __init__(self, threads: int) -> None:
        self._seats = threading.BoundedSemaphore(max(1, threads // 2))

    def wait_for_end(self, tasks: Tasks, task_id: int, seconds: float, *, standing_s: float = 0.0) -> Task | None:
        """Wait until a task has ended or the time is up, then read it.

        If too many requests wait already, wait only ``standing_s``.  Returns None if there is no such task.
        """
        self.wait_for(lambda: tasks.has_ended(task_id), "end of the task", seconds, standing_s=standing_s)
        return tasks.get(task_id)

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
