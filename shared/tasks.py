"""Task records, read.  They are written by the scripts of the partition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared import scripts
from shared.codec import decode_batch
from shared.keys import CatalogKeys, padded
from shared.model import TERMINAL, Batch, Status
from shared.store import Store

#: What a task counts, as in the contract's changelog.
COUNTS = (
    "items_updated", "items_deleted", "variations_updated", "variations_deleted", "item_groups_updated",
    "item_groups_deleted",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Task:
    """What is known of a task."""

    id: int
    batch: Batch
    status: Status
    submitted_ms: int
    #: None until it has run.
    started_ms: int | None
    updated_ms: int
    #: Entries whose chunk is committed; of an export, that are written out.
    entries_done: int
    counts: dict[str, int]
    #: Why it FAILED.
    error: str | None
    #: A JSON list.
    warnings: bytes
    retry_of: int | None
    #: The last task that ran this one again.
    rerun_as: int | None
    rerun_by: str | None
    canceled_by: str | None
    #: Who decided when its partition was stuck, see shared/stuck.py.
    retried_by: str | None
    skipped_by: str | None
    #: Of an export that is DONE: bytes of its files, and when they go.
    exported_bytes: int
    expires_ms: int | None

    @property
    def entries_total(self) -> int:
        """Entries there are; of an export nobody knows before it has ended, so those it has written."""
        return self.batch.entries if self.batch.export is None else self.entries_done


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks to list; None: all."""

    statuses: frozenset[Status] | None = None
    #: Submitted at this moment or later.
    from_ms: int | None = None
    #: Submitted before this moment.
    before_ms: int | None = None
    #: True: only exports; False: none.
    exports: bool | None = None


