"""Drain several small partitions together, so that they share round trips.

Batches of one entry over many catalogs would otherwise cost three round trips each.  A partition with anything unusual
is given back and drained on its own: so no owned partition waits for another's long work, and one that kills or
confuses its worker is alone the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from shared.catalog.reader import ask_together
from shared.catalog.reading import read_together
from shared.clock import Clock
from shared.errors import StoreUnavailable
from shared.partition.claim import Claim, acquire_together
from shared.partition.grants import AcquireRefusal, Grant
from shared.partition.lease import Round, take_together, yield_together
from shared.partition.step_results import StepResult
from shared.partition.steps import Step
from workers.drain.drain_record import DrainRecord
from workers.drain.planner import Planner


@dataclass(slots=True)
class GroupResult:
    """The result of draining a group."""

    #: Catalogs without a backlog now.
    empty: list[str] = field(default_factory=list)
    #: Catalogs to drain on their own.
    left: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Owned:
    """A partition that was acquired."""

    grant: Grant
    #: Empty: give it back at once.
    steps: list[Step]
    record: DrainRecord

    @property
    def catalog_key(self) -> str:
        return self.grant.lease.catalog_key


class SmallPartitions:
    """Drains small partitions, one window of each."""

    def __init__(
        self, open_planner: Callable[[str], Planner], open_record: Callable[[str], DrainRecord], *, clock: Clock
    ) -> None:
        self._open_planner = open_planner
        self._open_record = open_record
        self._clock = clock

    def drain(self, claims: Sequence[Claim]) -> GroupResult:
        """Acquire the partitions that are free, and apply one window of each.

        An error leaves partitions owned: the caller must excuse all of them.
        """
        drained, grants = GroupResult(), list[Grant]()
        for claim, grant in zip(claims, acquire_together(claims), strict=True):
            if grant is AcquireRefusal.EMPTY:
                drained.empty.append(claim.catalog_key)
            elif grant is AcquireRefusal.STUCK:
                drained.left.append(claim.catalog_key)
            elif isinstance(grant, Grant):
                grants.append(grant)
        owned = [
            _Owned(grant, steps, self._open_record(grant.lease.catalog_key))
            for grant, steps in zip(grants, self._plan(grants), strict=True)
        ]
        back = [one for one in owned if not one.steps] + self._take([one for one in owned if one.steps], drained)
        yield_together([one.grant.lease for one in back])
        for one in back:
            one.record.ended(lost=False)
            drained.left.append(one.catalog_key)
        return drained

    def _plan(self, grants: Sequence[Grant]) -> list[list[Step]]:
        """Plan the steps of each; none if an owner was lost there, the work is long or planning fails.

        It is then drained on its own, which meets the error again and logs it.
        """
        plain = [i for i, grant in enumerate(grants) if _is_plain(grant)]
        planners = [self._open_planner(grants[i].lease.catalog_key) for i in plain]
        plannings = [
            planner.planning(grants[i], now_ms=self._clock()) for i, planner in zip(plain, planners, strict=True)
        ]
        catalogs = [planner.catalog for planner in planners]
        planned: list[list[Step]] = [[] for _ in grants]
        for i, steps in zip(plain, read_together(plannings, partial(ask_together, catalogs)), strict=True):
            if isinstance(steps, StoreUnavailable):
                raise steps
            if not isinstance(steps, Exception):
                planned[i] = steps
        return planned

    def _take(self, planned: list[_Owned], drained: GroupResult) -> list[_Owned]:
        """Take the steps of all partitions in one round trip; returns those that are still owned."""
        rounds = [Round(one.grant.lease, one.grant.applied, one.steps) for one in planned]
        back, taken = [], take_together(rounds, now_ms=self._clock())
        for one, progress in zip(planned, taken, strict=True):
            one.record.taken(one.steps, progress)
            if progress.released:
                one.record.ended(lost=False)
                drained.empty.append(one.catalog_key)
            elif progress.answer is StepResult.FENCED:
                one.record.ended(lost=True)
                drained.left.append(one.catalog_key)
            else:
                back.append(one)
        return back


def _is_plain(grant: Grant) -> bool:
    """Return whether the work at the head is short, and was not begun by an owner who was lost."""
    batch = grant.window[0].batch
    return not (grant.stalls or batch is None or batch.chunks > 1 or batch.export is not None or batch.operation.builds)
