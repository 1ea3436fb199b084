"""Drain a partition: apply its batches in order, with one owner at a time."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Sequence
from enum import StrEnum

import structlog

from shared.catalog.reader import Catalog
from shared.clock import Clock
from shared.doorbell import Doorbell
from shared.errors import RecordTooNew, StoreUnavailable
from shared.partition.backlog import Backlog
from shared.partition.claim import Claim
from shared.partition.grants import AcquireRefusal, Grant
from shared.partition.step_results import DONE_ANSWERS, StepResult, StepsTaken
from shared.partition.steps import Step, last_commit
from shared.settings import Settings
from workers.drain.drain_record import DrainRecord
from workers.drain.known_rules import KnownRules
from workers.drain.planner import HeadChanged, LeaseLost, Planner
from workers.drain.small_partitions import GroupResult, SmallPartitions
from workers.drain.task_spans import TaskSpans
from workers.drain.watchdog import Watchdog
from workers.export.exporter import Exporter

log = structlog.get_logger()


class Drained(StrEnum):
    """The result of a drain."""

    #: No batch is left.
    EMPTY = "EMPTY"
    #: The time slice is used up with work left; the partition was given back and a wake-up sent.
    YIELDED = "YIELDED"
    #: Another worker owns it.
    NOT_OWNER = "NOT_OWNER"
    #: The lease expired meanwhile; the next owner starts from the head.
    LOST = "LOST"
    #: Its head needs an operator.
    STUCK = "STUCK"
    #: A newer Sluice wrote the record at its head, which is left to a newer worker.
    TOO_NEW = "TOO_NEW"


_REFUSED = {
    AcquireRefusal.EMPTY: Drained.EMPTY,
    AcquireRefusal.OWNED: Drained.NOT_OWNER,
    AcquireRefusal.STUCK: Drained.STUCK,
}


class Drainer:
    """Drains any partition, one at a time."""

    def __init__(
        self,
        open_claim: Callable[[str], Claim],
        open_catalog: Callable[[str], Catalog],
        exporter: Exporter,
        backlog: Backlog,
        bell: Doorbell,
        settings: Settings,
        *,
        clock: Clock,
        stopping: Callable[[], bool] = lambda: False,
        watchdog: Watchdog | None = None,
        swept: bool = False,
        task_spans: TaskSpans | None = None,
    ) -> None:
        """``swept``: the drained partitions were found by the sweep, without a wake-up."""
        self._open_claim = open_claim
        self._open_catalog = open_catalog
        self._exporter = exporter
        self._backlog = backlog
        self._bell = bell
        self._settings = settings
        self._clock = clock
        self._stopping = stopping
        self._watchdog = watchdog or Watchdog(None)
        self._open_record = functools.partial(DrainRecord, swept=swept, task_spans=task_spans)
        self._known_rules = KnownRules()
        self._small = SmallPartitions(self._open_planner, self._open_record, clock=clock)
        #: Partitions that were, or may have been, acquired when the store became unreachable.
        self._unexcused: list[Claim] = []
        #: Catalogs whose partition is stuck.
        self._stuck: set[str] = set()

    def drain(self, catalog_key: str) -> Drained:
        """Apply a partition's batches in order until none is left or the time slice is used up.

        At most one drain makes progress on a partition.  A second caller finds the lease taken and returns at once
        with ``NOT_OWNER``: a duplicate wake-up costs one round trip and nothing else.

        Losing the lease halfway is an outcome, not an error: the current chunk was committed whole or not at all, and
        the next owner starts from the head.  A head that only a newer worker can read is an outcome too, and stays.
        Raises StoreUnavailable if Redis cannot be reached; calling again is always safe.  Any other error counts as a
        stall of the current batch and is raised too.
        """
        self._excuse()
        claim = self._open_claim(catalog_key)
        try:
            self._watchdog.feed()
            drained = self._take_over(claim)
        except (StoreUnavailable, RecordTooNew) as problem:
            self._unexcused.append(claim)
            with contextlib.suppress(StoreUnavailable):
                self._excuse()
            if isinstance(problem, StoreUnavailable):
                raise
            log.warning(
                "record too new, left to a newer worker", action="drain", catalog_key=catalog_key, error=str(problem)
            )
            drained = Drained.TOO_NEW
        finally:
            self._watchdog.rest()
        if drained is Drained.EMPTY:
            self._backlog.remove([catalog_key], self._clock())
        elif drained is Drained.YIELDED:
            self._backlog.move_back(catalog_key, self._clock())
            self._bell.ring(catalog_key)
        elif drained is Drained.LOST:
            log.warning(
                "lease lost, late commit refused", action="fenced", catalog_key=catalog_key, holder=claim.holder
            )
        return drained

    def drain_together(self, catalog_keys: Sequence[str]) -> GroupResult:
        """Drain small partitions together.  Raises as `drain`.

        Those that are empty then are still in the backlog: the caller has it remove them.
        """
        self._excuse()
        claims = [self._open_claim(catalog_key) for catalog_key in catalog_keys]
        try:
            self._watchdog.feed()
            drained = self._small.drain(claims)
        except Exception as error:
            self._unexcused += claims
            with contextlib.suppress(StoreUnavailable):
                self._excuse()
            if isinstance(error, StoreUnavailable):
                raise
            if not isinstance(error, RecordTooNew):
                log.exception("drain failed", action="drain", catalog_keys=catalog_keys)
            return GroupResult(left=list(catalog_keys))
        finally:
            self._watchdog.rest()
        return drained

    def _excuse(self) -> None:
        """Give back partitions owned during an outage of the store, so that it counts as no batch's stall."""
        while self._unexcused:
            self._unexcused[-1].excuse()
            self._unexcused.pop()

    def _take_over(self, claim: Claim) -> Drained:
        """Become the owner and drain; on an unexpected error give the partition back."""
        catalog_key, grant = claim.catalog_key, claim.acquire()
        self._alarm(catalog_key, stuck=grant is AcquireRefusal.STUCK)
        if isinstance(grant, AcquireRefusal):
            return _REFUSED[grant]
        at_head = {"action": "drain", "catalog_key": catalog_key, "task_id": grant.window[0].task_id}
        if grant.stalls:
            log.warning("previous owner was lost at this task", stalls=grant.stalls, **at_head)
        record = self._open_record(catalog_key)
        try:
            drained = self._advance(claim, grant, record)
        except (StoreUnavailable, RecordTooNew):
            raise
        except Exception:
            log.exception("drain failed", **at_head)
            record.failed()
            grant.lease.yield_(troubled=True)
            self._backlog.move_back(catalog_key, self._clock())
            raise
        record.ended(lost=drained is Drained.LOST)
        return drained

    def _alarm(self, catalog_key: str, *, stuck: bool) -> None:
        """Log once that a partition is stuck and needs an operator."""
        if not stuck:
            self._stuck.discard(catalog_key)
        elif catalog_key not in self._stuck:
            self._stuck.add(catalog_key)
            log.error(
                "partition stuck: run `sluice partitions retry` or `skip`", action="drain", catalog_key=catalog_key
            )

    def _advance(self, claim: Claim, grant: Grant, record: DrainRecord) -> Drained:
        """Take rounds of steps from the head."""
        planner = self._open_planner(claim.catalog_key)
        deadline = time.monotonic() + self._settings.slice_s
        while True:
            self._watchdog.feed()
            steps, progress = self._take(planner, grant, deadline, record)
            if progress.answer is StepResult.FENCED:
                return Drained.LOST
            if progress.released:
                return Drained.EMPTY
            if progress.answer not in DONE_ANSWERS:
                looked = claim.acquire()
                if isinstance(looked, Grant):
                    grant = looked
                elif looked is not AcquireRefusal.EMPTY:
                    return Drained.LOST
                elif grant.lease.release():
                    return Drained.EMPTY
            elif progress.window is not None:
                grant = Grant(grant.lease, last_commit(steps, grant.applied), 0, progress.window)
            else:
                grant.lease.yield_()
                return Drained.YIELDED

    def _take(
        self, planner: Planner, grant: Grant, deadline: float, record: DrainRecord
    ) -> tuple[Sequence[Step], StepsTaken]:
        """Plan the next steps and take them."""
        try:
            steps = planner.plan(grant, now_ms=self._clock())
        except LeaseLost:
            return [], StepsTaken(StepResult.FENCED)
        except HeadChanged:
            return [], StepsTaken(StepResult.CANCELED)
        now_ms, wants_more = self._clock(), self._goes_on(deadline)
        progress = grant.lease.take(grant.applied, steps, now_ms=now_ms, wants_more=wants_more)
        record.taken(steps, progress)
        return steps, progress

    def _open_planner(self, catalog_key: str) -> Planner:
        catalog = self._open_catalog(catalog_key)
        return Planner(
            catalog, self._settings, self._exporter, progress=self._watchdog.feed, known_rules=self._known_rules
        )

    def _goes_on(self, deadline: float) -> bool:
        return time.monotonic() < deadline and not self._stopping()
