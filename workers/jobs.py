"""The Celery jobs, which start drains."""

from __future__ import annotations

import time
from collections.abc import Callable

from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown

from shared.doorbell import DRAIN_JOB, QUEUE
from shared.telemetry.logs import gather_lines, write_gathered
from workers.drain.puller import Puller

#: Seconds after which a job ends even if other partitions wait, so that a warm stop never takes long.
JOB_S = 1.0


def register(celery: Celery, puller: Callable[[], Puller]) -> None:
    """Declare the jobs.  The ``puller`` is created in each process before it runs jobs."""

    @worker_process_init.connect(weak=False)
    def prepare(**_: object) -> None:
        gather_lines()
        puller()

    @worker_process_shutdown.connect(weak=False)
    def end(**_: object) -> None:
        write_gathered()

    @celery.task(name=DRAIN_JOB, queue=QUEUE, ignore_result=True, acks_late=False)
    def drain_partition(catalog_key: str) -> str:
        """Drain one partition, then those that nobody drains, longest-waiting first."""
        until = time.monotonic() + JOB_S
        try:
            return puller().drain(catalog_key).value
        finally:
            puller().pull(until=until)
