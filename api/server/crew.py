"""The threads to which the receptionist hands over what may block."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable

log = logging.getLogger(__name__)

Job = Callable[[], None]


class _Bench:
    """Where one idle thread waits for its next job."""

    __slots__ = ("called", "job")

    def __init__(self) -> None:
        self.called = threading.Lock()
        self.called.acquire()
        self.job: Job | None = None


class Crew:
    """Gives each job to the thread that became idle last, whose connections and caches are warm.

    A `queue.SimpleQueue` wakes a second thread for each job, in vain.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._idle: list[_Bench] = []
        self._waiting: deque[Job] = deque()
        self._ended = False

    def hand_over(self, job: Job) -> None:
        """Let a thread of the crew do a job, now or when one is idle."""
        with self._guard:
            if not self._idle:
                self._waiting.append(job)
                return
            bench = self._idle.pop()
        bench.job = job
        bench.called.release()

    def work(self, after_each: Job) -> None:
        """Do jobs on the calling thread, and ``after_each`` behind each one, until the crew is dismissed."""
        bench = _Bench()
        while (job := self._next(bench)) is not None:
            try:
                job()
                after_each()
            # There is a thread for each seat: none may end.
            except Exception:
                with contextlib.suppress(OSError):
                    log.exception("error in a job", extra={"action": "request_failed"})

    def _next(self, bench: _Bench) -> Job | None:
        with self._guard:
            if self._waiting:
                return self._waiting.popleft()
            if self._ended:
                return None
            self._idle.append(bench)
        bench.called.acquire()
        job, bench.job = bench.job, None
        return job

    def dismiss(self) -> None:
        """Let every thread end once there is no job."""
        with self._guard:
            self._ended, idle, self._idle = True, self._idle, []
        for bench in idle:
            bench.called.release()
