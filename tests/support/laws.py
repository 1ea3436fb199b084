"""The four laws, checked from outside: order, once, end, no leaks (the last one here as far as tasks go).

A sequential model in plain Python applies what was accepted, batch by batch in the order of the task ids, and says what
every task and every entry must look like.  It shares no code with the workers.  What is there is read through `Reader`,
so that the same check runs over HTTP and directly over Redis.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from tests.support.guard_laws import Judged, KindChange

#: Warnings that a task may keep to itself; above so many only their truth is checked.
CAPPED_WARNINGS = 100

KINDS = ("items", "variations", "item_groups")
COUNTS = tuple(f"{kind}_{what}" for kind in KINDS for what in ("updated", "unchanged", "deleted"))
#: What a guard counts.
PLANNED = ("stored", "created", "updated", "unchanged", "deleted")
#: Where item groups lie, which belong to no section.
NO_SECTION = ""
TERMINAL = frozenset({"DONE", "FAILED", "CANCELED"})


class LawBroken(AssertionError):
    """One of the laws does not hold; the text says which, and where."""


@dataclass
class Accepted:
    """A batch as its sender knows it."""

    task_id: int
    kind: str
    operation: str
    entries: Sequence[bytes]
    section: str = "Products"
    on_missing: str = "FAIL"
    force: bool = False
    #: When the request was sent and when its answer was there, on any one clock of the senders.
    sent: float = 0.0
    answered: float = 0.0
    #: Whether it was canceled; None if the sender does not know.
    canceled: bool | None = False
    retry_of: int | None = None
    #: It killed so many workers, or lost its payload, that it may have FAILED without its data being wrong.
    excused: bool = False
    #: How many of its entries were applied before it was given up; None if it was not.
    given_up_after: int | None = None
    #: The guard that judged it; None if there was none.
    judged: Judged | None = None


@dataclass(frozen=True)
class SeenTask:
    """A task as it is shown."""

    id: int
    status: str
    counts: Mapping[str, int]
    warnings: Sequence[Mapping[str, Any]]
    error: str | None = None
    retry_of: int | None = None
    #: What it would have changed, by kind, as a guard saw it; None if that is not shown.
    planned: Mapping[str, Mapping[str, Any]] | None = None


class Reader(Protocol):
    """Whatever shows the tasks and entries of one catalog."""

    def tasks(self) -> Sequence[SeenTask]:
        """All tasks, newest first."""

    def entries(self, kind: str, section: str) -> Sequence[tuple[str, bytes]]:
        """Id and JSON of all entries, in the order of the listing."""


def check_laws(
    accepted: Iterable[Accepted], reader: Reader, *, safeguard_ratio: float = 0.5, safeguard_floor: int = 100
) -> None:
    """Raise LawBroken unless all accepted tasks have ended and everything is as if applied one after the other.

    ``accepted`` are all batches of the catalog, in any order.
    """
    batches = sorted(accepted, key=lambda batch: batch.task_id)
    _check_acceptance(batches)
    seen = _check_listing(batches, reader.tasks())
    model = Model(safeguard_ratio, safeguard_floor)
    for batch in batches:
        _check_task(batch, seen[batch.task_id], model)
    places = {(batch.kind, batch.section) for batch in batches}
    places |= {(kind, section) for _, section in places if section != NO_SECTION for kind in ("items", "variations")}
    for kind, section in sorted(places):
        _check_entries(kind, section, model.there(kind, section), reader.entries(kind, section))


class StatusWatch:
    """Law 3 over time: a status moves forward only, and a terminal one stays."""

    _FORWARD = frozenset(
        {("QUEUED", "IN_PROGRESS"), ("QUEUED", "CANCELED"), ("QUEUED", "DONE"), ("QUEUED", "FAILED")}
        | {("IN_PROGRESS", "DONE"), ("IN_PROGRESS", "FAILED")}
    )

    def __init__(self) -> None:
        self._last: dict[Any, str] = {}

    def see(self, task: Any, status: str) -> None:
        """Note a status; raises LawBroken if it cannot follow the one seen before."""
        before = self._last.get(task, "QUEUED")
        if status != before and (before, status) not in self._FORWARD:
            raise LawBroken(f"end: task {task} went from {before} to {status}")
        self._last[task] = status


# -- what has to be ---------------------------------------------------------------------------------------------------


@dataclass
class Expected:
    """How a task must have ended."""

    status: str
    counts: Counter[str] = field(default_factory=Counter)
    #: (code, id) of warnings that have to be there, and of those that are true, so they may.
    must_warn: Counter[tuple[str, str]] = field(default_factory=Counter)
    may_warn: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: What it would have changed, by kind, if a guard judged it.
    planned: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Number:
    """A JSON number as it is spelled."""

    text: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


class Unapplicable(Exception):
    """The data makes it impossible to apply the batch."""


def read_json(text: bytes | str) -> Any:
    """Parse JSON without touching a number."""
    return _decode(text if isinstance(text, str) else text.decode())


def same(one: Any, two: Any) -> bool:
    """Tell whether two values are equal as JSON is: 1 is 1.0, true is not 1, objects have no order."""
    if isinstance(one, Number) and isinstance(two, Number):
        return _value_of(one) == _value_of(two)
    if type(one) is not type(two):
        return False
    if isinstance(one, list):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[name], two[name]) for name in one)
    return bool(one == two)


def _value_of(number: Number) -> Decimal | str:
    """The value of a number; how it is written, if its exponent is too great for a decimal."""
    try:
        return Decimal(number.text)
    except InvalidOperation:
        return number.text


def patched(stored: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the fields of a PATCH into an entry.  Raises Unapplicable if an edit meets something that is no list."""
    entry = dict(stored)
    for name, value in sent.items():
        if value is None:
            entry.pop(name, None)
        elif name == "data":
            entry["data"] = _patched_data(entry.get("data", {}), value)
        else:
            entry[name] = value
    return entry


