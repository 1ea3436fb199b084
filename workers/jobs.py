"""The Celery jobs: thin edges around the drain."""

from __future__ import annotations

import time
from collections.abc import Callable

from celery import Celery

from shared.backlog import Backlog
from shared.wakeups import DRAIN_JOB, QUEUE
from workers.drain import Drainer
from workers.sweep import pull

#: Seconds after which a job ends although other partitions wait: so a warm stop never waits for long.
JOB_S = 1.0


def register(celery: Celery, tools: Callable[[], tuple[Drainer, Backlog]], *, hard_limit_s: int) -> None:
    """Declare the jobs.  ``tools`` are made in the process that runs the job, when it runs its first."""

    @celery.task(name=DRAIN_JOB, queue=QUEUE, ignore_result=True, acks_late=False, time_limit=hard_limit_s)
    def drain_partition(catalog_key: str) -> str:
        """Drain one partition, then those that waited longest and nobody attends to."""
        drainer, backlog = tools()
        until = time.monotonic() + JOB_S
        drained = drainer.drain(catalog_key)
        while time.monotonic() < until and pull(drainer, backlog):
            pass
        return drained.value
