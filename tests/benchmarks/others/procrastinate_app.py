"""A queue that promises order per key: procrastinate on PostgreSQL, with the catalog as the job's lock."""

from __future__ import annotations

import base64
import os

import procrastinate

from tests.benchmarks.others.api import create_app
from tests.benchmarks.others.effects import apply
from tests.benchmarks.others.environment import POSTGRES, store

client = store()
queue = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ[POSTGRES], max_size=12))


@queue.task(name="apply_batch")
def apply_batch(catalog_key: str, task_id: int, method: str, body: str) -> None:
    apply(client, catalog_key, task_id, method, base64.b64decode(body).decode())


def _enqueue(catalog_key: str, task_id: int, method: str, body: str) -> None:
    # Opened by the first request: the server forks after this module is read.
    queue.open()
    job = apply_batch.configure(lock=catalog_key)
    # Quotes among the arguments of a job are escaped one by one: as it is, a body would take a third of a second.
    packed = base64.b64encode(body.encode()).decode()
    job.defer(catalog_key=catalog_key, task_id=task_id, method=method, body=packed)


app = create_app(client, _enqueue)
