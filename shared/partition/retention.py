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
        command = self._command(now_ms=now_ms, limit=limit, payloads_before_ms=payloads_before_ms)
        return int(scripts.run(self._client, command)[0])

    def _command(self, *, now_ms: int, limit: int, payloads_before_ms: int = 0) -> scripts.Command:
        settings = self._settings
        return scripts.RETIRE_TASKS.command(
            self._keys.partition,
            history=self._keys.history,
            exports=self._keys.exports,
            reserved=reserved_key(self._client, self._keys),
            tasks_before_ms=now_ms - settings.task_retention_s * 1000,
            payloads_before_ms=max(payloads_before_ms, now_ms - settings.payload_retention_s * 1000),
            limit=limit,
        )


def retire_together(retentions: Sequence[Retention], *, now_ms: int, limit: int) -> list[Retention]:
    """Retire of several catalogs, as `Retention.retire`, in one round trip (in a cluster: one to each server).

    Returns those that may have more to delete.
    """
    if not retentions:
        return []
    commands = [each._command(now_ms=now_ms, limit=limit) for each in retentions]
    counts = scripts.run_apart(retentions[0]._client, *commands)
    return [each for each, count in zip(retentions, counts, strict=True) if int(count) >= limit]
