"""The usual way: one Celery task per batch, which carries the body; one queue, one worker process, so in order."""

from __future__ import annotations

import os

from celery import Celery

from tests.benchmarks.others.api import create_app
from tests.benchmarks.others.effects import apply
from tests.benchmarks.others.environment import BROKER_URL, store

celery = Celery("usual", broker=os.environ[BROKER_URL])
celery.conf.update(task_ignore_result=True, task_default_queue="usual", broker_connection_retry_on_startup=True)
client = store()


@celery.task(name="apply_batch")
def apply_batch(catalog_key: str, task_id: int, method: str, body: str) -> None:
    apply(client, catalog_key, task_id, method, body)


app = create_app(client, apply_batch.delay)
