"""The check pass: find all failures of a task with several chunks before its first commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from shared.catalog.effects import Effects, View, Wants
from shared.errors import EntryFailure, TaskFailed
from shared.model import Batch, Chunk, Kind, Operation
from workers.apply import applier
from workers.apply.entry_failures import EntryFailures
from workers.drain.task_guard import Cleared, TaskGuard, deletions

#: Reads what the applier wants, for a batch of one kind.
ReadView = Callable[[Batch, Wants], View]


def may_fail(batch: Batch) -> bool:
    """Return whether the data of a batch can make its task fail at all."""
    match batch.operation:
        case Operation.PUT | Operation.ADD | Operation.REPLACE | Operation.SYNC | Operation.KEEP | Operation.EXPORT:
            return False
        case Operation.PATCH | Operation.UPSERT | Operation.CREATE | Operation.MODIFY | Operation.AMEND:
            return True
        case Operation.DELETE:
            return not batch.force


def check(
    batch: Batch, chunks: Iterable[Chunk], read_view: ReadView, hold: Callable[[], None], guard: TaskGuard
) -> Cleared:
    """Run every chunk through the applier and discard the effects; raises TaskFailed with all failures.

    Chunks are independent: an id occurs once in a batch, unless superseded.  ``hold`` is called with each chunk and
    raises if another worker owns the partition now.  What the task would change is judged by its guard.
    """
    first, failures = 0, EntryFailures(batch)
    deleted, sizes = Counter[Kind](), Counter[Kind]()
    for number, chunk in enumerate(chunks):
        part = batch.at(number)
        wanted = applier.wants(part, chunk)
        wanted.links = []
        guard.widen(part, wanted)
        view = read_view(part, wanted)
        gone, before = deletions(part, chunk, view), guard.before(part, chunk, view)
        deleted[part.kind] += gone
        sizes[part.kind] = max(sizes[part.kind], view.size)
        effects, wrong = _tried(part, chunk, view)
        failures.add(part, first, chunk, wrong)
        if not wrong:
            guard.add(part, first, chunk, view, before, effects, gone)
        first += len(chunk)
        hold()
    if failures:
        raise failures.error()
    cleared = guard.cleared()
    if batch.operation is Operation.DELETE:
        for kind, size in sizes.items():
            applier.guard(batch, kind, deleted[kind], size, guard.limit_of(kind))
    return cleared


def _tried(batch: Batch, chunk: Chunk, view: View) -> tuple[Effects | None, Mapping[int, EntryFailure]]:
    """Return the effects, if it does more than delete, and what is wrong."""
    if batch.operation is Operation.DELETE:
        return None, {}
    try:
        return applier.apply(batch, chunk, view), {}
    except TaskFailed as problem:
        return None, problem.wrong
