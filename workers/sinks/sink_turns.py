"""Turns: a worker takes a sink, delivers for a while, and gives it back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from shared.catalog.reader import Catalog
from shared.clock import Clock
from shared.errors import SluiceError, StoreUnavailable
from shared.model import Kind
from shared.settings import Settings
from shared.sinks import destination as destinations
from shared.sinks.destination import Destination, Superseded
from shared.sinks.sink_lease import SinkLease, read_dead_letters, read_state
from shared.sinks.sinks import Sink, SinkName
from shared.store.client import Store, is_replicated
from workers.sinks.checking import check_step, is_due
from workers.sinks.connections import SinkConnections
from workers.sinks.gathering import Gatherer
from workers.sinks.sink_delivery import SinkDelivery
from workers.sinks.turn import LeaseGone, Turn, check_dead

log = structlog.get_logger()

#: Seconds of one turn.
TURN_S = 2.0


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
        give_way: Callable[[], None] = lambda: None,
    ) -> None:
        """``give_way`` is called between two steps of any delivery."""
        self._client = client
        self._settings = settings
        # Where replicas are wanted, one may take over, behind a plain name too.
        is_alone = not is_replicated(settings.redis_url or "") and not settings.min_replicas
        self._restarts_lose = settings.durability != "fsync" or not is_alone
        self._holder = holder
        self._clock = clock
        self._stopping = stopping
        self._give_way = give_way
        self.connections = SinkConnections(connect)

    def turn(self, name: SinkName, *, budget_s: float = TURN_S) -> str:
        """Deliver to a sink for a while, if nobody else does; returns what came of it, for people."""
        lease = SinkLease(self._client, self._settings, self._holder, name)
        sink = lease.hold()
        if sink is None:
            return "not owner"
        state = read_state(self._client, name)
        turn = Turn(lease, sink, state, self._clock, self._stopping, self._give_way)
        if state.not_before_ms > self._clock():
            # A job that was sent before the sink failed.
            turn.end()
            return "rests"
        try:
            if not sink.paused:
                if state.version == sink.version and state.retried == sink.retries:
                    check_dead(state.dead)
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
        self.connections.close()

    def _deliver(self, name: SinkName, sink: Sink, turn: Turn, until: float) -> None:
        def again() -> list[tuple[Kind, str]]:
            # Only once the copy is known that they belong to.
            if sink.retries == turn.state.retried:
                return []
            dead = [(letter.kind, letter.id) for letter in read_dead_letters(self._client, name)]
            turn.retrying = len(dead)
            return dead

        destination = self.connections.take(name, sink)
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
                    restarts_lose=self._restarts_lose,
                ),
                recorded=turn.state.copy,
                hold=turn.hold,
                record=turn.record,
                again=again,
                after_again=turn.retried,
                no_live=turn.unseen,
                pace=self.connections.pace(name),
            ).run(turn.lease.token, until)
            # One that was asked for while all is copied is for the live copy.
            if turn.facts is not None and turn.followed:
                turn.facts = replace(turn.facts, retried=sink.retries)
            whole = self._check(name, sink, destination, turn)
        except BaseException:
            destination.close()
            raise
        if whole:
            self.connections.keep(name, sink, destination)
        else:
            destination.close()

    def _check(self, name: SinkName, sink: Sink, destination: Destination, turn: Turn) -> bool:
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
