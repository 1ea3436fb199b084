"""What is known of the guards of one catalog: which rules may have held for a task."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.guards.guard_records import Guard
from shared.model import Kind
from tests.support.guard_laws import Rules
from tests.support.laws import LawBroken


@dataclass(frozen=True)
class State:
    """The rules of a kind, from one change until the next."""

    #: 0: before the first change.
    version: int = 0
    rules: Rules | None = None
    #: When the answer was there.
    answered: float = -math.inf


@dataclass
class _Asked:
    kind: Kind
    rules: Rules | None
    answered: float = math.inf
    #: Whether the answer said that it has changed something.
    took_effect: bool = False


@dataclass
class GuardBook:
    """The rules that were set, each by the name of its operation."""

    _asked: dict[str, _Asked] = field(default_factory=dict)
    _states: dict[Kind, list[State]] = field(default_factory=lambda: defaultdict(lambda: [State()]))

    def ask(self, name: str, kind: Kind, rules: Mapping[str, Any] | None) -> None:
        """Note what is about to be set."""
        self._asked[name] = _Asked(kind, rules)

    def answer(self, name: str, *, took_effect: bool, tick: float) -> None:
        """Note that it was answered."""
        self._asked[name].answered, self._asked[name].took_effect = tick, took_effect

    def complete(self, changes: Sequence[Guard], *, lost_since: float) -> None:
        """Read which changes there were, newest first, now that nothing goes on.  Raises LawBroken."""
        newest = 0
        for change in reversed(changes):
            asked = self._asked.get(change.changed_by)
            if asked is None or (asked.kind, asked.rules) != (change.kind, change.rules):
                raise LawBroken(f"guard: {change} was set by nobody")
            if change.version <= newest:
                raise LawBroken(f"guard: the versions of {changes} do not grow")
            newest = change.version
            self._states[change.kind].append(State(change.version, change.rules, asked.answered))
        names = [change.changed_by for change in changes]
        if twice := {name for name in names if names.count(name) > 1}:
            raise LawBroken(f"guard: {sorted(twice)} took effect twice")
        for name, asked in self._asked.items():
            if asked.took_effect and asked.answered < lost_since and name not in names:
                raise LawBroken(f"guard: {name}, which set {asked.rules}, is forgotten")

    def possible(self, kind: Kind, sent: float, version: int | None = None) -> list[State]:
        """List the states that a task may meet that was sent at a moment, from a version on if it met that.

        Raises LawBroken if it cannot have met that version.
        """
        states = self._states[kind]
        first = max(number for number, state in enumerate(states) if state.answered < sent)
        left = states[first:]
        if version is not None and version not in [state.version for state in left]:
            raise LawBroken(f"guard: version {version} judged a task of {kind} that came after {left[0]} was there")
        return [state for state in left if version is None or state.version >= version]


def together(states: Mapping[Kind, Sequence[State]]) -> Iterator[dict[str, Rules]]:
    """Combine states of several kinds in every way."""
    for some in itertools.product(*states.values()):
        yield {kind: state.rules for kind, state in zip(states, some, strict=True) if state.rules is not None}
