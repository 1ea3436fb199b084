"""Find tasks by what is in their records: newest first, a few thousand records at a time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from shared import scripts
from shared.codec import decode_batch
from shared.keys import CatalogKeys, padded
from shared.model import Batch, Kind, Operation
from shared.store import Store
from shared.tasks import Task, TaskFilter, Tasks

#: Records that one search looks at; there is no index of what they hold, and 5,000 take some 50 ms.
LOOK = 5_000
#: Records and index members read in one round trip.
_STRIDE = 500


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """Which tasks to find; None, and an empty text: all."""

    where: TaskFilter = field(default_factory=TaskFilter)
    kind: Kind | None = None
    operation: Operation | None = None
    section: str = ""
    protocol: str = ""
    #: Part of the name of whoever sent it, their client or address, in any case.
    submitter: str = ""

    @property
    def reads_records(self) -> bool:
        """Whether the indexes of tasks are not enough."""
        return bool(self.kind or self.operation or self.section or self.protocol or self.submitter)

    def takes(self, batch: Batch) -> bool:
        """Tell whether a task of this batch is looked for, but for what the indexes know."""
        return (
            (self.kind is None or self.kind in batch.kinds)
            and self.operation in (None, batch.operation)
            and self.section in ("", batch.section)
            and self.protocol in ("", batch.protocol)
            and self.submitter.lower() in _said_of_submitter(batch)
        )

    def fits(self, task: Task) -> bool:
        """Tell whether a task is looked for."""
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
    #: There may be more: search on from before this task id.  None: that was all.
    before: int | None
    #: Records that were looked at; more than there are tasks here if few were what is looked for.
    looked_at: int


def search_tasks(client: Store, catalog_key: str, query: TaskQuery, *, before: int | None = None, size: int) -> Found:
    """Find tasks, from the newest on or from before a task.

    Stops with a page, or after LOOK records.  Raises StoreUnavailable.
    """
    keys = CatalogKeys(catalog_key)
    ids = _ids(client, keys, query.where, before)
    found: list[int] = []
    looked_at = 0
    while some := list(islice(ids, _STRIDE if query.reads_records else size + 1)):
        looked_at += len(some)
        found += _taken(client, keys, query, some)
        if len(found) > size:
            return Found(_read(client, catalog_key, found[:size]), found[size - 1], looked_at)
        if looked_at >= LOOK:
            return Found(_read(client, catalog_key, found), some[-1], looked_at)
    return Found(_read(client, catalog_key, found), None, looked_at)


def _taken(client: Store, keys: CatalogKeys, query: TaskQuery, ids: Sequence[int]) -> list[int]:
    if not query.reads_records:
        return list(ids)
    batches = scripts.run(client, *(("HGET", keys.task(task_id), "batch") for task_id in ids))
    pairs = zip(ids, batches, strict=True)
    return [task_id for task_id, batch in pairs if batch is not None and query.takes(decode_batch(batch))]


def _read(client: Store, catalog_key: str, ids: Sequence[int]) -> list[Task]:
    return [task for task in Tasks(client, catalog_key).get_many(ids) if task is not None]


def _ids(client: Store, keys: CatalogKeys, where: TaskFilter, before: int | None) -> Iterator[int]:
    """Go through task ids, newest first."""
    low = "-inf" if where.from_ms is None else str(where.from_ms)
    high = "+inf" if where.before_ms is None else f"({where.before_ms}"
    if before is not None:
        [submitted_ms] = scripts.run(client, ("ZSCORE", keys.tasks, padded(before)))
        if submitted_ms is not None and (where.before_ms is None or submitted_ms < where.before_ms):
            # Ids and moments grow together; several tasks may share a moment.
            high = str(int(submitted_ms))
    statuses = [keys.tasks] if where.statuses is None else [keys.by_status(status) for status in where.statuses]
    streams = [_members(client, key, high, low) for key in statuses]
    for task_id in heapq.merge(*streams, reverse=True):
        if before is None or task_id < before:
            yield task_id


def _members(client: Store, key: str, high: str, low: str) -> Iterator[int]:
    offset = 0
    while True:
        [page] = scripts.run(client, ("ZRANGE", key, high, low, "BYSCORE", "REV", "LIMIT", offset, _STRIDE))
        yield from map(int, page)
        if len(page) < _STRIDE:
            return
        offset += len(page)


def _said_of_submitter(batch: Batch) -> str:
    sender = batch.submitter
    return "" if sender is None else "\n".join((sender.token_name, sender.client, sender.address)).lower()
