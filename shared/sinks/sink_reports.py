"""How all sinks are, for those who watch over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared.sinks.sink_lease import SinkState, read_states
from shared.sinks.sinks import Sink, SinkName, all_sinks
from shared.store.client import Store
from shared.store.positions import Position
from shared.tasks.change_feed import ChangeFeed

#: After how long without a turn nobody can be delivering to a sink; an idle one gets a turn each minute.
SILENT_MS = 300_000


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


def report_sinks(client: Store, now_ms: int, *, catalog_key: str | None = None, most: int = 1000) -> list[SinkReport]:
    """Report all sinks, or those of one catalog.  Raises StoreUnavailable."""
    return list(_reports(client, now_ms, catalog_key, most))


def _reports(client: Store, now_ms: int, catalog_key: str | None, most: int) -> Iterator[SinkReport]:
    sinks = [each for each in all_sinks(client) if catalog_key in (None, each[0].catalog_key)][:most]
    for (name, sink), state in zip(sinks, read_states(client, [name for name, _ in sinks]), strict=True):
        tasks, since_ms = ChangeFeed(client, name.catalog_key).lag(Position(state.task_id, state.mark))
        turn_ms = max(state.at_ms, sink.created_ms)
        silent = now_ms - turn_ms > SILENT_MS
        # Where the feed does not reach back so far, the first is younger than this.
        lag_s = max(0, now_ms - (since_ms or turn_ms)) / 1000 if tasks else 0.0
        yield SinkReport(
            name, sink, state, tasks, lag_s, is_troubled=not sink.paused and (state.phase == "failing" or silent)
        )
