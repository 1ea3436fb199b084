"""What a drain shows of itself: metrics, and a line for every task that ends.  The drain knows nothing of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import structlog

from shared import metrics
from shared.leases import DONE_ANSWERS, Answer, Grant, Progress, Refusal
from shared.model import Status
from shared.partitions import Partition
from shared.scripts import Command
from shared.steps import Commit, Failure, Piece, Step

log = structlog.get_logger()


class ObservedPartition(Partition):
    """A partition that counts what its owner does; one for each drain."""

    _owned_since: float | None = None
    _sent_at: float = 0.0

    def granted(self, reply: Any) -> Grant | Refusal:
        granted = super().granted(reply)
        if self._owned_since is None and isinstance(granted, Grant):
            self._owned_since = time.perf_counter()
        return granted

    def begin(self, token: str, task_id: int, *, now_ms: int) -> Answer:
        answer = super().begin(token, task_id, now_ms=now_ms)
        if answer is Answer.FENCED:
            self._lost()
        return answer

    def take_commands(self, *args: Any, **how: Any) -> Iterator[Command]:
        yield from super().take_commands(*args, **how)
        self._sent_at = time.perf_counter()

    def progressed(self, steps: Sequence[Step], replies: Sequence[Any]) -> Progress:
        metrics.COMMIT_SECONDS.observe(time.perf_counter() - self._sent_at)
        progress = super().progressed(steps, replies)
        self._tell(steps[: progress.done])
        if progress.answer not in DONE_ANSWERS:
            metrics.COMMITS_REFUSED.labels(progress.answer).inc()
        if progress.answer is Answer.FENCED:
            self._lost()
        elif progress.released:
            self._ended()
        return progress

    def extend(self, token: str) -> bool:
        held = super().extend(token)
        if not held:
            self._lost()
        return held

    def yield_command(self, token: str, *, troubled: bool = False) -> Command:
        if troubled:
            metrics.DRAINS_FAILED.inc()
        self._ended()
        return super().yield_command(token, troubled=troubled)

    def release(self, token: str) -> bool:
        self._ended()
        return super().release(token)

    def _lost(self) -> None:
        metrics.LEASES_LOST.inc()
        self._ended()

    def _ended(self) -> None:
        if self._owned_since is not None:
            metrics.DRAIN_SECONDS.observe(time.perf_counter() - self._owned_since)
            self._owned_since = None

    def _tell(self, steps: Sequence[Step]) -> None:
        """Count, and log, what became of steps that had their effect."""
        applied = sum(len(step.effects.outcomes) for step in steps if isinstance(step, Commit))
        if applied:
            # What is taken in one go is of one kind and operation.
            batch = next(step.batch for step in steps if isinstance(step, Commit))
            metrics.series(metrics.ENTRIES_APPLIED, batch.kind, batch.operation).inc(applied)
        for step in steps:
            if isinstance(step, Piece):
                metrics.ENTRIES_EXPORTED.inc(step.entries)
            if status := _status_after(step):
                metrics.series(metrics.TASKS_ENDED, status).inc()
                log.info("task ended", action="end_task", catalog_key=self.catalog_key, status=status, **_facts(step))


class SweptPartition(ObservedPartition):
    """One that the sweep found."""

    def granted(self, reply: Any) -> Grant | Refusal:
        granted = super().granted(reply)
        if isinstance(granted, Grant):
            metrics.SWEEPS_FOUND.inc()
        return granted


def _status_after(step: Step) -> Status | None:
    """Tell how a task ended with a step; None if it goes on."""
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
        facts["request_id"] = batch.request_id
        if batch.traceparent:
            facts["traceparent"] = batch.traceparent
    if isinstance(step, Failure):
        facts["error"] = step.message
    return facts
