"""Recent failures: the tasks of several catalogs that failed lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.keys import keys_of
from shared.model import Status
from shared.store import scripts
from shared.store.client import Store
from shared.tasks.newest_tasks import read_newest
from shared.tasks.records import Task


@dataclass(frozen=True, slots=True)
class RecentFailures:
    """Tasks that were sent since some moment and FAILED."""

    total: int
    #: The newest, each with its catalog key.
    newest: list[tuple[str, Task]]


def read_failures(client: Store, catalog_keys: Sequence[str], *, since_ms: int, most: int) -> RecentFailures:
    """Count the failures of catalogs, and read the newest, in a few round trips."""
    failed = [keys_of(catalog_key).by_status(Status.FAILED) for catalog_key in catalog_keys]
    counts = scripts.run_apart(client, *(("ZCOUNT", key, since_ms, "+inf") for key in failed))
    some = [catalog_key for catalog_key, count in zip(catalog_keys, counts, strict=True) if count and most]
    newest = read_newest(client, some, status=Status.FAILED, most=most).tasks[:most]
    return RecentFailures(sum(counts), [(key, task) for key, task in newest if task.submitted_ms >= since_ms])
