"""Law of exports: a file has the catalogue as all tasks before its own have left it, and nothing of later ones."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence

from shared.exports.files import ExportFiles
from shared.model import Operation
from shared.tasks.records import Task
from tests.support.laws import Accepted, LawBroken, Model, read_json
from tests.support.rig import Rig


def check_exports(batches: list[Accepted], tasks: Sequence[Task], rig: Rig, catalog_key: str) -> None:
    """Read the file of each export that is DONE.  Raises LawBroken."""
    statuses = {task.id: task.status for task in tasks}
    model = Model(rig.settings.safeguard_ratio, rig.settings.safeguard_floor)
    for batch in sorted(batches, key=lambda one: one.task_id):
        if statuses[batch.task_id] == "CANCELED":
            continue
        if batch.operation == Operation.EXPORT and statuses[batch.task_id] == "DONE":
            there = model.there(batch.kind, batch.section)
            expected = [{"data": {}} | there[id_] for id_ in sorted(there, key=str.encode)]
            if (found := list(_lines(rig, catalog_key, batch.task_id))) != expected:
                raise LawBroken(f"export: task {batch.task_id} has {found}, not {expected}")
        model.apply(batch)


def _lines(rig: Rig, catalog_key: str, task_id: int) -> Iterator[dict[str, object]]:
    names = rig.exports(catalog_key).names(task_id)
    whole = gzip.decompress(b"".join(ExportFiles(rig.settings).read(catalog_key, task_id, names)))
    return ({"data": {}} | read_json(line) for line in whole.splitlines())
