"""What the rules of a guard say about a batch, by the sequential model.  It shares no code with shared/guards."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: As they were sent.
Rules = Mapping[str, Any]
Entries = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class KindChange:
    """What a batch does to the entries of one kind."""

    before: Entries
    after: Entries
    updated: int
    unchanged: int
    deleted: int

    @property
    def created(self) -> int:
        return len(self.after.keys() - self.before.keys())

    @property
    def counts(self) -> dict[str, int]:
        """As a task shows them."""
        return {
            "stored": len(self.before), "created": self.created, "updated": self.updated - self.created,
            "unchanged": self.unchanged, "deleted": self.deleted,
        }  # fmt: skip

    def written(self) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """The entries that are new or other than before, each with what it was."""
        for entry_id, entry in self.after.items():
            if (was := self.before.get(entry_id)) != entry:
                yield was or {}, entry


@dataclass
class Ruling:
    """What comes of a batch."""

    stopped: bool = False
    warnings: Counter[str] = field(default_factory=Counter)
    #: What it would change, by kind, as far as that was judged.
    planned: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """By which rules a task was judged, by kind."""

    rules: Mapping[str, Rules]
    #: Those by which its last commit may have been judged, if that comes later.
    last: Sequence[Mapping[str, Rules]] = ()
    #: Whether it FAILED: where the last commit may have been judged in several ways, this says in which.
    failed: bool = False

    def rule(self, own: str, changes: Mapping[str, KindChange], *, force: bool, ratio: float, floor: int) -> Ruling:
        """Judge a batch with entries of its ``own`` kind, by all that it does.

        ``ratio`` and ``floor``: the share of entries that may be deleted, and from how many on shares count, where
        rules do not say it.
        """

        def deletes_too_many(rules: Mapping[str, Rules], kind: str) -> bool:
            change = changes[kind]
            return not force and not _may_delete(rules.get(kind), change.deleted, len(change.before), ratio, floor)

        ruling = Ruling()
        if (rules := self.rules.get(own)) is not None:
            warns = rules.get("mode") == "warn"
            minds = rules.get("floor", floor)
            broken = list(_broken(rules, changes[own], floor=minds, with_deletions=warns or force))
            ruling.planned[own] = changes[own].counts
            ruling.warnings["GUARD" if warns else "GUARD_WAIVED"] += len(broken)
            ruling.stopped = not warns and any(strict or not force for strict in broken)
            ruling.stopped |= deletes_too_many(self.rules, own)
        ends = {any(deletes_too_many(some, kind) for kind in changes) for some in self.last}
        ruling.stopped |= self.failed if len(ends) > 1 else True in ends
        return ruling


def _may_delete(rules: Rules | None, deleted: int, stored: int, ratio: float, floor: int) -> bool:
    """Tell whether so many may be deleted without force: by the rules if they say it and are enforced."""
    if rules is not None and "max_deleted" in rules and rules.get("mode") != "warn":
        ratio, floor = rules["max_deleted"], rules.get("floor", floor)
    return stored < floor or deleted <= ratio * stored


def _broken(rules: Rules, change: KindChange, *, floor: int, with_deletions: bool) -> Iterator[bool]:
    """Yield for each broken rule whether force does not waive it."""
    written, counts = list(change.written()), change.counts
    for name in rules.get("required", ()):
        if any(_is_empty(_value(after, name)) for _, after in written):
            yield True
    stored = counts["stored"]
    if stored >= floor:
        for limit in ("created", "updated", *["deleted"] * with_deletions):
            most = rules.get(f"max_{limit}")
            if most is not None and stored and counts[limit] > most * stored:
                yield False
    sent = counts["created"] + counts["updated"] + counts["unchanged"]
    if sent >= floor:
        for name, limits in rules.get("fields", {}).items():
            values = [(_value(before, name), _value(after, name)) for before, after in written]
            for found, most in _faults(limits, values):
                if found > most * sent:
                    yield False


def _faults(limits: Mapping[str, float], values: Sequence[tuple[Any, Any]]) -> Iterator[tuple[int, float]]:
    """Yield how many values break each limit, and which share of those that were sent may."""
    if "max_emptied" in limits:
        emptied = sum(_is_empty(after) and not _is_empty(before) for before, after in values)
        yield emptied, limits["max_emptied"]
    if "factor" in limits:
        yield sum(_jumps(before, after, limits["factor"]) for before, after in values), limits.get("max_jumps", 0)
    if "at_least" in limits or "at_most" in limits:
        numbers = [number for _, after in values if (number := _number(after)) is not None]
        low, high = limits.get("at_least", float("-inf")), limits.get("at_most", float("inf"))
        yield sum(not low <= number <= high for number in numbers), limits.get("max_outside", 0)


def _jumps(before: Any, after: Any, factor: float) -> bool:
    was, now = _number(before), _number(after)
    if was is None:
        return False
    if now is None:
        return not _is_empty(after)
    if was == now:
        return False
    return was * now <= 0 or max(was / now, now / was) > factor


def _value(entry: Mapping[str, Any], name: str) -> Any:
    if name.startswith("data."):
        return entry.get("data", {}).get(name.removeprefix("data."))
    return entry.get(name)


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _number(value: Any) -> float | None:
    """A number as the laws read it, or one that is sent as a text."""
    text = value if isinstance(value, str) else getattr(value, "text", "")
    return float(text) if re.fullmatch(r"\s*-?\d+(\.\d+)?([eE][+-]?\d+)?\s*", text) else None
