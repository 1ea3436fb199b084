"""Judge what a task would do by the rules of a guard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.guards.rules import FieldRules, Mode, Rules
from shared.guards.tally import Culprit, Fault, Faults, Tally
from shared.model import Kind

#: Most entries named in a message; the report of the task names all that are kept.
NAMED = 3

#: What a sender can do about it.
FORCE = "send force=true if this is intended"
STRICT = "correct the entries: force=true does not waive required fields or a schema"


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that a task breaks."""

    #: What happens to how many entries, and what is allowed.
    text: str
    worst: Sequence[Culprit] = ()
    #: The field in question, if any.
    field: str = ""
    #: Force does not waive it.
    strict: bool = False

    @property
    def message(self) -> str:
        """The text with the worst entries."""
        named = "; ".join(f"{one.id!r}: {one.text}" for one in self.worst[:NAMED])
        return f"{self.text} (such as {named})" if named else self.text


def judge(rules: Rules, tally: Tally, kind: Kind, *, floor: int, with_deletions: bool = True) -> list[Broken]:
    """List the rules that what was counted breaks.

    Shares of fewer than ``floor`` entries break none.  Without deletions, if something else is to judge those.
    """
    found = list(_strict(rules, tally, kind))
    if tally.stored >= floor:
        found += _of_stored(rules, tally, kind, with_deletions=with_deletions)
    if tally.sent >= floor:
        for name, limits in rules.fields.items():
            found += _of_field(name, limits, tally, kind)
    return found


def stopping(rules: Rules, broken: Sequence[Broken], *, force: bool) -> list[Broken]:
    """List those of the broken rules that stop a task."""
    if rules.mode is Mode.WARN:
        return []
    return [one for one in broken if one.strict or not force]


def guard_of(kind: Kind, section: str) -> str:
    """Name a guard, for people."""
    return f"the guard of the {kind.many}" + ("" if kind is Kind.ITEM_GROUPS else f" in section {section!r}")


def refusal(kind: Kind, section: str, broken: Sequence[Broken]) -> str:
    """Say why a task is stopped, and what its sender can do."""
    reasons = [one.message for one in broken]
    if len(reasons) > 1:
        reasons = [f"({number}) {reason}" for number, reason in enumerate(reasons, 1)]
    advice = STRICT if any(one.strict for one in broken) else FORCE
    return f"{guard_of(kind, section)} stops this: {'; '.join(reasons)}; {advice}"


def _strict(rules: Rules, tally: Tally, kind: Kind) -> Iterator[Broken]:
    for name in rules.required:
        missing = tally.fields[name].of(Fault.MISSING)
        if missing.count:
            text = f"{missing.count} {kind.many} have no {name}, which is required"
            yield Broken(text, missing.worst, strict=True)
    if tally.schema.count:
        text = f"{tally.schema.count} {kind.many} break the schema"
        yield Broken(text, tally.schema.worst, strict=True)


def _of_stored(rules: Rules, tally: Tally, kind: Kind, *, with_deletions: bool) -> Iterator[Broken]:
    counts: Mapping[str, tuple[int, float | None]] = {
        "create": (tally.created, rules.max_created),
        "update": (tally.updated, rules.max_updated),
        "delete": (tally.deleted, rules.max_deleted if with_deletions else None),
    }
    for verb, (count, most) in counts.items():
        if most is not None and tally.stored and count > most * tally.stored:
            among = f"{count} {kind.many}, {_share(count, tally.stored)} of the {tally.stored} that are stored"
            yield Broken(f"this would {verb} {among}; {_allowed(most)} may be")


def _of_field(name: str, limits: FieldRules, tally: Tally, kind: Kind) -> Iterator[Broken]:
    found = tally.fields[name]
    bounds = " and ".join(
        f"{sign} {bound:g}"
        for sign, bound in (("at least", limits.at_least), ("at most", limits.at_most))
        if bound is not None
    )
    rules: dict[Fault, tuple[str, float | None]] = {
        Fault.EMPTIED: ("would lose their value", limits.max_emptied),
        Fault.JUMPED: (
            f"would change by more than a factor of {limits.factor or 0:g}",
            None if limits.factor is None else limits.max_jumps,
        ),
        Fault.OUTSIDE: (f"would not be {bounds}", limits.max_outside if limits.bounded else None),
        Fault.GARBLED: ("look decoded with a wrong character encoding", limits.max_garbled),
    }
    for fault, (happens, most) in rules.items():
        faults = found.faults.get(fault, Faults())
        if most is not None and faults.count > most * tally.sent:
            among = f"{faults.count} of the {tally.sent} {kind.many} sent ({_share(faults.count, tally.sent)})"
            yield Broken(f"{name} of {among} {happens}; {_allowed(most)} may", faults.worst, name)


def _allowed(share: float) -> str:
    return f"at most {share * 100:g} %" if share else "none"


def _share(count: int, of: int) -> str:
    """Write a share as people do, and never as 0 % or 100 % what is not."""
    percent = 100 * count / of
    if percent in (0, 100) or 0.1 <= percent <= 99.9:
        return f"{percent:.1f}".rstrip("0").rstrip(".") + " %"
    return "less than 0.1 %" if percent < 1 else "more than 99.9 %"
