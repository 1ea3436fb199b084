"""Make a failing history smaller, as long as it still fails in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.simulation.audit import Outcome
from tests.simulation.plan import Variant

#: Histories that are tried at most.
MOST_TRIES = 600
#: Other orders that are tried where an operation is left out, since the same order is then another one.
SCHEDULES = 4


class Shrinker:
    """Leaves out operations, then accidents, in ever smaller parts."""

    def __init__(self, run: Callable[[Variant], Outcome], failed: Outcome) -> None:
        self._run = run
        self._best = failed
        self._left = MOST_TRIES

    def smallest(self) -> Outcome:
        """Return the smallest history that was found."""
        while self._pass():
            pass
        return self._best

    def _pass(self) -> bool:
        """Leave out what can be left out; False if nothing could."""
        before = self._best.variant
        self._leave_out(self._operations, lambda best, some: replace(best, without=best.without | some), SCHEDULES)
        self._leave_out(self._accidents, lambda best, some: replace(best, muted=best.muted | some), 1)
        return self._best.variant != before and self._left > 0

    def _leave_out(
        self,
        remaining: Callable[[], list[int]],
        without: Callable[[Variant, frozenset[int]], Variant],
        schedules: int,
    ) -> None:
        size = max(1, len(remaining()) // 2)
        while size:
            for some in _parts(remaining(), size):
                variant = without(self._best.variant, some)
                for schedule in range(schedules):
                    if self._fails(replace(variant, schedule=variant.schedule + schedule)):
                        break
            size //= 2

    def _fails(self, variant: Variant) -> bool:
        if self._left == 0:
            return False
        self._left -= 1
        outcome = self._run(variant)
        if outcome.kind != self._best.kind:
            return False
        self._best = outcome
        return True

    def _operations(self) -> list[int]:
        return [number for number in range(self._best.planned) if number not in self._best.variant.without]

    def _accidents(self) -> list[int]:
        return [number for number in range(self._best.drawn) if number not in self._best.variant.muted]


def _parts(numbers: list[int], size: int) -> Iterator[frozenset[int]]:
    """The last ones first: what came late matters least."""
    for end in range(len(numbers), 0, -size):
        yield frozenset(numbers[max(0, end - size) : end])
