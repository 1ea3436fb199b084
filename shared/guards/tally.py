"""Count what a task would do to the entries of one kind, before it does."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from shared.guards.data_schema import DataSchema
from shared.guards.field_reader import (
    Column,
    empty_ones,
    is_empty,
    is_garbled,
    numbers_of,
    plain,
    read_all,
    read_columns,
    text_of,
)
from shared.guards.numbers import factors, size_of
from shared.guards.rules import FieldRules, Rules
from shared.model import Outcome

#: Most entries that are named for a broken rule.
WORST = 10
#: Most fields that are counted where none are named, and most that are shown.
FIELDS, SHOWN_FIELDS = 200, 30
#: Most characters of a value in a message.
VALUE_LENGTH = 60

_NO_LIMITS = FieldRules()
#: Factors by which numbers are counted, with the names of the counts.
_FACTORS = {"by_more_than_10_percent": 1.1, "by_more_than_double": 2.0, "by_more_than_tenfold": 10.0}


class Fault(StrEnum):
    """What may be wrong with an entry."""

    EMPTIED = "emptied"
    JUMPED = "jumped"
    OUTSIDE = "outside"
    GARBLED = "garbled"
    MISSING = "missing"
    SCHEMA = "schema"


@dataclass(frozen=True, slots=True)
class Culprit:
    """An entry at fault."""

    #: How bad it is; the worst are kept.
    badness: float
    #: Index in the batch.
    index: int
    id: str
    #: For people: ``19.90 → 1990``.
    text: str


class WrittenEntries(NamedTuple):
    """Entries that are written, as they are before and after."""

    ids: Sequence[str]
    #: None for those that are created.
    before: Sequence[bytes | None]
    after: Sequence[bytes]
    #: Tells the index of an entry in the batch.
    index_of: Callable[[str], int]


#: How bad one of some written entries is, and its number among them.
Found = tuple[float, int]


@dataclass(slots=True)
class Faults:
    """Entries with one fault: how many, and the worst of them."""

    count: int = 0
    worst: list[Culprit] = field(default_factory=list)

    def add(self, written: WrittenEntries, found: Sequence[Found], text: Callable[[int], str]) -> None:
        """Count more of them; ``text`` tells people what is wrong with one."""
        self.count += len(found)
        # Of equals the first: both keep the order.
        worst = heapq.nsmallest(WORST, found, key=lambda one: -one[0])
        culprits = [Culprit(bad, written.index_of(written.ids[i]), written.ids[i], text(i)) for bad, i in worst]
        self.worst = sorted(self.worst + culprits, key=lambda one: -one.badness)[:WORST]


@dataclass(slots=True)
class ChangedValues:
    """What happens to the values of one field."""

    faults: dict[Fault, Faults] = field(default_factory=dict)
    #: Values that are numbers before and after.
    numbers: int = 0
    changed: int = 0
    by_factor: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_FACTORS, 0))

    def of(self, fault: Fault) -> Faults:
        """Return the entries with a fault."""
        return self.faults.setdefault(fault, Faults())

    def shown(self) -> dict[str, Any]:
        """Show it to users."""
        found: dict[str, Any] = {"emptied": self.of(Fault.EMPTIED).count}
        for fault in (Fault.OUTSIDE, Fault.GARBLED, Fault.MISSING):
            if fault in self.faults:
                found[fault] = self.faults[fault].count
        if self.numbers:
            found["numbers"] = {"compared": self.numbers, "changed": self.changed, **self.by_factor}
        return found


class Tally:
    """The counts of one kind, chunk by chunk, in little memory."""

    def __init__(self, rules: Rules | None = None) -> None:
        """With rules only the fields that they name are counted, without them all."""
        self._rules = rules
        named = () if rules is None else dict.fromkeys((*rules.fields, *rules.required))
        self._names = list(named)
        limits = {name: rules.fields.get(name) for name in named} if rules is not None else {}
        #: Those whose numbers are compared with what they were.
        self._compared = [name for name, one in limits.items() if one and (one.factor is not None or one == _NO_LIMITS)]
        #: Those that are looked at as they are written.
        garbled = {name for name, one in limits.items() if one and one.max_garbled is not None and not one.bounded}
        self._raw = frozenset(garbled.difference(self._compared))
        self._schema = None if rules is None or rules.schema is None else DataSchema.of(rules.schema)
        #: Entries of the kind that are stored before.
        self.stored = 0
        self.deleted = 0
        self.created = self.updated = self.unchanged = 0
        self.fields: dict[str, ChangedValues] = {name: ChangedValues() for name in self._names}
        #: Entries that break the schema.
        self.schema = Faults()

    @property
    def looks_at_entries(self) -> bool:
        """Whether entries have to be added, besides outcomes."""
        return self._rules is None or bool(self._names or self._schema)

    @property
    def sent(self) -> int:
        """Entries sent that count: not those that were left out, nor deletions."""
        return self.created + self.updated + self.unchanged

    def count(self, outcomes: str | bytes) -> None:
        """Count the outcomes of entries."""
        marks = outcomes if isinstance(outcomes, str) else outcomes.decode()
        self.created += marks.count(Outcome.CREATED)
        self.updated += marks.count(Outcome.UPDATED)
        self.unchanged += marks.count(Outcome.UNCHANGED)

    def add(self, written: WrittenEntries) -> None:
        """Look at entries that are written."""
        if not written.ids:
            return
        if self._rules is None:
            self._add_all(written)
            return
        if self._names:
            # Decoding is most of the cost: before, only what numbers are compared with.
            after = dict(zip(self._names, read_columns(written.after, self._names, self._raw), strict=True))
            before = dict(zip(self._compared, self._read_before(written, self._compared), strict=True))
            for name in self._names:
                self._add_field(name, written, after[name], before.get(name))
        if self._schema is not None:
            wrong = self._schema.problems(written.after)
            self.schema.add(written, _equally(wrong), wrong.__getitem__)

    def _read_before(self, written: WrittenEntries, names: Sequence[str]) -> list[Column]:
        if not names:
            return []
        return read_columns([value or b"{}" for value in written.before], names, self._raw)

    def _add_all(self, written: WrittenEntries) -> None:
        befores = [{} if value is None else read_all(value) for value in written.before]
        afters = list(map(read_all, written.after))
        for name in dict.fromkeys(name for fields in (*befores, *afters) for name in fields):
            if name not in self.fields and len(self.fields) >= FIELDS:
                continue
            self.fields.setdefault(name, ChangedValues())
            after, before = ([plain(fields.get(name, b"")) for fields in rows] for rows in (afters, befores))
            self._add_field(name, written, after, before)

    def _add_field(self, name: str, written: WrittenEntries, after: Column, before: Column | None) -> None:
        rules, tally = self._rules, self.fields[name]
        limits = _NO_LIMITS if rules is None else rules.fields.get(name, _NO_LIMITS)
        if empty := empty_ones(after):
            old = self._read_before(written, [name])[0] if before is None else before
            emptied = [i for i in empty if not is_empty(old[i])]
            tally.of(Fault.EMPTIED).add(written, _equally(emptied), lambda i: f"{_cut(old[i])} → nothing")
            if rules is not None and name in rules.required:
                tally.of(Fault.MISSING).add(written, _equally(empty), lambda _: f"{name} is missing")
        if limits.bounded:
            tally.of(Fault.OUTSIDE).add(written, _outside(limits, after), lambda i: _cut(after[i]))
        if before is not None:
            _compare(tally, limits, written, before, after)
        if limits.max_garbled is not None:
            garbled = [i for i, value in enumerate(after) if is_garbled(value)]
            tally.of(Fault.GARBLED).add(written, _equally(garbled), lambda i: _cut(after[i]))

    def shown(self) -> dict[str, Any]:
        """Show what a task would change to users; of the fields those with changes, the most changed first."""
        fields = {name: tally.shown() for name, tally in self.fields.items()}
        if self._rules is None:
            most = sorted(fields, key=lambda name: -_changes(fields[name]))
            fields = {name: fields[name] for name in most[:SHOWN_FIELDS] if _changes(fields[name])}
        return {
            "stored": self.stored,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "deleted": self.deleted,
            **({"fields": fields} if fields else {}),
        }


def _changes(shown: Mapping[str, Any]) -> int:
    return int(shown["emptied"]) + int(shown.get("numbers", {}).get("changed", 0))


def _equally(some: Iterable[int]) -> list[Found]:
    """Call entries equally bad."""
    return [(0.0, i) for i in some]


def _outside(limits: FieldRules, after: Column) -> list[Found]:
    """Find the numbers outside their bounds, the farthest being the worst."""
    low = -math.inf if limits.at_least is None else limits.at_least
    high = math.inf if limits.at_most is None else limits.at_most
    return [
        (max(low - number, number - high), i)
        for i, number in enumerate(numbers_of(after))
        if number is not None and not low <= number <= high
    ]


def _compare(tally: ChangedValues, limits: FieldRules, written: WrittenEntries, before: Column, after: Column) -> None:
    """Compare numbers with what they were."""
    old, new = numbers_of(before), numbers_of(after)
    compared = changes = factors(old, new, after)
    if None in changes:
        compared = [factor for factor in changes if factor is not None]
    tally.numbers += len(compared)
    tally.changed += len(compared) - compared.count(1.0)
    least = min(limits.factor or math.inf, *_FACTORS.values())
    if not compared or (1 / least <= min(compared) and max(compared) <= least):  # type: ignore[type-var,operator]
        return
    sizes = [(i, size_of(factor)) for i, factor in enumerate(changes) if factor is not None]
    for name, beyond in _FACTORS.items():
        tally.by_factor[name] += sum(size > beyond for _, size in sizes)
    if limits.factor is not None:
        jumped = [(size, i) for i, size in sizes if size > limits.factor]
        tally.of(Fault.JUMPED).add(written, jumped, lambda i: f"{_cut(before[i])} → {_cut(after[i])}")


def _cut(value: Any) -> str:
    text = "nothing" if is_empty(value) else text_of(value)
    return text if len(text) <= VALUE_LENGTH else text[: VALUE_LENGTH - 1] + "…"
