"""Retention: delete ended tasks and their payloads when their time is up."""

from __future__ import annotations

from collections.abc import Sequence

from shared.keys import keys_of
from shared.settings import Settings
from shared.store import scripts
from shared.store.client import Store
from shared.store.memory import reserved_key


class Retention:
    """The retention of one catalog's ended tasks."""

    def __init__(self, client: Store, settings: Settings, catalog_key: str) -> None:
        self._client = client
        self._settings = settings
        self._keys = keys_of(catalog_key)

    def retire(self, *, now_ms: int, limit: int, payloads_before_ms: int = 0) -> int:
        """Delete at most ``limit`` tasks and payloads whose time is up; returns how many were deleted.

        Payloads of tasks that ended before ``payloads_before_ms`` are deleted as well.  One round trip; raises
        StoreUnavailable.
        """
        tasks_before_ms, old_payloads_before_ms = self._limits(now_ms)
        command = scripts.RETIRE_TASKS.command(
            self._keys.partition,
            history=self._keys.history,
            exports=self._keys.exports,
            reserved=reserved_key(self._client, self._keys),
            tasks_before_ms=tasks_before_ms,
            payloads_before_ms=max(payloads_before_ms, old_payloads_before_ms),
            limit=limit,
        )
        return int(scripts.run(self._client, command)[0])

    def _looks(self, now_ms: int) -> list[scripts.Command]:
        tasks_before_ms, payloads_before_ms = self._limits(now_ms)
        return [
            ("ZCOUNT", self._keys.ended, "-inf", f"({tasks_before_ms}"),
            ("ZCOUNT", self._keys.payloads, "-inf", f"({payloads_before_ms}"),
        ]

    def _limits(self, now_ms: int) -> tuple[int, int]:
        """Until when a task, and a payload, has ended whose time is up; ms."""
        return now_ms - self._settings.task_retention_s * 1000, now_ms - self._settings.payload_retention_s * 1000


def with_something_due(retentions: Sequence[Retention], now_ms: int) -> list[Retention]:
    """Return those that have something to delete, in one round trip (in a cluster: one to each server)."""
    if not retentions:
        return []
    looks = [look for each in retentions for look in each._looks(now_ms)]
    found = scripts.run_apart(retentions[0]._client, *looks)
    return [each for each, *due in zip(retentions, found[::2], found[1::2], strict=True) if any(due)]
