"""A handful: several small partitions drained in step, so that they share round trips.

An entry a batch over many catalogs would otherwise cost three round trips each.  Whatever is out of the ordinary is
given back and left for a drain of its own: so no partition that is owned waits for another's long work, and what kills
or confuses its worker is met alone the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from shared.clock import Clock
from shared.errors import StoreUnavailable
from shared.leases import Grant, Refusal
from shared.partitions import Partition
from shared.steps import Step
from workers.plan import Planner


class Claim(NamedTuple):
    """A partition to be taken over, and the nonce to do it with."""

    partition: Partition
    nonce: str


@dataclass(slots=True)
class Drained:
    """What became of a handful."""

    #: Catalogs of which nothing waits any more.
    empty: list[str] = field(default_factory=list)
    #: Catalogs that have to be drained by themselves.
    left: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Planned:
    partition: Partition
    grant: Grant
    steps: list[Step]


class Handful:
    """Drains small partitions, a window of each."""

    def __init__(self, open_planner: Callable[[Partition], Planner], *, holder: str, clock: Clock) -> None:
        self._open_planner = open_planner
        self._holder = holder
        self._clock = clock

    def drain(self, claims: Sequence[Claim]) -> Drained:
        """Take over what can be, and apply one window of each.

        An error leaves partitions owned: the caller has to excuse all of them.
        """
        drained, planned, back = Drained(), [], []
        send = claims[0].partition.send
        replies = send(*(claim.partition.acquire_command(self._holder, nonce=claim.nonce) for claim in claims))
        for (partition, _), reply in zip(claims, replies, strict=True):
            grant = partition.granted(reply)
            if grant is Refusal.EMPTY:
                drained.empty.append(partition.catalog_key)
            elif grant is Refusal.STUCK:
                drained.left.append(partition.catalog_key)
            elif isinstance(grant, Grant):
                steps = self._plan(partition, grant)
                if steps is None:
                    back.append((partition, grant))
                else:
                    planned.append(_Planned(partition, grant, steps))
        back += self._take(send, planned, drained)
        if back:
            send(*(partition.yield_command(grant.token) for partition, grant in back))
            drained.left += [partition.catalog_key for partition, _ in back]
        return drained

    def _plan(self, partition: Partition, grant: Grant) -> list[Step] | None:
        """Plan, or say that this one is a case of its own: an owner was lost here, it takes long, or planning fails."""
        batch = grant.window[0].batch
        if grant.stalls or batch is None or batch.chunks > 1 or batch.export is not None or batch.operation.builds:
            return None
        try:
            return list(self._open_planner(partition).plan(grant, now_ms=self._clock()))
        except StoreUnavailable:
            raise
        # Its own drain will meet it again, and tell.
        except Exception:
            return None

    def _take(
        self, send: Callable[..., list[Any]], planned: list[_Planned], drained: Drained
    ) -> list[tuple[Partition, Grant]]:
        """Take the steps of all in one round trip; returns those where that was not all."""
        now_ms = self._clock()
        commands = [
            one.partition.take_commands(one.grant.token, one.grant.applied, one.steps, now_ms=now_ms, wants_more=True)
            for one in planned
        ]
        replies = iter(send(*(command for some in commands for command in some)))
        back = []
        for one in planned:
            progress = one.partition.progressed(one.steps, [next(replies) for _ in one.steps])
            if progress.released:
                drained.empty.append(one.partition.catalog_key)
            else:
                back.append((one.partition, one.grant))
        return back
