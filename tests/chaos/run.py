"""One run: producers and faults for a while, then peace, and everything is looked at."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from shared.waiting import WaitedInVain, wait_until
from tests.chaos.copier import Copier
from tests.chaos.faults import FAULTS
from tests.chaos.outside.faults_outside import outside_faults
from tests.chaos.outside.trial import OutsideSeen, OutsideTrial, open_outside
from tests.chaos.patient import Patient
from tests.chaos.places.opening import open_place
from tests.chaos.producers import Producer
from tests.chaos.schedule import Schedule
from tests.chaos.sinks.destinations import Target
from tests.chaos.sinks.faults_of_sinks import sink_faults
from tests.chaos.sinks.states import States
from tests.chaos.sinks.table_reader import TableReader
from tests.chaos.sinks.trial import SinkTrial
from tests.chaos.stage import TOKEN, Stage, open_stage
from tests.chaos.watcher import Watcher
from tests.support.key_checker import check_keys
from tests.support.laws import LawBroken, StatusWatch, check_laws

CATALOGS = [f"catalog-{number}" for number in range(10)]
#: Those of the producers who send files by FTPS.
FTPS_PRODUCERS = 2
#: Catalogs that somebody copies meanwhile.
COPIED = CATALOGS[:3]
#: Catalogs that webhooks tell of, and that somebody exports.
TOLD, ARCHIVED = CATALOGS[3:5], CATALOGS[2:4]
#: How many catalogues are delivered to databases and search engines, if they are.
SUNK = 2
#: Seconds in which everything accepted must have ended, once there is peace.
PEACE_S = 180.0
#: Answers that tell to ask again: nothing was stored, or a write of V1 is still queued.
ASK_AGAIN = ("503", "504")
#: Seconds of answers that a store with `everysec` may lose when it is killed.
LOSS_S = 2.5


@dataclasses.dataclass
class Result:
    """What a run saw."""

    seed: int
    seconds: float
    durability: str
    cluster: bool
    faults: Counter[str] = dataclasses.field(default_factory=Counter)
    starts: dict[str, int] = dataclasses.field(default_factory=dict)
    #: What else its place tells.
    findings: list[str] = dataclasses.field(default_factory=list)
    accepted: int = 0
    entries: int = 0
    statuses: Counter[str] = dataclasses.field(default_factory=Counter)
    retries: Counter[str] = dataclasses.field(default_factory=Counter)
    #: Files that were cut off and refused for it.
    cut: int = 0
    lost: int = 0
    #: How often a catalogue was read whole by those who copied it.
    walks: int = 0
    longest_stall_s: float = 0.0
    before_stall: list[str] = dataclasses.field(default_factory=list)
    ready_s: float = 0.0
    settled_s: float = 0.0
    #: Where the first catalogues were delivered to.
    destinations: list[str] = dataclasses.field(default_factory=list)
    #: How often readers of tables saw something new, and how often that was the catalogue just after a task.
    sights: int = 0
    exact: int = 0
    caught_up_s: float = 0.0
    outside: OutsideSeen = dataclasses.field(default_factory=OutsideSeen)
    #: What was wrong; empty if the laws held.
    wrong: list[str] = dataclasses.field(default_factory=list)


def run_chaos(
    *, seconds: float, seed: int, durability: str = "fsync", cluster: bool = False, folder: Path | None = None,
    targets: Sequence[Callable[[Path], Target]] = (), enough: Callable[[Counter[str], int], bool] = lambda *_: True,
) -> Result:  # fmt: skip
    """Run once, on one store of a durability or on a cluster; what is wrong is in the result.

    The folder, with all logs, is kept if it was given.  The first catalogues are delivered to ``targets``.  Faults go
    on, but not for ever, until ``enough`` of them: it is called with how often each was inflicted, and how often
    readers of tables saw the catalogue just after a task.
    """
    result = Result(seed, seconds, durability, cluster)
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        where = folder or Path(temporary)
        how: dict[str, Any] = {"cluster": cluster, "durability": durability, "sinks": bool(targets)}
        with (
            open_place(where, CATALOGS, **how) as (place, faults),
            open_stage(where, place, CATALOGS, seed=seed, targets=targets, sunk=SUNK) as stage,
        ):
            customers = [Patient("", key, TOKEN, urls=stage.fleet.urls) for key in CATALOGS]
            readers = [Patient("", key, TOKEN, urls=stage.fleet.urls) for key in COPIED]
            lossy = {"may_have_lost": place.may_repeat}
            copiers = [Copier(reader, seed, **lossy) for reader in readers]
            with open_outside(stage, customers, told=TOLD, archived=ARCHIVED, seed=seed, **lossy) as outside:
                kinds = [*FAULTS, *faults, *sink_faults(stage), *outside_faults(outside)]
                schedule = Schedule(stage, stage.random, kinds)
                _cause_trouble(schedule, customers, copiers, outside, result, enough)
                result.wrong += outside.find_files() + outside.be_told(stage.fleet.connect())
            _look_at_everything(stage, customers, schedule, result)
            result.wrong += outside.check_exports()
            result.outside = outside.seen()
            if stage.sinks:
                _look_at_sinks(stage.sinks, customers[:SUNK], result, may_repeat=place.may_repeat)
            _look_at_copies(copiers, result)
    return result


def _cause_trouble(
    schedule: Schedule, customers: list[Patient], copiers: list[Copier], outside: OutsideTrial, result: Result,
    enough: Callable[[Counter[str], int], bool],
) -> None:  # fmt: skip
    stage, watcher = schedule.stage, Watcher(schedule.stage, CATALOGS)
    # What was lost with a server's end is done again: that does not look like law 3 from outside.
    watch = None if stage.place.may_repeat else StatusWatch()
    producers = [
        Producer(number, customers, result.seed, watch=watch, ftps=outside.ftps if number < FTPS_PRODUCERS else None)
        for number in range(stage.place.producers + FTPS_PRODUCERS)
    ]
    tables = stage.sinks.readers if stage.sinks else []
    for runner in (watcher, *producers, *copiers, *outside.archivists, *tables):
        runner.start()
    schedule.run(result.seconds, lambda: enough(schedule.inflicted, _exact(tables)))
    for producer in producers:
        producer.stop()
        if producer.wrong:
            result.wrong.append(f"a producer: {producer.wrong!r}")
    for reader in (*copiers, *outside.archivists):
        reader.stop()
    _wait_for_peace(stage, customers, result)
    if stage.sinks:
        _wait_for_sinks(stage, stage.sinks, customers[:SUNK], result)
    watcher.stop()
    result.faults = schedule.inflicted
    seconds, _, ended = watcher.longest
    result.longest_stall_s = seconds
    result.before_stall = [
        f"{at - ended:+.1f} s {name}" for at, name in schedule.history if ended - seconds - 3 < at < ended
    ]


def _wait_for_peace(stage: Stage, customers: list[Patient], result: Result) -> None:
    start = time.monotonic()
    stage.place.wait_whole()
    stage.fleet.wait_ready()
    result.ready_s = time.monotonic() - start
    # What it has half of is let go of, so that nothing comes any more.
    stage.fleet.ftps[0].stop()
    wait_until(
        lambda: all(customer.all_ended() for customer in customers), "all tasks end", timeout_s=PEACE_S, every_s=0.2
    )
    result.settled_s = time.monotonic() - start


def _wait_for_sinks(stage: Stage, sinks: SinkTrial, customers: list[Patient], result: Result) -> None:
    start = time.monotonic()
    for customer in customers:
        # A destination that was restored is looked at when something has changed.
        customer.done(customer.put({"id": "last", "name": "The last one", "data": {}}), timeout_s=PEACE_S)
    try:
        sinks.end_leases(stage.store())
        sinks.catch_up(stage.fleet.connect())
    except WaitedInVain as vain:
        result.wrong.append(f"sinks: {vain}")
    for reader in sinks.readers:
        reader.stop()
        if reader.wrong:
            result.wrong.append(f"a reader of a table: {reader.wrong!r}")
    result.caught_up_s = time.monotonic() - start


def _look_at_sinks(sinks: SinkTrial, customers: list[Patient], result: Result, *, may_repeat: bool) -> None:
    for customer in customers:
        states = States(customer.accepted, customer.tasks())
        # What was lost with a server's end was a state, too.
        result.wrong += sinks.check(customer.catalog_key, states, sights=not may_repeat)
    result.destinations = [target.name for target in sinks.targets]
    result.sights = sum(len(reader.sights) for reader in sinks.readers)
    result.exact = _exact(sinks.readers)


def _exact(readers: Sequence[TableReader]) -> int:
    return sum(sight.exact for reader in readers for sight in list(reader.sights))


def _look_at_everything(stage: Stage, customers: list[Patient], schedule: Schedule, result: Result) -> None:
    kills = [at for at, name in schedule.history if name.startswith(("store: kill", "store: power", "store: disk"))]
    for customer in customers:
        try:
            if result.durability == "everysec":
                result.lost += _take_out_lost(customer, kills)
            check_laws(customer.accepted, customer)
        except LawBroken as broken:
            result.wrong.append(f"{customer.catalog_key}: {broken}")
        result.accepted += len(customer.accepted)
        result.entries += sum(len(batch.entries) for batch in customer.accepted)
        result.statuses.update(customer.counts())
        result.retries.update(customer.retries)
        result.cut += customer.cut
    try:
        for server in stage.place.servers():
            check_keys(server)
    except AssertionError as leak:
        result.wrong.append(f"no leaks: {leak}")
    refused = {status: count for status, count in result.retries.items() if status[0] == "5"}
    if strange := {status: count for status, count in refused.items() if status not in ASK_AGAIN}:
        result.wrong.append(f"answers that are no answers: {strange}")
    result.starts = {member.name: member.starts for member in stage.fleet.members} | dict(stage.place.starts())
    result.findings = list(stage.place.findings())


def _look_at_copies(copiers: list[Copier], result: Result) -> None:
    for copier in copiers:
        result.walks += copier.walks
        if copier.wrong:
            result.wrong.append(f"a copier: {copier.wrong!r}")
            continue
        try:
            copier.check()
        except LawBroken as broken:
            result.wrong.append(f"copying: {broken}")


def _take_out_lost(customer: Patient, kills: list[float]) -> int:
    """Take out of the journal what a killed store may lose; returns how much was lost."""
    there = {task.id for task in customer.tasks()}
    near = [
        batch for batch in customer.accepted if any(kill - LOSS_S < batch.answered < kill + LOSS_S for kill in kills)
    ]
    gone = [batch for batch in near if batch.task_id not in there]
    for batch in gone:
        customer.accepted.remove(batch)
    for batch in customer.accepted:
        # A cancel may have been lost too.
        batch.canceled = None if batch.canceled else batch.canceled
    return len(gone)
