"""A queue that promises order per key: procrastinate on PostgreSQL, with the catalog as the job's lock."""

from __future__ import annotations

import os
from typing import Any

import procrastinate

from tests.benchmarks.others.api import create_app
from tests.benchmarks.others.effects import apply
from tests.benchmarks.others.environment import POSTGRES, store

client = store()
queue = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ[POSTGRES], max_size=12))


@queue.task(name="apply_batch")
def apply_batch(catalog_key: str, task_id: int, method: str, items: list[dict[str, Any]]) -> None:
    apply(client, catalog_key, task_id, method, items)


def _enqueue(catalog_key: str, task_id: int, method: str, items: Any) -> None:
    # Opened by the first request: the server forks after this module is read.
    queue.open()
    job = apply_batch.configure(lock=catalog_key)
    job.defer(catalog_key=catalog_key, task_id=task_id, method=method, items=items)


app = create_app(client, _enqueue)
