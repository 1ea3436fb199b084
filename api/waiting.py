"""Wait for a task to end, for callers who want the answer in the response."""

from __future__ import annotations

import contextlib
import threading

from shared.tasks import Task, Tasks
from shared.waiting import WaitedInVain, wait_until

#: Longest wait that may be asked for.
MAX_WAIT_S = 30
#: Between two looks at the task: little beside what a round through a worker takes.
LOOK_EVERY_S = 0.004


class Waiters:
    """Bounds how many requests wait at once, so that waiting ones never take all threads of a process."""

    def __init__(self, threads: int) -> None:
        self._seats = threading.BoundedSemaphore(max(1, threads // 2))

    def wait_for_end(self, tasks: Tasks, task_id: int, seconds: float, *, standing_s: float = 0.0) -> Task | None:
        """Wait until a task has ended or the time is up, and read it.

        If too many wait already, the time is up after ``standing_s``.  None if there is no such task.
        """
        seated = seconds > 0 and self._seats.acquire(blocking=False)
        try:
            patience_s = seconds if seated else min(seconds, standing_s)
            if patience_s > 0:
                with contextlib.suppress(WaitedInVain):
                    wait_until(
                        lambda: tasks.has_ended(task_id), "end of the task", timeout_s=patience_s, every_s=LOOK_EVERY_S
                    )
        finally:
            if seated:
                self._seats.release()
        return tasks.get(task_id)
