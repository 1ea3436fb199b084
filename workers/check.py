"""The check pass: find every failure the data of a task of many chunks can cause, before its first commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from shared.effects import View, Wants
from shared.errors import TaskFailed, Wrong
from shared.model import Batch, Chunk, Kind, OnMissing, Operation
from shared.settings import Settings
from workers import applier
from workers.failures import Failures

#: Reads what the applier wants to see for a batch of one kind.
ReadView = Callable[[Batch, Wants], View]


def may_fail(batch: Batch) -> bool:
    """Tell whether the data of a batch can make its task fail at all."""
    match batch.operation:
        case Operation.PUT | Operation.ADD | Operation.REPLACE | Operation.SYNC | Operation.KEEP | Operation.EXPORT:
            return False
        case Operation.PATCH if batch.parts:
            return batch.on_missing is OnMissing.FAIL
        case Operation.PATCH | Operation.UPSERT | Operation.CREATE | Operation.MODIFY | Operation.AMEND:
            return True
        case Operation.DELETE:
            return Kind.ITEMS in batch.kinds and not batch.force


def check(
    batch: Batch, chunks: Iterable[Chunk], read_view: ReadView, hold: Callable[[], bool], settings: Settings
) -> bool:
    """Run every chunk through the applier without keeping its effects; raises TaskFailed with all that is wrong.

    No id stands twice in a batch but as superseded, so no chunk hangs on the effects of another; in catalogue files
    one may, but there an entry fails for nothing but its absence.  The lease is held on to with each chunk; returns
    False once that fails.
    """
    first, deleted, item_count, failures = 0, 0, 0, Failures(batch)
    for number, chunk in enumerate(chunks):
        part = batch.at(number)
        if part.operation is Operation.PATCH and part.parts:
            view = read_view(part, Wants(present=chunk.ids))
            wrong: Mapping[int, Wrong] = _absent(chunk, view)
        else:
            wanted = applier.wants(part, chunk)
            wanted.links = []
            view = read_view(part, wanted)
            deleted += applier.deletions(part, chunk, view)
            item_count = max(item_count, view.item_count)
            wrong = _tried(part, chunk, view)
        failures.add(part, first, chunk, wrong)
        first += len(chunk)
        if not hold():
            return False
    if failures:
        raise failures.error()
    applier.guard(batch, deleted, item_count, settings)
    return True


def _absent(chunk: Chunk, view: View) -> dict[int, Wrong]:
    """Blame the entries of a PATCH that are not there."""
    return {i: Wrong(id_, None) for i, id_ in enumerate(chunk.ids) if id_ and id_ not in view.present}


def _tried(batch: Batch, chunk: Chunk, view: View) -> Mapping[int, Wrong]:
    if batch.operation is not Operation.DELETE:
        try:
            applier.apply(batch, chunk, view)
        except TaskFailed as problem:
            return problem.wrong
    return {}
