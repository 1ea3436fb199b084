"""What a worker keeps of destinations between turns: connections, and how much each takes at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping

from shared.sinks.deliver_in_parts import Pace
from shared.sinks.destination import CALL_S, Destination
from shared.sinks.sinks import Sink, SinkName

#: Connections that are kept.
MOST_KEPT = 32


class SinkConnections:
    """Connections of one worker; safe for threads."""

    def __init__(self, connect: Callable[..., Destination]) -> None:
        self._connect = connect
        self._kept: dict[SinkName, tuple[Sink, Destination]] = {}
        self._paces: dict[SinkName, Pace] = {}
        self._guard = threading.Lock()

    def take(self, name: SinkName, sink: Sink) -> Destination:
        """Take the connection of the last turn, unless it was cut since, or make one.

        Raises BadSink, DestinationAway, DestinationRefuses.
        """
        with self._guard:
            kept_for, kept = self._kept.pop(name, (None, None))
        if kept is not None:
            if kept_for == sink and _works(kept):
                return kept
            _close(kept)
        return self._connect(sink, name.catalog_key, timeout_s=CALL_S)

    def keep(self, name: SinkName, sink: Sink, destination: Destination) -> None:
        """Keep a connection for the next turn; where too many are kept, close it."""
        with self._guard:
            if name not in self._kept and len(self._kept) < MOST_KEPT:
                self._kept[name] = sink, destination
                return
        destination.close()

    def pace(self, name: SinkName) -> Pace:
        """How much the destination of a sink takes at once."""
        with self._guard:
            return self._paces.setdefault(name, Pace())

    def close_others(self, sinks: Mapping[SinkName, Sink]) -> None:
        """Close what is kept for other sinks than these: whoever removed one may want to drop its database."""
        with self._guard:
            gone = [name for name, (sink, _) in self._kept.items() if sinks.get(name) != sink]
            closed = [self._kept.pop(name)[1] for name in gone]
            self._paces = {name: pace for name, pace in self._paces.items() if name in sinks}
        for destination in closed:
            _close(destination)

    def close(self) -> None:
        """Close all."""
        self.close_others({})


def _works(destination: Destination) -> bool:
    # A destination of any kind may fail in any way; another connection will tell.
    with contextlib.suppress(Exception):
        destination.look()
        return True
    return False


def _close(destination: Destination) -> None:
    # As above; the others are to be closed, too.
    with contextlib.suppress(Exception):
        destination.close()
