"""One turn at a sink: its lease, and what is recorded of it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from shared.clock import Clock
from shared.errors import SluiceError
from shared.model import Kind
from shared.sinks.destination import Copy, DeadLetter, DestinationRefuses
from shared.sinks.sink_lease import MOST_DEAD, SinkFacts, SinkLease, SinkState
from shared.sinks.sinks import BadSink, Sink

#: Delay after the first failure; it doubles with each further one.
FIRST_REST_MS = 500
LONGEST_REST_MS = 60_000
#: Delay after what a person has to change.
REFUSED_REST_MS = 30_000
#: Random share by which a delay is extended.
JITTER = 0.2
#: Most characters of a recorded error.
ERROR_LENGTH = 500


class LeaseGone(SluiceError):
    """Another worker delivers to the sink now, or it was removed or changed."""


def rest_ms(failures: int, *, refused: bool, jitter: float) -> int:
    """Return the delay after a number of failures in a row; ``jitter`` is from 0 to 1."""
    delay_ms = min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** min(failures - 1, 20))
    return int(max(delay_ms, REFUSED_REST_MS if refused else 0) * (1 + JITTER * jitter))


@dataclass(slots=True)
class Turn:
    """What is recorded of one turn."""

    lease: SinkLease
    sink: Sink
    #: As it was at the beginning.
    state: SinkState
    clock: Clock
    stopping: Callable[[], bool]
    #: Rests between two steps where that is due.
    give_way: Callable[[], None] = lambda: None
    facts: SinkFacts | None = None
    held_at: float = 0.0
    #: How many dead letters are delivered again just now.
    retrying: int = 0
    #: Dead letters when something was last recorded.
    dead: int = 0
    #: Whether all that was to be delivered again has been.
    followed: bool = False

    def hold(self) -> None:
        """Extend the lease, once in a while; raises LeaseGone."""
        if self.stopping():
            raise LeaseGone("this worker stops")
        self._extend()
        self.give_way()
        self._extend()

    def _extend(self) -> None:
        now = time.monotonic()
        if now - self.held_at >= self.lease.ttl_s / 10:
            if self.lease.hold() != self.sink:
                raise LeaseGone("another worker delivers to it, or it was changed")
            self.held_at = now

    def record(self, phase: str, copy: Copy, cleared: Sequence[tuple[Kind, str]], dead: Sequence[DeadLetter]) -> None:
        mark = copy.mark
        at, before = mark.position, (self.facts and self.facts.version) or self.state.version
        self.facts = SinkFacts(
            phase,
            copy.version,
            at.task_id,
            at.mark,
            mark.exact,
            at_ms=self.clock(),
            live_task_id=_seen(phase, copy),
            pieces=at.pieces,
            cursor=copy.cursor,
        )
        count = self.lease.settle(
            self.facts,
            cleared=cleared,
            dead=dead,
            delivered=len(cleared),
            instead_of=before if phase == "behind" or copy.version != before else None,
        )
        if count < 0:
            raise LeaseGone("another worker delivers to it, or it was removed")
        self.dead = count
        # Of those that are delivered again the first may be refused once more, and the others not.  A copy that lacks
        # too many goes no further, whoever asked to deliver them again.
        if phase == "copying" or (dead and not (self.retrying and phase == "live")):
            check_dead(count)

    def unseen(self) -> None:
        """Note that readers see no task any more, whatever becomes of this turn."""
        if self.state.live_task_id:
            self.lease.settle(SinkFacts("behind", live_task_id=0))

    def retried(self) -> None:
        """Judge dead letters once all have been delivered again; they are not once more before somebody asks."""
        self.followed = True
        if self.retrying:
            self.retrying = 0
            self.lease.settle(self.facts and replace(self.facts, retried=self.sink.retries))
            check_dead(self.dead)

    def end(self) -> None:
        """Give the sink back."""
        self.lease.settle(self.facts and replace(self.facts, at_ms=self.clock()), release=True)

    def fail(self, problem: Exception) -> None:
        """Record a failure: the sink rests."""
        failures = self.state.failures + 1
        refused = isinstance(problem, DestinationRefuses | BadSink)
        pause_ms = rest_ms(failures, refused=refused, jitter=random.random())
        error = f"{problem}"[:ERROR_LENGTH] or type(problem).__name__
        if not isinstance(problem, SluiceError):
            error = f"{type(problem).__name__}: {error}"[:ERROR_LENGTH]
        facts = SinkFacts("failing", error=error, failures=failures, not_before_ms=self.clock() + pause_ms)
        self.lease.settle(facts, release=True)


def _seen(phase: str, copy: Copy) -> int | None:
    """Return the last task that readers see all of; None if that has not changed."""
    match phase:
        case "live":
            return copy.mark.position.task_id - copy.mark.position.is_inside
        # The store may have forgotten tasks, and give their ids to others.
        case "behind":
            return 0
    return None


def check_dead(count: int) -> None:
    """Raise DestinationRefuses if so many dead letters show that the mapping is wrong."""
    if count >= MOST_DEAD:
        raise DestinationRefuses(
            f"{count} entries cannot be delivered: mend the mapping or the entries (sluice sinks dead-letters list),"
            " then copy all anew (sluice sinks resync)"
        )
