"""The Celery jobs: what a process that runs them has ready."""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.signals import worker_process_init

from workers import jobs


def test_a_process_is_ready_before_its_first_job() -> None:
    """To make a puller takes longer than a small batch does."""
    made: list[int] = []

    def puller() -> Any:
        made.append(1)

    jobs.register(Celery("one"), puller)
    assert not made
    worker_process_init.send(sender=None)
    assert made == [1]
