"""What is looked at once a history has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from shared.guards.guard_records import Guards
from shared.model import Operation, Status
from shared.sinks.destination import Which
from shared.tasks.records import Task, TaskFilter, Tasks
from tests.simulation.checks.delivered import States
from tests.simulation.checks.exported import check_exports
from tests.simulation.checks.verdicts import met, note_given_up, note_guards
from tests.simulation.journal import Journal
from tests.simulation.parties.postman import Postman
from tests.simulation.parties.readers import Reader
from tests.simulation.parties.sink_workers import SinkParty
from tests.simulation.plan import Variant
from tests.simulation.world import World
from tests.support.key_checker import check_keys
from tests.support.laws import Model, check_laws
from tests.support.rig import TEST_SETTINGS, Rig
from tests.support.store_reader import StoreReader

#: Half of four items are worth guarding.
SETTINGS = replace(TEST_SETTINGS, safeguard_floor=4)
#: Nobody is given up after so many.
NEVER = 10**6


@dataclass
class Outcome:
    """How a history ended."""

    variant: Variant
    #: What went wrong; empty if nothing did.
    wrong: str = ""
    #: Which kind of thing that was.
    kind: str = ""
    #: Of the seed, and how many of them were left in.
    planned: int = 0
    operations: int = 0
    #: Accidents that were drawn, the muted ones too; and those that happened.
    drawn: int = 0
    accidents: int = 0
    trace: list[tuple[str, str]] = field(default_factory=list)
    #: How many tasks of each operation ended in each way.
    ended: Counter[tuple[Operation, Status]] = field(default_factory=Counter)
    #: What else happened, in a few words.
    met: Counter[str] = field(default_factory=Counter)


class Audit:
    """Checks all that is there, and all that was seen."""

    def __init__(
        self, world: World, rig: Rig, outcome: Outcome, reader: Reader, postman: Postman, sink: SinkParty
    ) -> None:
        """``rig`` is nobody's: what it does is no round trip of a process."""
        self._world = world
        self._rig = rig
        self._outcome = outcome
        self._reader = reader
        self._postman = postman
        self._sink = sink

    def run(self) -> None:
        """Look at everything.  Raises LawBroken or Leak."""
        world = self._world
        tasks = {catalog_key: self._tasks(catalog_key) for catalog_key in world.plan.catalogs}
        readers = {key: StoreReader(self._rig.client, key, some) for key, some in tasks.items()}
        for catalog_key, some in tasks.items():
            self._check_catalog(catalog_key, some, readers[catalog_key])
        first = world.plan.catalogs[0]
        accepted = world.journals[first].accepted
        canceled = {task.id for task in tasks[first] if task.status is Status.CANCELED}
        self._reader.finish(accepted, canceled, readers[first])
        if world.plan.sinks:
            self._check_sink(States(accepted, canceled, Model(SETTINGS.safeguard_ratio, SETTINGS.safeguard_floor)))
        if world.plan.delivers or world.plan.mails:
            self._check_deliveries(tasks[first])
        check_keys(self._rig.client)

    def _check_catalog(self, catalog_key: str, tasks: Sequence[Task], reader: StoreReader) -> None:
        journal = self._world.journals[catalog_key]
        self._complete(catalog_key, journal, tasks)
        check_laws(
            journal.accepted,
            reader,
            safeguard_ratio=SETTINGS.safeguard_ratio,
            safeguard_floor=SETTINGS.safeguard_floor,
        )
        self._outcome.ended.update((task.batch.operation, task.status) for task in tasks)
        self._outcome.met.update(met(tasks))
        check_exports(journal.accepted, tasks, self._rig, catalog_key)

    def _complete(self, catalog_key: str, journal: Journal, tasks: Sequence[Task]) -> None:
        """Find out what only the store knows."""
        lost_since = self._world.lost_since
        journal.complete(tasks, lost_since=lost_since)
        # Whoever is stopped at the end loses what it has, too.
        most = (self._world.scheduler.happened + 1) / (self._world.plan.max_stalls or NEVER)
        note_given_up(journal, tasks, most=most, lost_since=lost_since)
        book = self._world.guards.get(catalog_key)
        if book is not None:
            book.complete(Guards(self._rig.client, catalog_key).history(), lost_since=lost_since)
            note_guards(journal, tasks, book)

    def _check_deliveries(self, tasks: Sequence[Task]) -> None:
        """Have the rest delivered, and look at who was told of what."""
        self._rig.clock.now_ms = self._world.scheduler.now_ms
        self._postman.finish(self._rig, tasks)
        self._outcome.met["mailed"] += self._postman.mails

    def _check_sink(self, states: States) -> None:
        """Have the sink get the rest, and look at all that its readers saw."""
        self._sink.finish(self._rig)
        house = self._sink.warehouse
        self._outcome.met["delivered"] += len(house.sights)
        states.check(house.sights, house.held[Which.LIVE].rows, since=self._world.restarts)

    def _tasks(self, catalog_key: str) -> list[Task]:
        page = Tasks(self._rig.client, catalog_key).page(TaskFilter(), offset=0, size=500)
        return page.tasks
