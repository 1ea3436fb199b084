"""The Celery jobs: thin edges around the drain."""

from __future__ import annotations

import time
from collections.abc import Callable

from celery import Celery
from celery.signals import worker_process_init

from shared.wakeups import DRAIN_JOB, QUEUE
from workers.pull import Puller

#: Seconds after which a job ends although other partitions wait: so a warm stop never waits for long.
JOB_S = 1.0


def register(celery: Celery, puller: Callable[[], Puller]) -> None:
    """Declare the jobs.  The ``puller`` is made in each process that runs jobs, before there is one."""

    @worker_process_init.connect(weak=False)
    def prepare(**_: object) -> None:
        puller()

    @celery.task(name=DRAIN_JOB, queue=QUEUE, ignore_result=True, acks_late=False)
    def drain_partition(catalog_key: str) -> str:
        """Drain one partition, then those that waited longest and nobody drains."""
        until = time.monotonic() + JOB_S
        try:
            return puller().drain(catalog_key).value
        finally:
            puller().pull(until=until)
