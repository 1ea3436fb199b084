"""Law of sinks: what readers of a destination see was the catalogue once; only an operator takes them back."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from typing import Any

from shared.model import Kind
from tests.simulation.parties.warehouse import TOO_LONG, Rows, Sight
from tests.simulation.plan import SECTION
from tests.support.laws import Accepted, LawBroken, Model, read_json

KINDS = (Kind.ITEMS, Kind.VARIATIONS)


class States:
    """The states of one catalogue after each of its tasks."""

    def __init__(self, batches: Sequence[Accepted], canceled: Set[int], model: Model) -> None:
        self._changes: dict[tuple[Kind, str], list[tuple[int, Any]]] = defaultdict(lambda: [(0, None)])
        before: dict[tuple[Kind, str], Any] = {}
        for batch in sorted(batches, key=lambda one: one.task_id):
            if batch.task_id in canceled:
                continue
            model.apply(batch)
            after = {(kind, id_): entry for kind in KINDS for id_, entry in model.there(kind, SECTION).items()}
            for name in {*before, *after}:
                if after.get(name) != before.get(name):
                    self._changes[name].append((batch.task_id, after.get(name)))
            before = after
        self._last = max((batch.task_id for batch in batches), default=0)

    def check(self, sights: Sequence[Sight], rows: Rows, *, since: int) -> None:
        """Raise LawBroken unless the copies begun ``since`` a start of the store were states, and ``rows`` the last."""
        position = (0, 0)
        for sight in sights:
            if sight.begun < since:
                continue
            mark = sight.copy.mark
            at = mark.position.task_id, mark.position.pieces or 10**9
            if at < position and not sight.undone:
                raise LawBroken(f"sink: its readers were at {position}, and then at {at}")
            position = at
            first = mark.position.task_id - mark.position.is_inside
            self._check(sight.rows, first, first if mark.exact else mark.reach, sight.refused)
        self._check(rows, self._last, self._last)

    def _check(self, rows: Rows, first: int, last: int, refused: Set[tuple[Kind, str]] = frozenset()) -> None:
        shown = {name: {"data": {}} | read_json(body) for name, body in rows.items()}
        for name in sorted({*rows, *self._changes}):
            allowed = [None if one is None else {"data": {}} | one for one in self._between(name, first, last)]
            if name in refused and any(one is not None and one.get("name") == TOO_LONG for one in allowed):
                continue
            if shown.get(name) not in allowed:
                raise LawBroken(f"sink: {name} is {shown.get(name)}, after task {first} to {last} it is {allowed}")

    def _between(self, name: tuple[Kind, str], first: int, last: int) -> Iterator[Any]:
        """Yield what an entry was after a task, and after each until another."""
        changes = self._changes[name]
        number = bisect_right(changes, first, key=lambda change: change[0])
        yield changes[number - 1][1]
        for task_id, entry in changes[number:]:
            if task_id > last:
                return
            yield entry
