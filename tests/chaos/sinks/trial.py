"""Sinks of some catalogues in every destination, during one chaos run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from shared.clock import now_ms
from shared.errors import StoreUnavailable
from shared.keys import CatalogKeys
from shared.sinks.mapping import DEFAULT
from shared.sinks.sink_lease import read_state
from shared.sinks.sinks import SinkName, Sinks
from shared.store.client import Store
from shared.store.positions import Position
from shared.store.scripts import run
from shared.tasks.change_feed import ChangeFeed
from shared.waiting import wait_until
from tests.chaos.sinks.destinations import PostgresTarget, Target
from tests.chaos.sinks.states import SECTION, States
from tests.chaos.sinks.table_reader import TableReader
from tests.support.laws import LawBroken

#: Seconds in which every sink has caught up, once there is peace.
CAUGHT_UP_S = 180.0


class SinkTrial:
    """The sinks of one run."""

    def __init__(self, targets: Sequence[Target], catalog_keys: Sequence[str]) -> None:
        self.targets = targets
        self.catalog_keys = catalog_keys
        self.readers = [
            TableReader(target, _sink(key, target))
            for target in targets
            if isinstance(target, PostgresTarget)
            for key in catalog_keys
        ]

    def names(self, catalog_key: str) -> list[tuple[SinkName, Target]]:
        return [(SinkName(catalog_key, _sink(catalog_key, target)), target) for target in self.targets]

    def add(self, client: Store) -> None:
        """Add a sink of every catalogue in every destination."""
        for key in self.catalog_keys:
            for name, target in self.names(key):
                Sinks(client, key).add(name.name, target.url(), section=SECTION, mapping=DEFAULT, now_ms=now_ms())

    def end_leases(self, client: Store) -> None:
        """Have the leases of all sinks run out now, instead of in half a minute."""
        gone = [CatalogKeys(key).sink_lease(name.name) for key in self.catalog_keys for name, _ in self.names(key)]
        run(client, *(("DEL", key) for key in gone))

    def catch_up(self, client: Store) -> None:
        """Wait until every destination says that it has all; raises WaitedInVain."""
        for key in self.catalog_keys:
            for name, target in self.names(key):
                # Whatever it rested for is over.
                Sinks(client, key).resume(name.name)
                wait_until(
                    lambda name=name: _is_whole(client, name),  # type: ignore[misc]
                    f"{target.name} has all of {name.catalog_key}",
                    timeout_s=CAUGHT_UP_S,
                    every_s=0.2,
                )

    def check(self, catalog_key: str, states: States, *, sights: bool) -> list[str]:
        """Compare every destination with the model; returns what is wrong.  ``sights``: also what readers saw."""
        checks: list[Callable[[], None]] = [
            lambda name=name, target=target: states.check_now(f"{target.name}, {name.name}", target.rows(name.name))  # type: ignore[misc]
            for name, target in self.names(catalog_key)
        ]
        if sights:
            mine = {name.name for name, _ in self.names(catalog_key)}
            checks += [
                lambda reader=reader: states.check_sights(f"readers of {reader.sink}", reader.sights)  # type: ignore[misc]
                for reader in self.readers
                if reader.sink in mine
            ]
        wrong = []
        for check in checks:
            try:
                check()
            except LawBroken as broken:
                wrong.append(f"sinks: {broken}")
        return wrong


def _sink(catalog_key: str, target: Target) -> str:
    return f"{target.name}_{catalog_key}".lower().replace("-", "_")


def _is_whole(client: Store, name: SinkName) -> bool:
    with contextlib.suppress(StoreUnavailable):
        state = read_state(client, name)
        position = Position(state.task_id, state.mark)
        return state.phase == "live" and state.exact and ChangeFeed(client, name.catalog_key).ends_at(position)
    return False


@contextlib.contextmanager
def open_targets(kinds: Sequence[Callable[[Path], Target]], folder: Path) -> Iterator[list[Target]]:
    """Run servers for a while."""
    with contextlib.ExitStack() as stack:
        targets = []
        for number, kind in enumerate(kinds):
            (mine := folder / f"target-{number}").mkdir()
            targets.append(target := kind(mine))
            stack.callback(target.stop)
        yield targets
