"""Read task records.  The scripts of the partition write them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.codec import decode_batch
from shared.keys import keys_of, padded
from shared.model import TERMINAL, Batch, Status
from shared.store import scripts
from shared.store.client import Store

#: Counters of a task, named as in the contract's changelog.
COUNTS = (
    "items_updated", "items_unchanged", "items_deleted", "variations_updated", "variations_unchanged",
    "variations_deleted", "item_groups_updated", "item_groups_unchanged", "item_groups_deleted",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Task:
    """A task's record."""

    id: int
    batch: Batch
    status: Status
    submitted_ms: int
    #: None until it has run.
    started_ms: int | None
    updated_ms: int
    #: Entries in committed chunks; for an export, entries written.
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
    #: The operator who settled its stuck partition, see shared/admin/stuck.py.
    retried_by: str | None
    skipped_by: str | None
    #: For a DONE export: total size of its files, and when they expire.
    exported_bytes: int
    expires_ms: int | None
    #: SHA-256 of these files as one, hex; None if an older version wrote them.
    exported_sha256: str | None = None
    #: What it would change, as JSON, if a guard was to judge that.
    planned: bytes = b""

    @property
    def entries_total(self) -> int:
        """Total number of entries; for an export, unknown before its end, the entries written so far."""
        return self.batch.entries if self.batch.export is None else self.entries_done


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """A filter for tasks; None selects all."""

    statuses: frozenset[Status] | None = None
    #: Submitted at this time or later.
    from_ms: int | None = None
    #: Submitted before this time.
    before_ms: int | None = None
    #: True: only exports; False: none.
    exports: bool | None = None


@dataclass(frozen=True, slots=True)
class TaskPage:
    tasks: list[Task] = field(default_factory=list)
    #: Of all pages.
    total: int = 0
    #: Counts under the same filter except the statuses; has all five.
    by_status: dict[Status, int] = field(default_factory=lambda: dict.fromkeys(Status, 0))


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """The queue position of a task."""

    #: Tasks of its catalog before it.
    before: int
    #: Whether the partition is stuck and needs an operator.
    stuck: bool


def read_tasks(client: Store, names: Sequence[tuple[str, int]]) -> list[Task | None]:
    """Read tasks of any catalogs, by catalog key and id, in one round trip.  Raises StoreUnavailable."""
    records = scripts.run_apart(client, *(("HGETALL", keys_of(key).task(task_id)) for key, task_id in names))
    return [_task(task_id, record) for (_, task_id), record in zip(names, records, strict=True)]


class Tasks:
    """The tasks of one catalog.  Every call is one or two round trips; raises StoreUnavailable."""

    def __init__(self, client: Store, catalog_key: str) -> None:
        self._client = client
        self._keys = keys_of(catalog_key)

    def get(self, task_id: int) -> Task | None:
        """Read one task; None if there is no task with this id, or no longer."""
        return self.get_many([task_id])[0]

    def get_many(self, task_ids: Sequence[int]) -> list[Task | None]:
        """Read tasks in the order of their ids."""
        records = scripts.run(self._client, *(("HGETALL", self._keys.task(task_id)) for task_id in task_ids))
        return [_task(task_id, record) for task_id, record in zip(task_ids, records, strict=True)]

    def has_ended(self, task_id: int) -> bool:
        """Return whether a task has ended; true also if there is none with this id."""
        [status] = scripts.run(self._client, ("HGET", self._keys.task(task_id), "status"))
        return status is None or status.decode() in TERMINAL

    def places(self, task_ids: Sequence[int]) -> dict[int, QueuePosition]:
        """Read the queue positions of tasks; those that are not queued are left out."""
        queued = self._keys.by_status(Status.QUEUED)
        begun, stuck, *ranks = scripts.run(
            self._client,
            ("ZCARD", self._keys.by_status(Status.IN_PROGRESS)),
            ("HEXISTS", self._keys.position, "stuck"),
            *(("ZRANK", queued, padded(task_id)) for task_id in task_ids),
        )
        found = zip(task_ids, ranks, strict=True)
        return {task_id: QueuePosition(begun + rank, bool(stuck)) for task_id, rank in found if rank is not None}

    def page(self, only: TaskFilter, *, size: int, offset: int = 0, before: int | None = None) -> TaskPage:
        """Read a page of tasks, newest first, as of one moment; with ``before``, of tasks with lower ids.

        Ids grow, so continuing before the last id of each page visits every task once, whatever is added or deleted
        meanwhile.
        """
        counts, ids, records = self._list(only, size=size, offset=offset, before=before, with_records=True)
        total = sum(count for status, count in counts.items() if only.statuses is None or status in only.statuses)
        found = (_task(task_id, record) for task_id, record in zip(ids, records, strict=True))
        return TaskPage([task for task in found if task is not None], total, counts)

    def ids(self, only: TaskFilter, *, size: int, before: int | None) -> list[int]:
        """List the ids of a page."""
        return self._list(only, size=size, offset=0, before=before, with_records=False)[1]

    def _list(
        self, only: TaskFilter, *, size: int, offset: int, before: int | None, with_records: bool
    ) -> tuple[dict[Status, int], list[int], list[list[bytes]]]:
        low = "-inf" if only.from_ms is None else str(only.from_ms)
        high = "+inf" if only.before_ms is None else f"({only.before_ms}"
        exports = {None: "ALL", True: "ONLY", False: "NONE"}[only.exports]
        statuses = () if only.statuses is None else sorted(only.statuses)
        command = scripts.LIST_TASKS.command(
            self._keys.partition,
            exports=self._keys.exports,
            from_ms=low,
            up_to_ms=high,
            below="" if before is None else before,
            offset=offset,
            size=size,
            which=exports,
            with_records=int(with_records),
            counted="".join(f"{status} " for status in Status),
            statuses=statuses,
        )
        [(counts, ids, records)] = scripts.run(self._client, command)
        return dict(zip(Status, counts, strict=True)), ids, records


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
        exported_sha256=text(b"sha256"),
        planned=record.get(b"planned", b""),
    )