@dataclass(frozen=True, slots=True)
class TaskPage:
    tasks: list[Task] = field(default_factory=list)
    #: Of all pages.
    total: int = 0
    #: By the same filter, but for the statuses; all five are there.
    by_status: dict[Status, int] = field(default_factory=lambda: dict.fromkeys(Status, 0))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task stands that waits."""

    #: Tasks of its catalog that come first.
    before: int
    #: None of them is taken up any more before an operator has looked.
    stuck: bool


class Tasks:
    """The tasks of one catalog.  Every call is one or two round trips; raises StoreUnavailable."""

    def __init__(self, client: Store, catalog_key: str) -> None:
        self._client = client
        self._keys = CatalogKeys(catalog_key)

    def get(self, task_id: int) -> Task | None:
        """Read one task; None if there is none of that id, or no longer."""
        return self.get_many([task_id])[0]

    def get_many(self, task_ids: Sequence[int]) -> list[Task | None]:
        """Read tasks in the order of their ids."""
        records = scripts.run(self._client, *(("HGETALL", self._keys.task(task_id)) for task_id in task_ids))
        return [_task(task_id, record) for task_id, record in zip(task_ids, records, strict=True)]

    def has_ended(self, task_id: int) -> bool:
        """Tell whether a task will not change any more; true also if there is none of that id."""
        [status] = scripts.run(self._client, ("HGET", self._keys.task(task_id), "status"))
        return status is None or status.decode() in TERMINAL

    def places(self, task_ids: Sequence[int]) -> dict[int, Place]:
        """Tell where tasks stand in the queue; those that do not wait, or no longer, are left out."""
        queued = self._keys.by_status(Status.QUEUED)
        begun, stuck, *ranks = scripts.run(
            self._client,
            ("ZCARD", self._keys.by_status(Status.IN_PROGRESS)),
            ("HEXISTS", self._keys.position, "stuck"),
            *(("ZRANK", queued, padded(task_id)) for task_id in task_ids),
        )
        found = zip(task_ids, ranks, strict=True)
        return {task_id: Place(begun + rank, bool(stuck)) for task_id, rank in found if rank is not None}

    def page(self, only: TaskFilter, *, offset: int, size: int) -> TaskPage:
        """Read a page of tasks, newest first."""
        exports = {} if only.exports is None else self._exports(only)
        if only.exports:
            return self._page_of(exports, only, offset, size)
        low = "-inf" if only.from_ms is None else str(only.from_ms)
        high = "+inf" if only.before_ms is None else f"({only.before_ms}"
        indexes = [self._keys.tasks]
        if only.statuses is not None:
            indexes = [self._keys.by_status(status) for status in sorted(only.statuses)]
        # Of several indexes, each may hold the whole page and all before it; so may what is left out.
        first, reach = (offset, size) if len(indexes) == 1 and not exports else (0, offset + size + len(exports))
        replies = scripts.run(
            self._client,
            *(("ZCOUNT", self._keys.by_status(status), low, high) for status in Status),
            *(("ZRANGE", index, high, low, "BYSCORE", "REV", "LIMIT", first, reach) for index in indexes),
        )
        left_out = Counter(exports.values())
        counts = zip(Status, replies[: len(Status)], strict=True)
        members = sorted((member for found in replies[len(Status) :] for member in found), reverse=True)
        ids = [task_id for task_id in map(int, members) if task_id not in exports]
        by_status = {status: count - left_out[status] for status, count in counts}
        return self._read_page(ids[offset - first :][:size], only, by_status)

    def _exports(self, only: TaskFilter) -> dict[int, Status]:
        """List the exports of some time, newest first, whatever their status: they are few."""
        low = "-inf" if only.from_ms is None else str(only.from_ms)
        high = "+inf" if only.before_ms is None else f"({only.before_ms}"
        [members] = scripts.run(self._client, ("ZRANGE", self._keys.exports, high, low, "BYSCORE", "REV"))
        task_ids = [int(member) for member in members]
        statuses = scripts.run(self._client, *(("HGET", self._keys.task(task_id), "status") for task_id in task_ids))
        found = zip(task_ids, statuses, strict=True)
        return {task_id: Status(status.decode()) for task_id, status in found if status is not None}

    def _page_of(self, exports: dict[int, Status], only: TaskFilter, offset: int, size: int) -> TaskPage:
        ids = [task_id for task_id, status in exports.items() if only.statuses is None or status in only.statuses]
        counts = Counter(exports.values())
        return self._read_page(ids[offset : offset + size], only, {status: counts[status] for status in Status})

    def _read_page(self, ids: Sequence[int], only: TaskFilter, by_status: dict[Status, int]) -> TaskPage:
        total = sum(count for status, count in by_status.items() if only.statuses is None or status in only.statuses)
        tasks = [task for task in self.get_many(ids) if task is not None]
        return TaskPage(tasks, total, by_status)


def _task(task_id: int, reply: dict[bytes, bytes] | list[bytes]) -> Task | None:
    record = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
    if b"batch" not in record:
        return None

    def number(name: bytes) -> int | None:
        return int(record[name]) if name in record else None

    def text(name: bytes) -> str | None:
        return record[name].decode() if name in record else None

    return Task(
        id=task_id,
        batch=decode_batch(record[b"batch"]),
        status=Status(record[b"status"].decode()),
        submitted_ms=int(record[b"submitted_ms"]),
        started_ms=number(b"started_ms"),
        updated_ms=int(record[b"updated_ms"]),
        entries_done=number(b"entries_done") or number(b"exported") or 0,
        counts={name: number(name.encode()) or 0 for name in COUNTS},
        error=text(b"error"),
        warnings=b"[" + record.get(b"warnings", b"") + b"]",
        retry_of=number(b"retry_of"),
        rerun_as=number(b"rerun_as"),
        rerun_by=text(b"rerun_by"),
        canceled_by=text(b"canceled_by"),
        retried_by=text(b"retried_by"),
        skipped_by=text(b"skipped_by"),
        exported_bytes=number(b"exported_bytes") or 0,
        expires_ms=number(b"expires_ms"),
    )
