"""Drain a partition: its batches, in order, by one owner at a time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from enum import StrEnum

import structlog

from shared.backlog import Backlog
from shared.catalogs import Catalog
from shared.clock import Clock
from shared.errors import RecordTooNew, StoreUnavailable
from shared.leases import DONE_ANSWERS, Answer, Grant, Progress, Refusal
from shared.partitions import Partition, new_nonce
from shared.settings import Settings
from shared.steps import Step, last_commit
from shared.wakeups import Bell
from workers.exports import Exporter
from workers.handful import Claim, Handful
from workers.plan import HeadChanged, LeaseLost, Planner
from workers.watchdog import Watchdog

log = structlog.get_logger()


class Drained(StrEnum):
    """How a drain ended."""

    #: Nothing waits any more.
    EMPTY = "EMPTY"
    #: The slice was spent with work left; the partition was given back and rung for.
    YIELDED = "YIELDED"
    #: Somebody else owns it.
    NOT_OWNER = "NOT_OWNER"
    #: The lease ran out on the way; the next owner starts from the head.
    LOST = "LOST"
    #: Its head needs an operator.
    STUCK = "STUCK"
    #: Its head was written by a newer Sluice, and is left to a newer worker.
    TOO_NEW = "TOO_NEW"


_REFUSED = {Refusal.EMPTY: Drained.EMPTY, Refusal.OWNED: Drained.NOT_OWNER, Refusal.STUCK: Drained.STUCK}


class Drainer:
    """Drains any partition, one at a time, under one holder's name."""

    def __init__(
        self,
        open_partition: Callable[[str], Partition],
        open_catalog: Callable[[str], Catalog],
        exporter: Exporter,
        backlog: Backlog,
        bell: Bell,
        settings: Settings,
        *,
        holder: str,
        clock: Clock,
        stopping: Callable[[], bool] = lambda: False,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._open_partition = open_partition
        self._open_catalog = open_catalog
        self._exporter = exporter
        self._backlog = backlog
        self._bell = bell
        self._settings = settings
        self._holder = holder
        self._clock = clock
        self._stopping = stopping
        self._watchdog = watchdog or Watchdog(None)
        self._handful = Handful(self._open_planner, holder=holder, clock=clock)
        #: Partitions that were, or may have been, taken over when the store went away.
        self._unexcused: list[Claim] = []
        #: Catalogs whose partition is known to be stuck.
        self._stuck: set[str] = set()

    def drain(self, catalog_key: str) -> Drained:
        """Apply a partition's batches in order until none is left or the slice is spent.

        At most one drain makes progress on a partition.  A second caller finds the lease taken and returns at once
        with ``NOT_OWNER``: a duplicate wake-up costs one round trip and nothing else.

        Losing the lease halfway is an outcome, not an error: the chunk in hand was committed whole or not at all, and
        the next owner starts from the head.  So is a head that only a newer worker can read: it is left as it is.
        Raises StoreUnavailable if Redis cannot be reached; calling again is always safe.  Any other error counts as a
        stall of the batch at hand and is raised too.
        """
        self._excuse()
        partition, nonce = self._open_partition(catalog_key), new_nonce()
        try:
            self._watchdog.feed()
            drained = self._take_over(partition, nonce)
        except (StoreUnavailable, RecordTooNew) as problem:
            self._unexcused.append(Claim(partition, nonce))
            with contextlib.suppress(StoreUnavailable):
                self._excuse()
            if isinstance(problem, StoreUnavailable):
                raise
            log.warning("left to a newer worker", action="drain", catalog_key=catalog_key, error=str(problem))
            drained = Drained.TOO_NEW
        finally:
            self._watchdog.rest()
        if drained is Drained.EMPTY:
            self._backlog.remove([catalog_key], self._clock())
        elif drained is Drained.YIELDED:
            self._backlog.move_back(catalog_key, self._clock())
            self._bell.ring(catalog_key)
        elif drained is Drained.LOST:
            log.warning("lease lost, late work refused", action="fenced", catalog_key=catalog_key, holder=self._holder)
        return drained

    def drain_together(self, catalog_keys: Sequence[str]) -> Sequence[str]:
        """Drain small partitions in step; returns those that have to be drained by themselves.  Raises as `drain`."""
        self._excuse()
        claims = [Claim(self._open_partition(catalog_key), new_nonce()) for catalog_key in catalog_keys]
        try:
            self._watchdog.feed()
            drained = self._handful.drain(claims)
        except Exception as error:
            self._unexcused += claims
            with contextlib.suppress(StoreUnavailable):
                self._excuse()
            if isinstance(error, StoreUnavailable):
                raise
            if not isinstance(error, RecordTooNew):
                log.exception("drain failed", action="drain", catalog_keys=catalog_keys)
            return catalog_keys
        finally:
            self._watchdog.rest()
        self._backlog.remove(drained.empty, self._clock())
        return drained.left

    def _excuse(self) -> None:
        """Give back what was lost sight of when the store was away, so that no batch is blamed for that."""
        while self._unexcused:
            partition, nonce = self._unexcused[-1]
            partition.excuse(nonce)
            self._unexcused.pop()

    def _take_over(self, partition: Partition, nonce: str) -> Drained:
        """Become the owner and get on, or give the partition back if that raises anything unforeseen."""
        grant = partition.acquire(self._holder, nonce=nonce)
        self._alarm(partition.catalog_key, stuck=grant is Refusal.STUCK)
        if isinstance(grant, Refusal):
            return _REFUSED[grant]
        at_head = {"action": "drain", "catalog_key": partition.catalog_key, "task_id": grant.window[0].task_id}
        if grant.stalls:
            log.warning("the last owner was lost here", stalls=grant.stalls, **at_head)
        try:
            return self._advance(partition, grant, nonce)
        except (StoreUnavailable, RecordTooNew):
            raise
        except Exception:
            log.exception("drain failed", **at_head)
            partition.yield_(grant.token, troubled=True)
            self._backlog.move_back(partition.catalog_key, self._clock())
            raise

    def _alarm(self, catalog_key: str, *, stuck: bool) -> None:
        """Tell an operator of a partition that waits for one: once, until it no longer does."""
        if not stuck:
            self._stuck.discard(catalog_key)
        elif catalog_key not in self._stuck:
            self._stuck.add(catalog_key)
            log.error("stuck: `sluice partitions retry` or `skip` it", action="drain", catalog_key=catalog_key)

    def _advance(self, partition: Partition, grant: Grant, nonce: str) -> Drained:
        """Take round after round of steps, from the head."""
        planner = self._open_planner(partition)
        deadline = time.monotonic() + self._settings.slice_s
        while True:
            self._watchdog.feed()
            steps, progress = self._take(planner, partition, grant, deadline)
            if progress.answer is Answer.FENCED:
                return Drained.LOST
            if progress.released:
                return Drained.EMPTY
            if progress.answer not in DONE_ANSWERS:
                looked = partition.acquire(self._holder, nonce=nonce)
                if isinstance(looked, Grant):
                    grant = looked
                elif looked is not Refusal.EMPTY:
                    return Drained.LOST
                elif partition.release(grant.token):
                    return Drained.EMPTY
            elif progress.window is not None:
                grant = Grant(grant.token, last_commit(steps, grant.applied), 0, progress.window)
            else:
                partition.yield_(grant.token)
                return Drained.YIELDED

    def _take(
        self, planner: Planner, partition: Partition, grant: Grant, deadline: float
    ) -> tuple[Sequence[Step], Progress]:
        """Plan the next steps and take them."""
        try:
            steps = planner.plan(grant, now_ms=self._clock())
        except LeaseLost:
            return [], Progress(Answer.FENCED)
        except HeadChanged:
            return [], Progress(Answer.CANCELED)
        now_ms, wants_more = self._clock(), self._goes_on(deadline)
        return steps, partition.take(grant.token, grant.applied, steps, now_ms=now_ms, wants_more=wants_more)

    def _open_planner(self, partition: Partition) -> Planner:
        catalog = self._open_catalog(partition.catalog_key)
        return Planner(partition, catalog, self._settings, self._exporter, progress=self._watchdog.feed)

    def _goes_on(self, deadline: float) -> bool:
        return time.monotonic() < deadline and not self._stopping()
