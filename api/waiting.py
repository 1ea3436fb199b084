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

    def wait_for_end(self, tasks: Tasks, task_id: int, seconds: float) -> Task | None:
        """Wait until a task has ended or the time is up, and read it; at once, if too many wait already.

        None if there is no such task.
        """
        if seconds > 0 and self._seats.acquire(blocking=False):
            try:
                with contextlib.suppress(WaitedInVain):
                    wait_until(
                        lambda: tasks.has_ended(task_id), "end of the task", timeout_s=seconds, every_s=LOOK_EVERY_S
                    )
            finally:
                self._seats.release()
        return tasks.get(task_id)
