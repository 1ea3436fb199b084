"""Turns: a worker takes a sink, delivers for a while, and gives it back."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from shared.catalog.reader import Catalog
from shared.clock import Clock
from shared.errors import SluiceError, StoreUnavailable
from shared.model import Kind
from shared.settings import Settings
from shared.sinks import destination as destinations
from shared.sinks.destination import (
    CALL_S,
    Copy,
    DeadLetter,
    Destination,
    DestinationAway,
    DestinationRefuses,
    Superseded,
)
from shared.sinks.sink_lease import MOST_DEAD, SinkFacts, SinkLease, SinkState, read_dead_letters, read_state
from shared.sinks.sinks import BadSink, Sink, SinkName
from shared.store.client import Store
from workers.sinks.checking import check_step, is_due
from workers.sinks.gathering import Gatherer
from workers.sinks.sink_delivery import SinkDelivery

log = structlog.get_logger()

#: Seconds of one turn.
TURN_S = 2.0
#: Delay after the first failure; it doubles with each further one.
FIRST_REST_MS = 500
LONGEST_REST_MS = 60_000
#: Delay after what a person has to change.
REFUSED_REST_MS = 30_000
#: Random share by which a delay is extended.
JITTER = 0.2
#: Most characters of a recorded error.
ERROR_LENGTH = 500
#: Connections that are kept between turns.
MOST_KEPT = 32


class LeaseGone(SluiceError):
    """Another worker delivers to the sink now, or it was removed or changed."""


def rest_ms(failures: int, *, refused: bool, jitter: float) -> int:
    """Return the delay after a number of failures in a row; ``jitter`` is from 0 to 1."""
    delay_ms = min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** min(failures - 1, 20))
    return int(max(delay_ms, REFUSED_REST_MS if refused else 0) * (1 + JITTER * jitter))


class SinkTurns:
    """Takes turns at sinks; safe for threads."""

    def __init__(
        self,
        client: Store,
        settings: Settings,
        holder: str,
        *,
        clock: Clock,
        stopping: Callable[[], bool] = lambda: False,
        connect: Callable[..., Destination] = destinations.connect,
    ) -> None:
        self._client = client
        self._settings = settings
        self._holder = holder
        self._clock = clock
        self._stopping = stopping
        self._connect = connect
        self._kept: dict[SinkName, tuple[Sink, Destination]] = {}
        self._guard = threading.Lock()

    def turn(self, name: SinkName, *, budget_s: float = TURN_S) -> str:
        """Deliver to a sink for a while, if nobody else does; returns what came of it, for people."""
        lease = SinkLease(self._client, self._settings, self._holder, name)
        sink = lease.hold()
        if sink is None:
            return "not owner"
        state = read_state(self._client, name)
        turn = _Turn(lease, sink, state, self._clock, self._stopping)
        if state.not_before_ms > self._clock():
            # A job that was sent before the sink failed.
            turn.end()
            return "rests"
        try:
            if not sink.paused:
                if state.version == sink.version and state.retried == sink.retries:
                    _check_dead(state.dead)
                self._deliver(name, sink, turn, time.monotonic() + budget_s)
            turn.end()
            return "delivered"
        except (LeaseGone, Superseded) as gone:
            log.info("sink lost", action="deliver", catalog_key=name.catalog_key, sink=name.name, reason=str(gone))
            turn.end()
            return "lost"
        except StoreUnavailable:
            raise
        # A destination of any kind may fail in any way; the sink rests, the others go on.
        except Exception as problem:
            turn.fail(problem)
            known = isinstance(problem, SluiceError)
            log.warning(
                "sink failed", action="deliver", catalog_key=name.catalog_key, sink=name.name, error=str(problem),
                exc_info=not known,
            )  # fmt: skip
            return "failed"

    def close(self) -> None:
        """Give up all connections."""
        with self._guard:
            kept, self._kept = list(self._kept.values()), {}
        for _, destination in kept:
            destination.close()

    def _deliver(self, name: SinkName, sink: Sink, turn: _Turn, until: float) -> None:
        destination = self._open(name, sink)
        again = sink.retries != turn.state.retried
        dead = [(letter.kind, letter.id) for letter in read_dead_letters(self._client, name)] if again else []
        turn.retrying = len(dead)
        try:
            SinkDelivery(
                name,
                sink,
                destination,
                Catalog(self._client, name.catalog_key),
                Gatherer(
                    self._client,
                    name.catalog_key,
                    sink.section,
                    sink.mapping.kinds,
                    restarts_lose=self._settings.durability != "fsync",
                ),
                hold=turn.hold,
                record=turn.record,
                again=dead,
                after_again=turn.retried,
                no_live=turn.unseen,
            ).run(turn.lease.token, until)
            if turn.facts is not None:
                turn.facts = replace(turn.facts, retried=sink.retries)
            whole = self._check(name, sink, destination, turn)
        except BaseException:
            destination.close()
            raise
        with self._guard:
            if whole and name not in self._kept and len(self._kept) < MOST_KEPT:
                self._kept[name] = sink, destination
                return
        destination.close()

    def _check(self, name: SinkName, sink: Sink, destination: Destination, turn: _Turn) -> bool:
        """Compare a little, if it is time; False if that failed: the delivery has not, and it is tried again later."""
        state, facts, now_ms = turn.state, turn.facts, self._clock()
        if facts is None or facts.phase != "live" or not facts.exact or not is_due(state, now_ms):
            return True
        dead = [(letter.kind, letter.id) for letter in read_dead_letters(self._client, name)]
        turn.facts = replace(facts, check_ms=now_ms)
        try:
            checked = check_step(self._client, name.catalog_key, sink, destination, state.check, dead, turn.hold)
        except (LeaseGone, StoreUnavailable):
            raise
        except Exception as problem:
            known = isinstance(problem, SluiceError)
            log.warning(
                "sink not compared", action="compare", catalog_key=name.catalog_key, sink=name.name, error=str(problem),
                exc_info=not known,
            )  # fmt: skip
            return False
        turn.facts = replace(turn.facts, check=checked.cursor)
        if checked.wrong is not None:
            turn.facts = replace(turn.facts, checked_ms=now_ms, wrong=checked.wrong)
        return True

    def _open(self, name: SinkName, sink: Sink) -> Destination:
        """Take the connection of the last turn, unless it was cut since, or make one."""
        with self._guard:
            kept_for, kept = self._kept.pop(name, (None, None))
        if kept is not None:
            try:
                if kept_for == sink:
                    kept.look()
                    return kept
            except (DestinationAway, DestinationRefuses):
                pass
            kept.close()
        return self._connect(sink, name.catalog_key, timeout_s=CALL_S)


@dataclass(slots=True)
class _Turn:
    """What is recorded of one turn."""

    lease: SinkLease
    sink: Sink
    #: As it was at the beginning.
    state: SinkState
    clock: Clock
    stopping: Callable[[], bool]
    facts: SinkFacts | None = None
    held_at: float = 0.0
    #: Whether something was recorded.
    counted: bool = False
    #: How many dead letters are delivered again just now.
    retrying: int = 0
    #: Dead letters when something was last recorded.
    dead: int = 0

    def hold(self) -> None:
        """Extend the lease, once in a while; raises LeaseGone."""
        if self.stopping():
            raise LeaseGone("this worker stops")
        now = time.monotonic()
        if now - self.held_at >= self.lease.ttl_s / 10:
            if self.lease.hold() != self.sink:
                raise LeaseGone("another worker delivers to it, or it was changed")
            self.held_at = now

    def record(self, phase: str, copy: Copy, cleared: Sequence[tuple[Kind, str]], dead: Sequence[DeadLetter]) -> None:
        mark = copy.mark
        at = mark.position
        self.facts = SinkFacts(
            phase,
            copy.version,
            at.task_id,
            at.mark,
            mark.exact,
            at_ms=self.clock(),
            live_task_id=_seen(phase, copy),
        )
        anew = phase == "behind" or (copy.version != self.state.version and not self.counted)
        count = self.lease.settle(self.facts, cleared=cleared, dead=dead, delivered=len(cleared), anew=anew)
        if count < 0:
            raise LeaseGone("another worker delivers to it, or it was removed")
        self.counted, self.dead = True, count
        # Of those that are delivered again the first may be refused once more, and the others not.
        if dead and not (self.retrying and phase == "live"):
            _check_dead(count)

    def unseen(self) -> None:
        """Note that readers see no task any more, whatever becomes of this turn."""
        if self.state.live_task_id:
            self.lease.settle(SinkFacts("behind", live_task_id=0))

    def retried(self) -> None:
        """Judge dead letters once all have been delivered again; they are not once more before somebody asks."""
        if self.retrying:
            self.retrying = 0
            self.lease.settle(self.facts and replace(self.facts, retried=self.sink.retries))
            _check_dead(self.dead)

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


def _check_dead(count: int) -> None:
    """Raise DestinationRefuses if so many dead letters show that the mapping is wrong."""
    if count >= MOST_DEAD:
        raise DestinationRefuses(
            f"{count} entries cannot be delivered: mend the mapping or the entries (sluice sinks dead-letters list),"
            " then copy all anew (sluice sinks resync)"
        )
