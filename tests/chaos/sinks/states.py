"""The states of a catalogue, task after task, by the sequential model; and what readers saw of them."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from shared.model import Kind
from tests.chaos.sinks.destinations import KINDS, Rows
from tests.support.laws import Accepted, LawBroken, Model, Number, SeenTask

#: What sinks deliver here.
SECTION = "Products"
#: A kind and an id.
Name = tuple[Kind, str]


@lru_cache(maxsize=100_000)
def canonical(text: str) -> str:
    """Write a body in the one way that equal bodies have in common."""
    return _written(json.loads(text, parse_int=_number, parse_float=_number))


def _written(entry: Mapping[str, Any]) -> str:
    # Whatever is read over HTTP has data, if only an empty one.
    return json.dumps({"data": {}} | dict(entry), sort_keys=True, default=lambda number: _number(number.text))


def _number(text: str) -> str:
    return f"#{Decimal(text).normalize()}"


assert _written({"a": Number("1.0")}) == canonical('{"a": 1}')


@dataclass(frozen=True)
class Sight:
    """What a reader saw at one moment."""

    #: The copy has all changes up to this task, and maybe some up to the one of its reach.
    task_id: int
    reach: int
    exact: bool
    #: What differs from the sight before: bodies, or None.
    changed: Mapping[Name, str | None]


def named(rows: Rows) -> dict[Name, str]:
    """Put rows of all kinds together, their bodies as `canonical`."""
    return {(kind, entry_id): canonical(body) for kind, some in rows.items() for entry_id, body in some.items()}


class States:
    """The states of one catalogue after each of its tasks."""

    def __init__(self, accepted: Iterable[Accepted], tasks: Iterable[SeenTask]) -> None:
        seen, model = {task.id: task for task in tasks}, Model()
        #: By entry: the tasks that changed it, and what it was then.
        self._changes: dict[Name, list[tuple[int, str | None]]] = {}
        before: dict[Name, Any] = {}
        for batch in sorted(accepted, key=lambda batch: batch.task_id):
            if seen[batch.task_id].status != "DONE":
                continue
            model.apply(batch)
            after = {(kind, id_): entry for kind in KINDS for id_, entry in model.there(kind, SECTION).items()}
            for name in {*before, *after}:
                if (entry := after.get(name)) is not before.get(name):
                    written = None if entry is None else _written(entry)
                    self._changes.setdefault(name, []).append((batch.task_id, written))
            before = after
        self._last = max(seen, default=0)

    def check_now(self, what: str, rows: Rows) -> None:
        """Raise LawBroken unless these are the rows after the last task."""
        self._check(what, named(rows), self._last, self._last)

    def check_sights(self, what: str, sights: Iterable[Sight]) -> None:
        """Raise LawBroken unless each sight was a state of the model: the one after its task if it is exact.

        Otherwise each of its entries has to be as it was then, or after a task up to its reach.
        """
        rows: dict[Name, str] = {}
        for sight in sights:
            for name, body in sight.changed.items():
                if body is None:
                    del rows[name]
                else:
                    rows[name] = body
            self._check(what, rows, sight.task_id, sight.task_id if sight.exact else sight.reach)

    def after(self, task_id: int, kinds: Sequence[Kind]) -> dict[Name, str]:
        """Name the entries of some kinds after a task, with their bodies as `canonical`."""
        bodies = {name: next(self._between(name, task_id, task_id)) for name in self._changes if name[0] in kinds}
        return {name: body for name, body in bodies.items() if body is not None}

    def _check(self, what: str, rows: Mapping[Name, str], first: int, last: int) -> None:
        wrong = [
            name for name in {*rows, *self._changes} if rows.get(name) not in self._between(name, first, last)
        ]  # fmt: skip
        if wrong:
            one = min(wrong)
            raise LawBroken(
                f"{what}: {len(wrong)} entries are not as after task {first} to {last}; {one}: {rows.get(one)},"
                f" not {list(self._between(one, first, last))}"
            )

    def _between(self, name: Name, first: int, last: int) -> Iterator[str | None]:
        """Yield what an entry was after a task, and after each until another."""
        changes = self._changes.get(name, [])
        number = bisect_right(changes, first, key=lambda change: change[0])
        yield changes[number - 1][1] if number else None
        for task_id, body in changes[number:]:
            if task_id > last:
                return
            yield body