def _patched_data(stored: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    data = dict(stored)
    for name, value in sent.items():
        key, _, edit = name.rpartition(":")
        if edit in ("add", "remove"):
            before = [] if data.get(key) is None else data[key]
            after = _edited(before, edit, value)
            if len(after) != len(before):
                data[key] = after
        elif value is None:
            data.pop(name, None)
        else:
            data[name] = value
    return data


def _edited(before: Any, edit: str, elements: Sequence[Any]) -> list[Any]:
    if not isinstance(before, list):
        raise Unapplicable(before)
    if edit == "remove":
        return [one for one in before if not any(same(one, element) for element in elements)]
    after = list(before)
    for element in elements:
        if not any(same(element, one) for one in after):
            after.append(element)
    return after


def _no_constant(name: str) -> None:
    raise LawBroken(f"{name} is no JSON")


_decode = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_no_constant).decode


class Model:
    """A catalogue in memory, to which batches are applied one after the other."""

    def __init__(self, safeguard_ratio: float = 0.5, safeguard_floor: int = 100) -> None:
        self._ratio = safeguard_ratio
        self._floor = safeguard_floor
        self._entries: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}

    def there(self, kind: str, section: str) -> dict[str, dict[str, Any]]:
        """The entries of a kind and section, by id."""
        return self._entries.setdefault((kind, section), {})

    def apply(self, batch: Accepted) -> Expected:
        """Apply a batch whole or not at all, and say how its task must have ended.

        One that was given up is applied as far as it came.
        """
        if batch.operation == "broken":
            # A file that nobody can read.
            return Expected("FAILED")
        if batch.given_up_after is not None:
            expected = self._apply(batch, batch.given_up_after) if batch.given_up_after else Expected("FAILED")
            expected.status = "FAILED"
            if batch.judged is not None:
                expected.may_warn.update({(code, ""): len(batch.entries) for code in ("GUARD", "GUARD_WAIVED")})
            return expected
        if batch.judged is None:
            return self._apply(batch, len(batch.entries))
        before = {place: dict(there) for place, there in self._entries.items()}
        expected = self._apply(batch, len(batch.entries))
        if expected.status != "DONE":
            return expected
        changes = self._changes(batch, before, expected.counts)
        ruling = batch.judged.rule(batch.kind, changes, force=batch.force, ratio=self._ratio, floor=self._floor)
        if ruling.stopped:
            self._entries = before
            return Expected("FAILED", planned=ruling.planned)
        expected.planned = ruling.planned
        expected.must_warn.update({(code, ""): times for code, times in ruling.warnings.items() if times})
        return expected

    def _changes(
        self, batch: Accepted, before: Mapping[tuple[str, str], dict[str, dict[str, Any]]], counts: Counter[str]
    ) -> dict[str, KindChange]:
        """Say what was just applied to each kind that a guard looks at."""
        goes_along = ("variations",) if (batch.operation, batch.kind) == ("keep", "items") else ()
        changes = {}
        for kind in (batch.kind, *goes_along):
            updated, unchanged, deleted = (counts[f"{kind}_{what}"] for what in ("updated", "unchanged", "deleted"))
            was, now = before.get((kind, batch.section), {}), self.there(kind, batch.section)
            changes[kind] = KindChange(was, now, max(0, updated - unchanged), unchanged, deleted)
        return changes

    def _apply(self, batch: Accepted, so_many: int) -> Expected:
        """Apply the first entries of a batch, without a guard."""
        values = [read_json(entry) for entry in batch.entries]
        last_at = {value["id"]: index for index, value in enumerate(values)}
        last = {value["id"]: value for index, value in enumerate(values[:so_many]) if last_at[value["id"]] == index}
        expected = Expected("DONE")
        for index, value in enumerate(values[:so_many]):
            if last_at[value["id"]] != index:
                expected.must_warn["DUPLICATE_ITEM", value["id"]] += 1
        there = self.there(batch.kind, batch.section)
        try:
            match batch.operation:
                case "put" | "sync":
                    self._put(batch, last, expected)
                case "keep":
                    self._keep(batch, last, expected)
                case "patch":
                    self._write(batch, self._merged(batch, last, there, patched), expected)
                case "add" | "upsert" | "replace":
                    self._apply_groups(batch, last, expected)
                case "create" | "modify" | "amend":
                    self._apply_whole_items(batch, last, expected)
                case "delete":
                    delete = self._delete_items if batch.kind == "items" else self._delete_others
                    delete(batch, last, expected)
        except Unapplicable:
            return Expected("FAILED")
        return expected

    def _put(self, batch: Accepted, last: Mapping[str, Any], expected: Expected) -> None:
        """Write whole entries; a sync deletes all others of their kind. The variations of items are another kind."""
        there = self.there(batch.kind, batch.section)
        gone = [entry_id for entry_id in there if entry_id not in last] if batch.operation == "sync" else []
        self._guard(batch, len(gone), len(there))
        for entry_id in gone:
            del there[entry_id]
        self._write(batch, {entry_id: _whole(value) for entry_id, value in last.items()}, expected)
        expected.counts[f"{batch.kind}_deleted"] = len(gone)

    def _keep(self, batch: Accepted, ids: Mapping[str, Any], expected: Expected) -> None:
        """Delete all but those that are named; variations go with their items, also those that never had one."""
        there = self.there(batch.kind, batch.section)
        left: dict[str, dict[str, Any]] = {batch.kind: {id_: value for id_, value in there.items() if id_ in ids}}
        if batch.kind == "items":
            variations = self.there("variations", batch.section)
            kept = {id_: value for id_, value in variations.items() if value["item_id"] in left["items"]}
            left["variations"] = kept
        for kind, stay in left.items():
            before = self.there(kind, batch.section)
            self._guard(batch, len(before) - len(stay), len(before))
        for kind, stay in left.items():
            before = self.there(kind, batch.section)
            expected.counts[f"{kind}_deleted"] = len(before) - len(stay)
            self._entries[kind, batch.section] = stay
        expected.counts[f"{batch.kind}_unchanged"] = len(left[batch.kind])
        expected.must_warn.update(("NOT_FOUND", id_) for id_ in ids if id_ not in there)

    def _apply_groups(self, batch: Accepted, last: Mapping[str, Any], expected: Expected) -> None:
        """Apply what V1 does with item groups."""
        there = self.there(batch.kind, batch.section)
        written = {entry_id: _whole(value) for entry_id, value in last.items()}
        if batch.operation == "add":
            written = {entry_id: value for entry_id, value in written.items() if entry_id not in there}
        elif batch.operation == "upsert":
            written = self._merged(batch, last, there, _overwritten)
        else:
            gone = [entry_id for entry_id in there if entry_id not in last]
            expected.counts[f"{batch.kind}_deleted"] = len(gone)
            for entry_id in gone:
                del there[entry_id]
        self._write(batch, written, expected)

    def _apply_whole_items(self, batch: Accepted, last: Mapping[str, Any], expected: Expected) -> None:
        """Apply what V1 does with items and their variations."""
        items, variations = self.there("items", batch.section), self.there("variations", batch.section)
        missing = {item_id for item_id in last if item_id not in items}
        if batch.operation == "create" and len(missing) < len(last):
            raise Unapplicable("there already")
        if batch.operation != "create" and missing and batch.on_missing == "FAIL":
            raise Unapplicable(missing)
        skipped = missing if batch.operation != "create" and batch.on_missing == "IGNORE" else set()
        items_before, before, sent = dict(items), dict(variations), set()
        for item_id, value in last.items():
            if item_id in skipped:
                continue
            fields = {name: member for name, member in value.items() if name != "variations"}
            stored = items.get(item_id, {})
            if batch.operation == "amend":
                items[item_id] = patched(stored, fields)
            else:
                score = {name: stored[name] for name in ("suggested_score",) if name in stored}
                items[item_id] = _whole({**score, **fields})
            if "variations" in value:
                theirs = {variation["id"]: variation for variation in value["variations"]}
                for variation_id in [one for one, held in variations.items() if held["item_id"] == item_id]:
                    del variations[variation_id]
                variations.update(theirs)
                sent.update(theirs)
        expected.counts["items_updated"] = len(last) - len(skipped)
        expected.counts["variations_updated"] = len(sent)
        expected.counts["variations_deleted"] = len(set(before) - set(variations))
        expected.counts["items_unchanged"] = sum(
            items[item_id] == items_before.get(item_id) and _of(item_id, variations) == _of(item_id, before)
            for item_id in last
            if item_id not in skipped
        )
        expected.counts["variations_unchanged"] = sum(
            variations.get(variation_id) == before.get(variation_id) for variation_id in sent
        )

    def _merged(
        self,
        batch: Accepted,
        sent: Mapping[str, Any],
        there: Mapping[str, Any],
        merge: Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]],
    ) -> dict[str, dict[str, Any]]:
        missing = [entry_id for entry_id in sent if entry_id not in there]
        if missing and batch.on_missing == "FAIL":
            raise Unapplicable(missing)
        skipped = missing if batch.on_missing == "IGNORE" else []
        return {
            entry_id: merge(there.get(entry_id, {}), value)
            for entry_id, value in sent.items()
            if entry_id not in skipped
        }

    def _write(self, batch: Accepted, written: dict[str, dict[str, Any]], expected: Expected) -> None:
        there = self.there(batch.kind, batch.section)
        created = [entry_id for entry_id in written if entry_id not in there]
        unchanged = sum(there.get(entry_id) == value for entry_id, value in written.items())
        there.update(written)
        expected.counts[f"{batch.kind}_updated"] = len(written)
        expected.counts[f"{batch.kind}_unchanged"] = unchanged
        if batch.kind == "variations":
            items = self.there("items", batch.section)
            orphans = {entry_id for entry_id, value in written.items() if value["item_id"] not in items}
            surely = written if batch.operation in ("put", "sync") else created
            expected.must_warn.update(("ORPHAN_VARIATION", entry_id) for entry_id in orphans.intersection(surely))
            expected.may_warn.update(("ORPHAN_VARIATION", entry_id) for entry_id in orphans.difference(surely))

    def _delete_items(self, batch: Accepted, ids: Iterable[str], expected: Expected) -> None:
        items, variations = self.there("items", batch.section), self.there("variations", batch.section)
        gone = [entry_id for entry_id in ids if entry_id in items]
        self._guard(batch, len(gone), len(items))
        theirs = [entry_id for entry_id, value in variations.items() if value["item_id"] in set(ids)]
        for entry_id in gone:
            del items[entry_id]
        for entry_id in theirs:
            del variations[entry_id]
        expected.counts["items_deleted"] = len(gone)
        expected.counts["variations_deleted"] = len(theirs)

    def _delete_others(self, batch: Accepted, ids: Iterable[str], expected: Expected) -> None:
        there = self.there(batch.kind, batch.section)
        gone = [entry_id for entry_id in ids if entry_id in there]
        self._guard(batch, len(gone), len(there))
        for entry_id in gone:
            del there[entry_id]
        expected.counts[f"{batch.kind}_deleted"] = len(gone)

    def _guard(self, batch: Accepted, gone: int, size: int) -> None:
        judged_elsewhere = batch.judged is not None or batch.given_up_after is not None
        if not judged_elsewhere and not batch.force and size >= self._floor and gone > self._ratio * size:
            raise Unapplicable(f"{gone} of {size}")


