"""Recent failures: the tasks of several catalogs that failed lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.keys import keys_of
from shared.model import Status
from shared.store import scripts
from shared.store.client import Store
from shared.tasks.records import Task, Tasks


@dataclass(frozen=True, slots=True)
class RecentFailures:
    """Tasks that were sent since some moment and FAILED."""

    total: int
    #: The newest, each with its catalog key.
    newest: list[tuple[str, Task]]


def read_failures(client: Store, catalog_keys: Sequence[str], *, since_ms: int, most: int) -> RecentFailures:
    """Count the failures of catalogs, and read the newest; three round trips, or four, for any number."""
    failed = {catalog_key: keys_of(catalog_key).by_status(Status.FAILED) for catalog_key in catalog_keys}
    counts = scripts.run_apart(client, *(("ZCOUNT", key, since_ms, "+inf") for key in failed.values()))
    some = [catalog_key for catalog_key, count in zip(failed, counts, strict=True) if count]
    looks = [
        ("ZRANGE", failed[key], "+inf", since_ms, "BYSCORE", "REV", "LIMIT", 0, most, "WITHSCORES") for key in some
    ]
    found: list[tuple[float, int, str]] = []
    for catalog_key, reply in zip(some, scripts.run_apart(client, *looks), strict=True):
        found += ((moment, int(member), catalog_key) for member, moment in _pairs(reply))
    newest = [
        (catalog_key, task)
        for _, task_id, catalog_key in sorted(found, reverse=True)[:most]
        if (task := Tasks(client, catalog_key).get(task_id))
    ]
    return RecentFailures(sum(counts), newest)


def _pairs(reply: Sequence[Any]) -> list[tuple[bytes, float]]:
    """Read members with their scores, which a pipeline hands out one after the other, a single command in pairs."""
    if reply and isinstance(reply[0], tuple | list):
        return [(member, float(score)) for member, score in reply]
    return [(member, float(score)) for member, score in zip(reply[::2], reply[1::2], strict=True)]
