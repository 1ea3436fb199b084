"""Search tasks by the contents of their records, newest first, a few thousand records at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from shared.codec import decode_batch
from shared.keys import CatalogKeys
from shared.model import Batch, Kind, Operation, Status
from shared.store import scripts
from shared.store.client import Store
from shared.tasks.records import Task, TaskFilter, Tasks

#: Most records that one search reads; their contents are not indexed, and 5,000 take about 50 ms.
LOOK = 5_000
#: Records and index members read in one round trip.
_STRIDE = 500


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """A search for tasks; None and '' select all."""

    where: TaskFilter = field(default_factory=TaskFilter)
    kind: Kind | None = None
    operation: Operation | None = None
    section: str = ""
    protocol: str = ""
    #: Part of the sender's token name, client or address, in any letter case.
    submitter: str = ""

    @property
    def reads_records(self) -> bool:
        """Whether the search must read records, beyond the indexes."""
        return bool(self.kind or self.operation or self.section or self.protocol or self.submitter)

    def takes(self, batch: Batch) -> bool:
        """Return whether a task of this batch matches, apart from the indexed conditions."""
        return (
            (self.kind is None or self.kind in batch.kinds)
            and self.operation in (None, batch.operation)
            and self.section in ("", batch.section)
            and self.protocol in ("", batch.protocol)
            and self.submitter.lower() in _said_of_submitter(batch)
        )

    def fits(self, task: Task) -> bool:
        """Return whether a task matches."""
        where = self.where
        return (
            (where.statuses is None or task.status in where.statuses)
            and (where.from_ms is None or task.submitted_ms >= where.from_ms)
            and (where.before_ms is None or task.submitted_ms < where.before_ms)
            and self.takes(task.batch)
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A page of tasks, newest first."""

    tasks: list[Task]
    #: Continue the search before this task id; None if it is complete.
    before: int | None
    #: Number of records read.
    looked_at: int


def search_tasks(client: Store, catalog_key: str, query: TaskQuery, *, before: int | None = None, size: int) -> Found:
    """Find tasks, from the newest on or from before a task.

    Stops with a page, or after LOOK records.  Raises StoreUnavailable.
    """
    keys, tasks = CatalogKeys(catalog_key), Tasks(client, catalog_key)
    found: list[int] = []
    looked_at = 0
    for some in _ids(tasks, query.where, before, _STRIDE if query.reads_records else size + 1):
        looked_at += len(some)
        found += _taken(client, keys, query, some)
        if len(found) > size:
            return Found(_read(tasks, found[:size]), found[size - 1], looked_at)
        if looked_at >= LOOK:
            return Found(_read(tasks, found), some[-1], looked_at)
    return Found(_read(tasks, found), None, looked_at)


def count_by_status(client: Store, catalog_key: str, query: TaskQuery) -> tuple[dict[Status, int], bool]:
    """Count the tasks that a search would find by status, whatever statuses it wants.

    Reads LOOK records at most, the newest; returns whether these were all.  Raises StoreUnavailable.
    """
    keys, tasks = CatalogKeys(catalog_key), Tasks(client, catalog_key)
    counts, looked_at = dict.fromkeys(Status, 0), 0
    for some in _ids(tasks, replace(query.where, statuses=None), None, _STRIDE):
        records = scripts.run(client, *(("HMGET", keys.task(task_id), "batch", "status") for task_id in some))
        for batch, status in records:
            if batch is not None and query.takes(decode_batch(batch)):
                counts[Status(status.decode())] += 1
        looked_at += len(some)
        if looked_at >= LOOK:
            return counts, False
    return counts, True


def _taken(client: Store, keys: CatalogKeys, query: TaskQuery, ids: Sequence[int]) -> list[int]:
    if not query.reads_records:
        return list(ids)
    batches = scripts.run(client, *(("HGET", keys.task(task_id), "batch") for task_id in ids))
    pairs = zip(ids, batches, strict=True)
    return [task_id for task_id, batch in pairs if batch is not None and query.takes(decode_batch(batch))]


def _read(tasks: Tasks, ids: Sequence[int]) -> list[Task]:
    return [task for task in tasks.get_many(ids) if task is not None]


def _ids(tasks: Tasks, where: TaskFilter, before: int | None, stride: int) -> Iterator[list[int]]:
    """Go through task ids, newest first."""
    while some := tasks.ids(where, size=stride, before=before):
        yield some
        before = some[-1]


def _said_of_submitter(batch: Batch) -> str:
    sender = batch.origin.submitter
    return "" if sender is None else "\n".join((sender.token_name, sender.client, sender.address)).lower()
