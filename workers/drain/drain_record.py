"""Record the work of a partition's owner: metrics, and a log line for every ended task."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import structlog

from shared.model import Status
from shared.partition.step_results import DONE_ANSWERS, StepsTaken
from shared.partition.steps import Commit, Failure, Piece, Step
from shared.telemetry import metrics
from workers.drain.task_spans import TaskSpans

log = structlog.get_logger()


class DrainRecord:
    """The record of one partition, from acquiring it until it is given back or lost."""

    def __init__(self, catalog_key: str, *, swept: bool, task_spans: TaskSpans | None = None) -> None:
        """``swept``: the sweep found the partition, without a wake-up."""
        self._catalog_key = catalog_key
        self._task_spans = task_spans
        self._since = time.perf_counter()
        if swept:
            metrics.SWEEPS_FOUND.inc()

    def taken(self, steps: Sequence[Step], progress: StepsTaken) -> None:
        """Count a round of steps and log the tasks that it ended."""
        metrics.COMMIT_SECONDS.observe(progress.store_s)
        if progress.answer not in DONE_ANSWERS:
            metrics.COMMITS_REFUSED.labels(progress.answer).inc()
        done = steps[: progress.done]
        applied = sum(len(step.effects.outcomes) for step in done if isinstance(step, Commit))
        if applied:
            # The steps of one round have one kind and operation.
            batch = next(step.batch for step in done if isinstance(step, Commit))
            metrics.series(metrics.ENTRIES_APPLIED, batch.kind, batch.operation).inc(applied)
        for step in done:
            if isinstance(step, Piece):
                metrics.ENTRIES_EXPORTED.inc(step.entries)
            if status := _status_after(step):
                metrics.series(metrics.TASKS_ENDED, status).inc()
                log.info("task ended", action="end_task", catalog_key=self._catalog_key, status=status, **_facts(step))
                if self._task_spans is not None:
                    self._task_spans.ended(self._catalog_key, step.work.task_id)

    def failed(self) -> None:
        """Count a drain that ended with an unexpected error."""
        metrics.DRAINS_FAILED.inc()
        self.ended(lost=False)

    def ended(self, *, lost: bool) -> None:
        """Count the time for which the partition was owned; ``lost`` if another worker owns it now."""
        if lost:
            metrics.LEASES_LOST.inc()
        metrics.DRAIN_SECONDS.observe(time.perf_counter() - self._since)


def _status_after(step: Step) -> Status | None:
    """Return the final status that a step gives its task; None if the task goes on."""
    if isinstance(step, Failure):
        return Status.FAILED
    if isinstance(step, Piece):
        return Status.DONE if not step.cursor else None
    batch = step.work.batch
    last = batch is not None and step.effects.chunk_ends and step.chunk + 1 == batch.steps
    return Status.DONE if last else None


def _facts(step: Step) -> dict[str, Any]:
    batch = step.work.batch
    facts: dict[str, Any] = {"task_id": step.work.task_id}
    if batch is not None:
        facts |= {"kind": batch.kind, "operation": batch.operation, "section": batch.section, "entries": batch.entries}
        facts["request_id"] = batch.origin.request_id
        if batch.origin.traceparent:
            facts["traceparent"] = batch.origin.traceparent
    if isinstance(step, Failure):
        facts["error"] = step.message
    return facts
