"""Spans of ended tasks: the time that each waited in its queue, and the time that it was applied."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from shared.errors import StoreUnavailable
from shared.model import Status
from shared.tasks.records import Tasks
from shared.telemetry import spans


class TaskSpans:
    """Writes spans about tasks whose requests are part of a trace; costs one more read of the store a task."""

    def __init__(self, open_tasks: Callable[[str], Tasks]) -> None:
        self._open_tasks = open_tasks

    def ended(self, catalog_key: str, task_id: int) -> None:
        """Write the spans of a task that has ended; without the store there are none."""
        with contextlib.suppress(StoreUnavailable):
            task = self._open_tasks(catalog_key).get(task_id)
            parent = task.batch.origin.traceparent if task else ""
            if task is None or not parent:
                return
            facts: dict[str, Any] = {"catalog_key": catalog_key, "task_id": task_id}
            started_ms = task.updated_ms if task.started_ms is None else task.started_ms
            spans.begin("queue", parent=parent, start_ms=task.submitted_ms, **facts).end(started_ms)
            drained = spans.begin(
                "drain",
                parent=parent,
                start_ms=started_ms,
                kind_of_entries=task.batch.kind,
                operation=task.batch.operation,
                entries=task.entries_done,
                status=task.status,
                **facts,
            )
            if task.status is Status.FAILED:
                drained.fail(task.error or "")
            drained.end(task.updated_ms)
