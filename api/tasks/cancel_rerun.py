"""Cancel and re-run tasks; count and log each change with its requester."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import structlog

from api.services import Services, current_services
from api.submit.append import append
from api.submit.flip_growth import growth_of_flip
from shared.catalog.footprint import Footprint
from shared.idempotency import IdempotencyKey
from shared.model import Operation, Status
from shared.nonces import new_nonce
from shared.partition.growth import TASK_BYTES
from shared.partition.submissions import TaskChange, TasksChanged
from shared.tasks.records import Task
from shared.telemetry import metrics

log = structlog.get_logger()

NOBODY: Mapping[int, str] = {}


def change_tasks(
    catalog_key: str,
    changes: Sequence[tuple[int, TaskChange]],
    *,
    who: str,
    idempotency: IdempotencyKey | None = None,
    forced: Mapping[int, str] = NOBODY,
) -> TasksChanged:
    """Change tasks, all or none; a repeat with the same Idempotency-Key gets what came of the first.

    ``forced``: tasks to run again with force, and why.

    Raises KeyUsed, or TaskNotFound or TaskConflict, or StoreFull for a re-run, and then nothing has changed.
    """
    services = current_services()
    again = [task_id for task_id, change in changes if change is TaskChange.RERUN]
    tasks = [task for task in services.tasks(catalog_key).get_many(again) if task is not None] if again else []
    batches = {
        task.id: replace(task.batch, force=True, force_reason=forced[task.id]) for task in tasks if task.id in forced
    }
    growths = _growths(services, catalog_key, tasks)
    change = partial(
        services.tail(catalog_key).change_tasks,
        changes,
        who=who,
        idempotency=idempotency,
        forced=batches,
        growths=growths,
    )
    if again:
        services.admit(catalog_key)
        changed = append(services, catalog_key, change, may_mail=True)
    else:
        changed = change(now_ms=services.clock(), nonce=new_nonce())
    if not changed.repeated:
        for (task_id, made), now_id in zip(changes, changed.ids, strict=True):
            _record_changed(catalog_key, task_id, made, now_id, who, forced.get(task_id))
    return changed


def _growths(services: Services, catalog_key: str, tasks: Sequence[Task]) -> dict[int, int]:
    """Estimate what tasks that copy what is there take by now."""
    there, lean = Footprint(services.client, catalog_key), services.memory.is_lean
    keeping = [task for task in tasks if task.batch.operation is Operation.KEEP]
    return {task.id: TASK_BYTES + growth_of_flip(there, task.batch, lean=lean) for task in keeping}


def _record_changed(
    catalog_key: str, task_id: int, change: TaskChange, now_id: int, who: str, force_reason: str | None
) -> None:
    metrics.TASKS_CHANGED.labels(change).inc()
    facts = {"catalog_key": catalog_key, "who": who}
    if force_reason is not None:
        facts["force_reason"] = force_reason
    if change is TaskChange.CANCEL:
        metrics.TASKS_ENDED.labels(Status.CANCELED).inc()
        log.info("task canceled", action="cancel", task_id=task_id, **facts)
    else:
        log.info("task re-run", action="rerun", task_id=now_id, retry_of=task_id, **facts)
