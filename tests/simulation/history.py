"""Run a history and check it."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from weakref import WeakKeyDictionary

import redis
import structlog
from fsspec.implementations.memory import MemoryFileSystem

from shared import nonces
from shared.partition import step_calls
from shared.settings import Settings
from shared.store import id_writes
from tests.simulation import wires
from tests.simulation.audit import NEVER, SETTINGS, Audit, Outcome
from tests.simulation.checks.ownership import Ownership
from tests.simulation.parties.operators import Operator
from tests.simulation.parties.postman import Postman
from tests.simulation.parties.readers import Reader
from tests.simulation.parties.senders import Sender
from tests.simulation.parties.sink_workers import SinkParty
from tests.simulation.plan import SENDERS, WORKERS, Plan, Variant, make_plan
from tests.simulation.replaced import Replacement, replaced
from tests.simulation.scheduler import Process, Scheduler
from tests.simulation.timed_store import TimedStore
from tests.simulation.world import Worker, World, last_sweep
from tests.support.by_hand import HandClock
from tests.support.laws import LawBroken
from tests.support.rig import Rig
from workers.apply import columns, patches
from workers.sinks import gathering, sink_delivery

#: A reader, a process that delivers, an operator, and those that deliver to a sink.
SINK_WORKERS = 2
OTHERS = 3 + SINK_WORKERS
#: Rounds of sweeping after which everything must have been drained, and how long each may have to wait for leases.
ROUNDS, ROUND_MS = 20, 15_000
#: How long workers go on after the last sender: fewer than so many times so long.
LATER_STEPS, LATER_MS = 15, 2_000
#: What is so in every history.
LITTLE: tuple[Replacement, ...] = (
    (random, "random", lambda: 0.5),
    # Each look is a round trip.
    (gathering, "LOOK_EVERY_S", 0.2),
    # Some commits are transactions, as long ones are: so many bytes of entries are many.
    (step_calls, "LONG_BYTES", 200),
)
#: PATCHes are kept beside their entries, as if there were many of them, each much shorter than its entry.
PATCHES_BESIDE: tuple[Replacement, ...] = ((columns, "FEWEST", 1), (patches, "FEWEST", 1), (patches, "TIMES_LONGER", 0))
#: A sink gets few entries at a time, as if there were many.
FEW_AT_A_TIME: tuple[Replacement, ...] = (
    (gathering, "MOST_ENTRIES", 2),
    (gathering, "PART_ENTRIES", 2),
    (gathering, "PAGE_TASKS", 2),
    (sink_delivery, "PART_ENTRIES", 2),
    (sink_delivery, "COPY_ENTRIES", 2),
)
#: How long workers may need for wake-ups that all arrive.
SETTLED_MS = 5_000


class Stage:
    """Runs histories on one store."""

    def __init__(self, store: TimedStore) -> None:
        self._store = store
        #: The first one is nobody's: what it does is no round trip of a process.
        self._clients = [wires.connect(store) for _ in range(1 + SENDERS + WORKERS + OTHERS)]
        #: Errors that were logged and went on.
        self._logged: list[str] = []
        # A logger that is used here first must not keep these processors.
        structlog.configure(processors=[self._note, _drop], cache_logger_on_first_use=False)

    def run(self, variant: Variant) -> Outcome:
        """Run one history from an empty store to the end."""
        outcome = Outcome(variant)
        MemoryFileSystem.store.clear()
        self._logged.clear()
        plan = make_plan(variant.seed)
        such = (*LITTLE, *(PATCHES_BESIDE if plan.beside else ()), *(FEW_AT_A_TIME if plan.few else ()))
        with replaced(*_own_process(f"{variant.seed} {variant.schedule}"), *such):
            self._store.begin()
            self._run(plan, variant, outcome)
        return outcome

    def _run(self, plan: Plan, variant: Variant, outcome: Outcome) -> None:
        try:
            _History(self._store, self._clients, plan, variant, outcome).run()
            if self._logged:
                raise LawBroken(f"an error was met and logged: {self._logged[0]}")
        except Exception as error:
            outcome.kind = type(error).__name__ + str(error).partition(":")[0][:20]
            outcome.wrong = "".join(traceback.format_exception(error)[-12:])

    def _note(self, _: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        failed = method == "exception" or bool(event.get("exc_info"))
        if failed or (method == "error" and event["event"] == "sweep failed"):
            self._logged.append(f"{event} {traceback.format_exc(limit=-6)}")
        return event


def _drop(_: object, __: str, ___: object) -> str:
    raise structlog.DropEvent


def _own_process(seed: str) -> Iterator[Replacement]:
    """Have the nonces of a seed, and know of no store yet."""
    yield nonces, "_chance", random.Random(seed)
    yield id_writes, "_numbers", {}
    yield id_writes, "_noted", set()
    yield id_writes, "_alive_noted_s", WeakKeyDictionary()


@cache
def _settings(max_stalls: int, *, slices: bool) -> Settings:
    return replace(SETTINGS, max_stalls=max_stalls, slice_s=0.0 if slices else SETTINGS.slice_s)


class _History:
    def __init__(
        self, store: TimedStore, clients: list[redis.Redis], plan: Plan, variant: Variant, outcome: Outcome
    ) -> None:
        self._plan = plan
        self._outcome = outcome
        self._scheduler = Scheduler(
            store,
            f"{variant.seed} {variant.schedule}",
            rate=plan.rate,
            splits=plan.splits,
            possible=plan.possible,
            muted=variant.muted,
            send=lambda commands, send: ownership.send(commands, send),
        )
        ownership = Ownership(store, lambda: self._scheduler.now_ms)
        self._world = World(plan, self._scheduler, store.ask)
        settings = _settings(plan.max_stalls or NEVER, slices=plan.slices)
        operations = [
            (number, planned) for number, planned in enumerate(plan.operations) if number not in variant.without
        ]
        outcome.planned, outcome.operations = len(plan.operations), len(operations)
        self._processes: list[Process] = []
        self._workers: list[Worker] = []
        self._rig, *rigs = (Rig(client, HandClock(), self._world.bell, settings) for client in clients)
        for i, rig in enumerate(rigs[:SENDERS]):
            mine = [one for one in operations if one[1].sender == i]
            self._add(f"sender {i}", Sender(self._world, rig, mine).run, rig, counts=True)
        for i, rig in enumerate(rigs[SENDERS : SENDERS + WORKERS]):
            self._workers.append(Worker(self._world, rig, f"worker {i}"))
            self._add(f"worker {i}", self._workers[-1].run, rig)
        reading, delivering, operating, *shelving = rigs[SENDERS + WORKERS :]
        self._reader = Reader(self._world, reading, plan.catalogs[0])
        self._add("reader", self._reader.run, reading, may_die=False)
        self._postman = Postman(self._world, delivering, plan.catalogs[0])
        if plan.delivers or plan.mails:
            self._add("postman", self._postman.run, delivering)
        self._sink = SinkParty(self._world, plan.catalogs[0])
        for i, rig in enumerate(shelving if plan.sinks else ()):
            name = f"shelver {i}"
            self._add(name, partial(self._sink.work, rig, name), rig)
        self._operator = Operator(self._world, operating)
        if plan.max_stalls:
            self._add("operator", self._operator.run, operating)
        if plan.restarts:
            self._processes.append(Process("restart", partial(self._world.restart, store), may_die=False))
        self._processes.append(Process("end", self._end_later if plan.sweeps else self._settle, may_die=False))

    def _add(
        self, name: str, program: Callable[[], None], rig: Rig, *, counts: bool = False, may_die: bool = True
    ) -> None:
        self._processes.append(Process(name, program, counts=counts, may_die=may_die, clock=rig.clock))

    def run(self) -> None:
        self._outcome.trace = self._scheduler.trace
        with wires.scheduled(self._scheduler), self._postman.receiving():
            if self._plan.delivers:
                self._postman.prepare(self._rig)
            if self._plan.sinks:
                self._sink.prepare(self._rig)
            try:
                self._go_on()
            finally:
                self._outcome.drawn, self._outcome.accidents = self._scheduler.drawn, self._scheduler.happened
            Audit(self._world, self._rig, self._outcome, self._reader, self._postman, self._sink).run()

    def _go_on(self) -> None:
        """Let everything happen, to the end of the last task."""
        try:
            self._scheduler.run(self._processes)
        finally:
            self._scheduler.stop(self._processes)
        if not self._plan.sweeps:
            self._expect_drained("although every wake-up arrived")
        self._drain_the_rest()

    def _await_senders(self) -> None:
        while left := [one for one in self._processes if one.name.startswith("sender") and not one.is_done]:
            self._scheduler.rest(max(50, min(one.wakes_ms for one in left) - self._scheduler.now_ms))

    def _end_later(self) -> None:
        """Leave the workers some time, mostly enough: whoever wakes up later is not there any more."""
        self._await_senders()
        for _ in range(self._scheduler.pick(LATER_STEPS)):
            self._scheduler.rest(LATER_MS)
            if not self._world.waiting():
                return

    def _settle(self) -> None:
        """Wait until the workers have nothing to do: every wake-up arrived."""
        self._await_senders()
        end_ms = self._scheduler.now_ms + SETTLED_MS
        while self._scheduler.now_ms < end_ms or self._world.bell.rung or not all(one.is_idle for one in self._workers):
            self._scheduler.rest(50)

    def _expect_drained(self, although: str) -> None:
        if waiting := self._world.waiting():
            raise LawBroken(f"end: {waiting} still wait, {although}")

    def _drain_the_rest(self) -> None:
        for _ in range(ROUNDS):
            if not self._world.waiting():
                return
            self._scheduler.advance(ROUND_MS)
            self._rig.clock.now_ms = self._scheduler.now_ms
            last_sweep(self._rig)
            for catalog_key in self._plan.catalogs if self._plan.max_stalls else ():
                self._operator.settle(self._rig, catalog_key)
        self._expect_drained("although a worker looked again and again")