def _whole(value: Mapping[str, Any]) -> dict[str, Any]:
    """What a PUT stores: null counts as absent at the top, and is a value like any other inside."""
    return {name: member for name, member in value.items() if member is not None}


def _of(item_id: str, variations: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The variations of an item."""
    return {id_: value for id_, value in variations.items() if value["item_id"] == item_id}


def _overwritten(stored: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """What an upsert stores: each field that was sent replaces, whole."""
    return _whole({**stored, **sent})


# -- the laws one by one ----------------------------------------------------------------------------------------------


def _check_acceptance(batches: Sequence[Accepted]) -> None:
    """Law 1, first half: whoever had an answer before another one asked has the lower id."""
    highest = Accepted(0, "", "", ())
    by_answer = sorted(batches, key=lambda batch: batch.answered)
    answered = 0
    for batch in sorted(batches, key=lambda batch: batch.sent):
        while answered < len(by_answer) and by_answer[answered].answered < batch.sent:
            highest = max(highest, by_answer[answered], key=lambda one: one.task_id)
            answered += 1
        if highest.task_id >= batch.task_id:
            raise LawBroken(f"order: task {batch.task_id} was sent after the answer that named task {highest.task_id}")
    ids = [batch.task_id for batch in batches]
    if len(set(ids)) < len(ids):
        raise LawBroken(f"once: an id was given out twice, in {ids}")


def _check_listing(batches: Sequence[Accepted], tasks: Sequence[SeenTask]) -> dict[int, SeenTask]:
    """Exactly the accepted tasks are there, newest first."""
    ids = [task.id for task in tasks]
    if ids != sorted(set(ids), reverse=True):
        raise LawBroken(f"order: tasks are listed as {ids}")
    accepted = {batch.task_id for batch in batches}
    if lost := accepted.difference(ids):
        raise LawBroken(f"once: accepted tasks are lost: {sorted(lost)}")
    if strange := set(ids).difference(accepted):
        raise LawBroken(f"once: tasks that nobody was told of: {sorted(strange)}")
    return {task.id: task for task in tasks}


def _check_task(batch: Accepted, task: SeenTask, model: Model) -> None:
    """Laws 2 and 3 for one task, whose batch is then applied to the model."""
    name = f"task {task.id} ({batch.operation} {batch.kind})"
    if task.status not in TERMINAL:
        raise LawBroken(f"end: {name} is {task.status}")
    if task.retry_of != batch.retry_of:
        raise LawBroken(f"end: {name} is a re-run of {task.retry_of}, not of {batch.retry_of}")
    canceled = task.status == "CANCELED" if batch.canceled is None else batch.canceled
    if canceled:
        expected = Expected("CANCELED")
    elif batch.excused and task.status == "FAILED":
        expected = Expected("FAILED")
    else:
        expected = model.apply(batch)
    if task.status != expected.status:
        raise LawBroken(f"once: {name} is {task.status} ({task.error}), it should be {expected.status}")
    if (task.status == "FAILED") != (task.error is not None):
        raise LawBroken(f"end: {name} is {task.status} with the error {task.error!r}")
    for count in COUNTS:
        if task.counts.get(count, 0) != expected.counts[count]:
            raise LawBroken(f"once: {name} has {count} {task.counts.get(count, 0)}, not {expected.counts[count]}")
    _check_warnings(name, task, expected)
    if batch.judged is not None and batch.given_up_after is None and not canceled:
        _check_planned(name, task, expected)


def _check_planned(name: str, task: SeenTask, expected: Expected) -> None:
    shown = task.planned or {}
    if (counts := {kind: {what: one[what] for what in PLANNED} for kind, one in shown.items()}) != expected.planned:
        raise LawBroken(f"guard: {name} would change {counts}, not {expected.planned}")


def _check_warnings(name: str, task: SeenTask, expected: Expected) -> None:
    warned = Counter((warning["code"], warning["data"]["id"] or "") for warning in task.warnings)
    if false := warned - expected.must_warn - expected.may_warn:
        raise LawBroken(f"once: {name} warns of what is not so: {sorted(false)}")
    if (expected.must_warn + expected.may_warn).total() <= CAPPED_WARNINGS and (silent := expected.must_warn - warned):
        raise LawBroken(f"once: {name} does not warn of {sorted(silent)}")


def _check_entries(kind: str, section: str, expected: Mapping[str, Any], seen: Sequence[tuple[str, bytes]]) -> None:
    """Laws 1 and 2 for what is stored: what the model holds, no more, and in the order of the ids."""
    ids = [entry_id for entry_id, _ in seen]
    should = sorted(expected, key=lambda entry_id: entry_id.encode())
    if ids != should:
        extra, lost = set(ids) - set(should), set(should) - set(ids)
        raise LawBroken(f"once: {kind} of {section!r}: lost {sorted(lost)}, too many {sorted(extra)}, or out of order")
    for entry_id, text in seen:
        # Whatever is read over HTTP has data, if only an empty one.
        if {"data": {}} | read_json(text) != {"data": {}} | expected[entry_id]:
            raise LawBroken(f"order: {kind} {entry_id!r} of {section!r} is {text!r}, not {expected[entry_id]!r}")
