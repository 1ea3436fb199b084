"""Cancel and re-run tasks: what was wished, by whom, is counted and logged."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from api.services import services
from shared import metrics
from shared.model import Status
from shared.outbox import Outboxes
from shared.partitions import new_nonce
from shared.submissions import Change

log = structlog.get_logger()


def change_tasks(catalog_key: str, changes: Sequence[tuple[int, Change]], *, who: str) -> list[int]:
    """Change tasks, all or none; returns the ids of the canceled and of the new ones, in the order asked for.

    Raises TaskNotFound or TaskConflict, or StoreFull for a re-run, and then nothing has changed.
    """
    tools = services()
    now_ms = tools.clock()
    # The batch that is run again may have been sent with addresses to be told if it fails.
    outbox = [Outboxes.mark(catalog_key, now_ms)]
    reruns = any(change is Change.RERUN for _, change in changes)
    if reruns:
        tools.admit()
    changed, ring = tools.partition(catalog_key).change_tasks(
        changes,
        who=who,
        now_ms=now_ms,
        nonce=new_nonce(),
        before=tools.backlog.before_submit(catalog_key, now_ms) + outbox if reruns else (),
        after=tools.backlog.after_submit(catalog_key, now_ms) + outbox if reruns else (),
    )
    if ring:
        tools.bell.ring(catalog_key)
    for (task_id, change), now_id in zip(changes, changed, strict=True):
        _tell(catalog_key, task_id, change, now_id, who)
    return changed


def _tell(catalog_key: str, task_id: int, change: Change, now_id: int, who: str) -> None:
    metrics.TASKS_CHANGED.labels(change).inc()
    facts = {"catalog_key": catalog_key, "who": who}
    if change is Change.CANCEL:
        metrics.TASKS_ENDED.labels(Status.CANCELED).inc()
        log.info("task canceled", action="cancel", task_id=task_id, **facts)
    else:
        log.info("task re-run", action="rerun", task_id=now_id, retry_of=task_id, **facts)
