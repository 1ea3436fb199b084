"""Read the facts for the laws directly from Redis."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TypeVar

import redis

from shared.catalog.reader import Catalog
from shared.model import NO_SECTION, Kind
from shared.tasks.records import Task, TaskFilter, Tasks
from tests.support.laws import SeenTask

#: Tasks or entries in one look: less than the tests write, so that pages are turned.
PAGE = 500


class StoreReader:
    """Shows the tasks and entries of one catalog through the stores of `shared`."""

    def __init__(self, client: redis.Redis, catalog_key: str, tasks: Sequence[Task] | None = None) -> None:
        """``tasks``: all of them, newest first, if they were read already; then nothing changes any more."""
        self._tasks = Tasks(client, catalog_key)
        self._read = tasks
        self._catalog = Catalog(client, catalog_key)
        self._known: dict[tuple[str, str], list[tuple[str, bytes]]] = {}

    def tasks(self) -> Sequence[SeenTask]:
        tasks = self._read
        if tasks is None:
            tasks = _all(lambda offset: self._tasks.page(TaskFilter(), offset=offset, size=PAGE).tasks)
        return [
            SeenTask(
                task.id,
                task.status,
                task.counts,
                json.loads(task.warnings),
                task.error,
                task.retry_of,
                json.loads(task.planned or b"{}"),
            )
            for task in tasks
        ]

    def entries(self, kind: str, section: str) -> Sequence[tuple[str, bytes]]:
        section = NO_SECTION if kind == Kind.ITEM_GROUPS else section
        if (kind, section) in self._known:
            return self._known[kind, section]
        entries = _all(lambda offset: self._catalog.page(Kind(kind), section, offset=offset, size=PAGE).entries)
        shown = [(entry.id, entry.body) for entry in entries]
        if self._read is not None:
            self._known[kind, section] = shown
        return shown


T = TypeVar("T")


def _all(page: Callable[[int], Sequence[T]]) -> list[T]:
    found: list[T] = []
    while len(here := page(len(found))) == PAGE:
        found += here
    return [*found, *here]
