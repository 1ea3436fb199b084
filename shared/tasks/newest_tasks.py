"""The newest tasks of many catalogs together."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.keys import keys_of
from shared.model import Status
from shared.store import scripts
from shared.store.client import Store
from shared.tasks.records import Task, read_tasks


@dataclass(frozen=True, slots=True)
class NewestTasks:
    """A page of tasks, newest first, each with its catalog key."""

    tasks: list[tuple[str, Task]]
    #: Go on with those submitted before this moment, ms; None: that was all.
    before_ms: int | None


def read_newest(
    client: Store, catalog_keys: Sequence[str], *, status: Status | None = None, before_ms: int | None = None,
    most: int,
) -> NewestTasks:  # fmt: skip
    """Read the newest tasks of catalogs; three round trips for any number of them, at most four.

    The tasks of one millisecond are on one page, even if they are more than ``most``.  Raises StoreUnavailable.
    """
    indexes = {key: keys_of(key).by_status(status) if status else keys_of(key).tasks for key in catalog_keys}
    end = "+inf" if before_ms is None else f"({before_ms}"
    firsts = _look(client, indexes, end, 1)
    # The others have none that is newer than all the newest of these.
    likely = heapq.nlargest(most + 1, ((found[0], key) for key, found in firsts.items() if found))
    found = _look(client, {key: indexes[key] for _, key in likely}, end, most + 1)
    newest = heapq.nlargest(most + 1, ((ms, task_id, key) for key, each in found.items() for ms, task_id in each))
    shown = newest[:most]
    if len(newest) > most:
        cut_ms = newest[most][0]
        # What goes on before a moment must have shown all of it.
        shown = [each for each in shown if each[0] > cut_ms] or _all_of(client, indexes, cut_ms)
    before = shown[-1][0] if len(newest) > most else None
    return NewestTasks(_read(client, shown), before)


def _all_of(client: Store, indexes: dict[str, str], ms: int) -> list[tuple[int, int, str]]:
    """Find all tasks of one millisecond."""
    found = _look(client, indexes, str(ms), -1, begin=str(ms))
    return sorted(((ms, task_id, key) for key, each in found.items() for _, task_id in each), reverse=True)


def _look(
    client: Store, indexes: dict[str, str], end: str, count: int, *, begin: str = "-inf"
) -> dict[str, list[tuple[int, int]]]:
    """Read moments and ids of the newest of each; with a ``count`` of -1 all."""
    looks = [
        ("ZRANGE", index, end, begin, "BYSCORE", "REV", "LIMIT", 0, count, "WITHSCORES") for index in indexes.values()
    ]
    return dict(zip(indexes, map(_pairs, scripts.run_apart(client, *looks)), strict=True))


def _read(client: Store, found: Sequence[tuple[int, int, str]]) -> list[tuple[str, Task]]:
    tasks = read_tasks(client, [(key, task_id) for _, task_id, key in found])
    return [(key, task) for (_, _, key), task in zip(found, tasks, strict=True) if task is not None]


def _pairs(reply: Sequence[Any]) -> list[tuple[int, int]]:
    """Read scores with their members, which a pipeline hands out one after the other, a single command in pairs."""
    if reply and isinstance(reply[0], tuple | list):
        return [(int(float(score)), int(member)) for member, score in reply]
    return [(int(float(score)), int(member)) for member, score in zip(reply[::2], reply[1::2], strict=True)]
