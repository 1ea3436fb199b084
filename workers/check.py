"""The check pass: find every failure the data of a task of many chunks can cause, before its first commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from shared.effects import View, Wants
from shared.errors import TaskFailed, Wrong
from shared.model import Batch, Chunk, Kind, Operation
from shared.settings import Settings
from workers import applier
from workers.failures import Failures

#: Reads what the applier wants to see.
ReadView = Callable[[Wants], View]


def may_fail(batch: Batch) -> bool:
    """Tell whether the data of a batch can make its task fail at all."""
    match batch.operation:
        case Operation.PUT | Operation.ADD | Operation.REPLACE | Operation.EXPORT:
            return False
        case Operation.PATCH | Operation.UPSERT | Operation.CREATE | Operation.MODIFY | Operation.AMEND:
            return True
        case Operation.DELETE:
            return batch.kind is Kind.ITEMS and not batch.force


def check(
    batch: Batch, chunks: Iterable[Chunk], read_view: ReadView, hold: Callable[[], bool], settings: Settings
) -> bool:
    """Run every chunk through the applier without keeping its effects; raises TaskFailed with all that is wrong.

    No id stands twice in a batch but as superseded, so no chunk hangs on the effects of another.  The lease is held
    on to with each chunk; returns False once that fails.
    """
    first, deleted, item_count, failures = 0, 0, 0, Failures(batch)
    for chunk in chunks:
        wanted = applier.wants(batch, chunk)
        wanted.links = []
        view = read_view(wanted)
        deleted += applier.deletions(batch, chunk, view)
        item_count = view.item_count
        wrong: Mapping[int, Wrong] = {}
        if batch.operation is not Operation.DELETE:
            try:
                applier.apply(batch, chunk, view)
            except TaskFailed as problem:
                wrong = problem.wrong
        failures.add(first, chunk, wrong)
        first += len(chunk)
        if not hold():
            return False
    if failures:
        raise failures.error()
    applier.guard(batch, deleted, item_count, settings)
    return True
