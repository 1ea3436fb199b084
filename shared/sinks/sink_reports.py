"""How all sinks are, for those who watch over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.sinks.sink_lease import SinkState, read_states
from shared.sinks.sinks import Sink, SinkName, Sinks, all_sinks
from shared.store.client import Store
from shared.store.positions import Position
from shared.tasks.change_feed import ChangeFeed, read_lags

#: After how long without a turn nobody can be delivering to a sink; an idle one gets a turn each minute.
SILENT_MS = 300_000
#: Sinks that are asked about at a time.
PART = 500


def has_all(client: Store, name: SinkName, state: SinkState) -> bool:
    """Return whether a sink in this state has all that ended so far.  Raises StoreUnavailable."""
    feed = ChangeFeed(client, name.catalog_key)
    return state.phase == "live" and feed.ends_at(Position(state.task_id, state.mark))


@dataclass(frozen=True, slots=True)
class SinkReport:
    """One sink."""

    name: SinkName
    sink: Sink
    state: SinkState
    #: Tasks that have ended and are not delivered.
    lag_tasks: int
    #: Age of the first of them.
    lag_s: float
    #: Whether it fails or nobody delivers to it; a paused one is not troubled.
    is_troubled: bool

    @property
    def phase(self) -> str:
        """What it is doing, in one word."""
        return "paused" if self.sink.paused else self.state.phase or "waiting"


def report_sinks(client: Store, now_ms: int, *, catalog_key: str | None = None) -> list[SinkReport]:
    """Report all sinks, or those of one catalog, in a few round trips.  Raises StoreUnavailable."""
    if catalog_key is None:
        sinks = list(all_sinks(client))
    else:
        sinks = [(SinkName(catalog_key, sink.name), sink) for sink in Sinks(client, catalog_key).all()]
    parts = (sinks[first : first + PART] for first in range(0, len(sinks), PART))
    return [report for part in parts for report in _reports(client, now_ms, part)]


def _reports(client: Store, now_ms: int, sinks: Sequence[tuple[SinkName, Sink]]) -> Iterator[SinkReport]:
    states = read_states(client, [name for name, _ in sinks])
    positions = [
        (name.catalog_key, Position(state.task_id, state.mark)) for (name, _), state in zip(sinks, states, strict=True)
    ]
    lags = read_lags(client, positions)
    for (name, sink), state, (tasks, since_ms) in zip(sinks, states, lags, strict=True):
        turn_ms = max(state.at_ms, sink.created_ms)
        silent = now_ms - turn_ms > SILENT_MS
        # Where the feed does not reach back so far, the first is younger than this.
        lag_s = max(0, now_ms - (since_ms or turn_ms)) / 1000 if tasks else 0.0
        yield SinkReport(
            name, sink, state, tasks, lag_s, is_troubled=not sink.paused and (state.phase == "failing" or silent)
        )
