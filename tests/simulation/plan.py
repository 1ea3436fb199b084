"""What is to happen in a history, made from its seed."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from shared.model import Kind, OnMissing, Operation
from tests.simulation.accidents import DEATHS, HARMLESS, Accident
from tests.simulation.made_rules import make_rules

#: Few of everything, so that all meet all.
CATALOGS = ("one", "two")
SENDERS = 2
WORKERS = 2
SECTION = "Products"
IDS = "abcdef"
#: How many operations there are besides those that begin: mostly few, for speed, now and then many.
LENGTHS = (1, 2, 2, 3, 3, 4, 5, 6, 9, 20)
EMAILS = ("ann@shop.example", "bob@shop.example")
#: Items that nothing deletes: every walk has to find them.
STEADY = ("s", "t")

#: What is sent of each kind, and how often.
_BY_KIND = {Operation.PUT: 4, Operation.PATCH: 5, Operation.DELETE: 3, Operation.EXPORT: 1}
WITH_VARIATIONS = (Operation.CREATE, Operation.MODIFY, Operation.AMEND)
_OF_GROUPS = (Operation.ADD, Operation.UPSERT, Operation.REPLACE)
OPERATIONS: dict[Kind, dict[Operation, int]] = {
    Kind.ITEMS: _BY_KIND | dict.fromkeys((Operation.SYNC, Operation.KEEP), 2) | dict.fromkeys(WITH_VARIATIONS, 1),
    Kind.VARIATIONS: _BY_KIND | {Operation.SYNC: 2},
    Kind.ITEM_GROUPS: _BY_KIND | dict.fromkeys(_OF_GROUPS, 2),
}
#: Sent through V1, in one chunk.
V1 = (*WITH_VARIATIONS, *_OF_GROUPS)
#: Whose entries are whole in any case.
WHOLE = (Operation.PUT, Operation.SYNC, Operation.ADD, Operation.REPLACE, Operation.CREATE, Operation.MODIFY)
ON_MISSING = {
    Operation.PATCH: tuple(OnMissing),
    Operation.UPSERT: (OnMissing.FAIL, OnMissing.CREATE),
    Operation.MODIFY: (OnMissing.FAIL, OnMissing.CREATE),
    Operation.AMEND: (OnMissing.IGNORE, OnMissing.FAIL),
}


@dataclass(frozen=True)
class Write:
    """A batch to send."""

    catalog_key: str
    kind: Kind
    operation: Operation
    entries: tuple[bytes, ...]
    on_missing: OnMissing = OnMissing.FAIL
    force: bool = False
    chunk_entries: int = 1000
    #: Whether it is sent with an Idempotency-Key, until it is answered.
    keyed: bool = False
    #: Who gets a mail if it fails.
    emails: tuple[str, ...] = ()
    #: Whether the sender of a file makes no progress for so long that what is staged of it expires.
    stalls: bool = False


@dataclass(frozen=True)
class Change:
    """A task to cancel or to run again: the one accepted so many tasks ago."""

    catalog_key: str
    back: int
    rerun: bool


@dataclass(frozen=True)
class Ruling:
    """The rules of a guard to set; None removes them."""

    catalog_key: str
    kind: Kind
    rules: dict[str, Any] | None


@dataclass(frozen=True)
class Planned:
    """One operation of one sender."""

    sender: int
    what: Write | Change | Ruling
    #: How long the sender waits before it.
    after_ms: int


@dataclass(frozen=True)
class Plan:
    """A whole history, but for the order of its round trips and the accidents."""

    seed: int
    operations: tuple[Planned, ...]
    #: Accidents per round trip, and which there may be; and how often others come between two commands.
    rate: float
    splits: float
    possible: tuple[Accident, ...]
    #: Whether a worker gives a partition back after each round, instead of going on for long.
    slices: bool
    #: Whether workers look for work by themselves; else every wake-up arrives, and nothing else makes up for one.
    sweeps: bool
    #: Whether PATCHes are kept beside their entries as if these were long.
    beside: bool
    #: Whether a webhook is told of what has ended.
    delivers: bool
    #: Whether somebody is mailed of what fails.
    mails: bool
    #: Whether a sink gets the catalogue; whether its destination refuses some entries, and gets few at a time; and how
    #: often its operator does something.
    sinks: bool
    narrow: bool
    few: bool
    operated: float
    #: Whether the store is started anew once, without what was written last.
    restarts: bool
    #: Stalls after which a task is given up, or left to an operator; None: never.
    max_stalls: int | None
    catalogs: tuple[str, ...]


@dataclass(frozen=True)
class Variant:
    """What of a plan is left out, and how it is ordered: made smaller, it still fails."""

    seed: int
    #: Seed of the order and of the accidents.
    schedule: int = 0
    #: Operations that are left out, and accidents that do not happen.
    without: frozenset[int] = frozenset()
    muted: frozenset[int] = field(default=frozenset())

    def arguments(self) -> str:
        """Spell it for the command line."""
        words = [f"--first {self.seed}"]
        if self.schedule:
            words.append(f"--schedule {self.schedule}")
        for name, numbers in (("without", self.without), ("muted", self.muted)):
            if numbers:
                words.append(f"--{name} {','.join(map(str, sorted(numbers)))}")
        return " ".join(words)


class Shares(NamedTuple):
    """How many of the operations are changes of tasks, and of guards; and of how many batches somebody is mailed."""

    changes: float
    rulings: float
    mails: float
    #: Whether batches are cut into many chunks, so that one can be given up halfway.
    cut: bool


def make_plan(seed: int) -> Plan:
    """Make up a history."""
    chance = random.Random(f"plan {seed}")
    rate = chance.choice((0.0, 0.02, 0.05, 0.05, 0.15, 0.15))
    sweeps = chance.random() < 0.85
    catalogs = CATALOGS[: chance.choice((1, 1, 2))]
    possible = tuple(Accident) if sweeps else HARMLESS
    if chance.random() < 0.5:
        possible = tuple(chance.sample(possible, min(len(possible), 3)))
    crowded = chance.random() < 0.25
    guarded = chance.random() < 0.3
    mails = 0.7 if chance.random() < 0.2 else 0.0
    fragile = sweeps and chance.random() < 0.3
    if fragile:
        rate, possible = max(rate, 0.1), DEATHS if chance.random() < 0.5 else possible
    first = tuple(map(_item, (*STEADY, *"ab")))
    chunk_entries = 1 if fragile else len(first)
    begin = [
        Planned(0, Write(key, Kind.ITEMS, Operation.PUT, first, chunk_entries=chunk_entries, keyed=True), 0)
        for key in catalogs
    ]
    shares = Shares(0.3 if crowded else 0.15, 0.2 if guarded else 0.0, mails, cut=fragile)
    operations = [
        _planned(chance, catalogs, ids=IDS[:2] if crowded else IDS, shares=shares)
        for _ in range(chance.choice(LENGTHS))
    ]
    return Plan(
        seed,
        (*begin, *operations),
        rate,
        chance.choice((0.0, 0.05, 0.3)),
        possible,
        slices=chance.random() < 0.5,
        sweeps=sweeps,
        beside=chance.random() < 0.3,
        delivers=chance.random() < 0.2,
        mails=mails > 0,
        sinks=chance.random() < 0.15,
        restarts=sweeps and chance.random() < 0.3,
        max_stalls=chance.choice((1, 1, 1, 2, 3)) if fragile else None,
        catalogs=catalogs,
        narrow=chance.random() < 0.5,
        few=chance.random() < 0.3,
        operated=chance.choice((0.04, 0.2)),
    )


def _planned(chance: random.Random, catalogs: Sequence[str], *, ids: str, shares: Shares) -> Planned:
    catalog_key = chance.choice(catalogs)
    what: Write | Change | Ruling
    drawn = chance.random()
    if drawn < shares.changes:
        what = Change(catalog_key, chance.randrange(4), rerun=chance.random() < 0.5)
    elif drawn < shares.changes + shares.rulings:
        kind = chance.choices((Kind.ITEMS, Kind.VARIATIONS, Kind.ITEM_GROUPS), (6, 2, 2))[0]
        what = Ruling(catalog_key, kind, make_rules(chance) if chance.random() < 0.8 else None)
    else:
        what = _write(chance, catalog_key, ids, shares)
    return Planned(chance.randrange(SENDERS), what, chance.choice((0, 0, 0, 5, 40, 2_000)))


def _write(chance: random.Random, catalog_key: str, ids: str, shares: Shares) -> Write:
    kind = chance.choices((Kind.ITEMS, Kind.VARIATIONS, Kind.ITEM_GROUPS), (6, 2, 2))[0]
    operation = chance.choices(*zip(*OPERATIONS[kind].items(), strict=True))[0]
    on_missing = chance.choice(ON_MISSING.get(operation, (OnMissing.FAIL,)))
    whole = operation in WHOLE or on_missing is OnMissing.CREATE
    lengths = (2, 3, 5) if shares.cut else (1, 1, 2, 3, 5)
    entries = _entries(chance, kind, operation, chance.choices(ids, k=chance.choice(lengths)), whole=whole)
    return Write(
        catalog_key,
        kind,
        operation,
        entries,
        on_missing,
        force=chance.random() < 0.5,
        chunk_entries=1000 if operation in V1 else chance.choice((1, 1, 2) if shares.cut else (1, 2, 1000)),
        keyed=chance.random() < 0.6,
        emails=EMAILS[: chance.choice((1, 2))] if chance.random() < shares.mails else (),
        stalls=operation.builds and chance.random() < 0.2,
    )


def _entries(
    chance: random.Random, kind: Kind, operation: Operation, ids: list[str], *, whole: bool
) -> tuple[bytes, ...]:
    if operation is Operation.EXPORT:
        return ()
    if operation.builds or operation in V1:
        # These may not name an entry twice.
        ids = sorted(set(ids), key=ids.index)
    if kind is Kind.ITEMS and operation.builds:
        ids += STEADY
    elif operation is not Operation.DELETE:
        ids += chance.sample(STEADY, chance.choice((0, 0, 1)))
    if operation in (Operation.DELETE, Operation.KEEP):
        return tuple(json.dumps({"id": id_}).encode() for id_ in ids)
    made = [_entry(chance, id_, kind, whole=whole, edits=operation is Operation.PATCH and not whole) for id_ in ids]
    if operation in WITH_VARIATIONS:
        for entry in made:
            if chance.random() < 0.7:
                theirs = (f"{entry['id']}{number}" for number in range(chance.randrange(3)))
                entry["variations"] = [{"id": id_, "item_id": entry["id"], "data": {"p": 1}} for id_ in theirs]
    return tuple(json.dumps(entry).encode() for entry in made)


def _item(id_: str) -> bytes:
    return json.dumps({"id": id_, "name": f"Item {id_}"}).encode()


def _entry(chance: random.Random, id_: str, kind: Kind, *, whole: bool, edits: bool) -> dict[str, object]:
    entry: dict[str, object] = {"id": id_}
    if kind is Kind.VARIATIONS and (whole or chance.random() < 0.5):
        entry["item_id"] = chance.choice((*IDS, *STEADY))
    if whole or chance.random() < 0.5:
        entry["name"] = chance.choice("xyz")
    if kind is not Kind.ITEM_GROUPS and chance.random() < 0.3:
        entry["suggested_score"] = chance.choice((1, 2.5, None))
    if chance.random() < 0.6:
        entry["data"] = _data(chance, edits=edits)
    return entry


def _data(chance: random.Random, *, edits: bool) -> dict[str, object]:
    data: dict[str, object] = {}
    for name in chance.sample("pq", chance.choice((1, 2))):
        edit = chance.choice(("", ":add", ":remove")) if edits else ""
        some = chance.choices((1, 1.5, True, "x"), k=chance.randrange(3))
        data[name + edit] = some if edit else chance.choice((some, some, "y", 7, None))
    return data
