"""Connections whose round trips are scheduling points."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import redis
import redis.retry
from redis.exceptions import ResponseError

from shared.store import resending, wire
from shared.store.scripts import Command
from tests.simulation.line import Line
from tests.simulation.replaced import replaced
from tests.simulation.scheduler import Scheduler
from tests.simulation.timed_store import TimedStore

_really_send: Callable[[Any, Sequence[Command]], None] = wire._send


class ScheduledConnection(redis.UnixDomainSocketConnection):
    """A connection whose replies are read at once, while nobody else goes on, and kept for who asked."""

    #: Set while a history is running.
    scheduler: Scheduler | None = None
    store: TimedStore | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: To the server of a run.
        self._line: Line | None = None
        self._run = 0
        self._kept: deque[Any] = deque()
        self._open_transactions = 0

    def exchange(self, commands: Sequence[Command], along: Sequence[Command] = ()) -> Sequence[Any]:
        """Send commands now, and keep their replies; returns those to commands that go along with them."""
        store = self.store
        assert store is not None
        if self._line is None or self._run != store.run:
            # Whoever connects again finds the server of the moment.
            self._close_line()
            self._line, self._run = Line(store.path), store.run
        replies = self._line.exchange([*commands, *along])
        self._kept.extend(replies[: len(commands)])
        for command in commands:
            self._open_transactions += {"MULTI": 1, "EXEC": -1}.get(str(command[0]), 0)
        return replies[len(commands) :]

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        if not self._kept:
            return super().read_response(*args, **kwargs)
        reply = self._kept.popleft()
        if isinstance(reply, ResponseError):
            raise reply
        return reply

    def disconnect(self, *args: Any, **kwargs: Any) -> None:
        """Forget what was not read; a new connection would be no other, but for a transaction that was begun."""
        self._kept.clear()
        if self._open_transactions:
            self._close_line()

    def _close_line(self) -> None:
        self._open_transactions = 0
        if self._line is not None:
            self._line.close()
            self._line = None


def connect(store: TimedStore) -> redis.Redis:
    """Make a client for one process of the histories."""
    return store.connect(ScheduledConnection)


def _send(connection: Any, commands: Sequence[Command]) -> None:
    scheduler = ScheduledConnection.scheduler
    if not isinstance(connection, ScheduledConnection):
        _really_send(connection, commands)
    elif scheduler is None or scheduler.current is None:
        connection.exchange(commands)
    else:
        scheduler.exchange(commands, connection.exchange)


@contextlib.contextmanager
def scheduled(scheduler: Scheduler) -> Iterator[None]:
    """Take its time for that of this process, and make it decide over each round trip."""
    seconds = scheduler.seconds
    with replaced(
        (ScheduledConnection, "scheduler", scheduler),
        (ScheduledConnection, "store", scheduler.store),
        (wire, "_send", _send),
        (resending, "_clocks", lambda: (seconds(),) * 2),
        (redis.retry, "sleep", scheduler.pause),
        (time, "monotonic", seconds),
        (time, "perf_counter", seconds),
        (time, "sleep", scheduler.pause),
    ):
        yield
