"""Trimming: delete payloads of ended tasks early while the store is low on memory, oldest first."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import structlog

from shared.keys import CatalogKeys
from shared.partition.backlog import PAGE, Backlog
from shared.partition.retention import Retention
from shared.store import scripts
from shared.store.client import Store
from shared.store.memory import TRIM_ABOVE, used_share

log = structlog.get_logger()

#: A round shortens the time for which payloads are kept by this part of it, and by a minute at least.
PART = 16
MINUTE_MS = 60_000
#: Payloads deleted in one call.
STEP = 100


class Trimmer:
    """Keeps stored payloads from filling the store."""

    def __init__(self, client: Store, backlog: Backlog, open_retention: Callable[[str], Retention]) -> None:
        self._client = client
        self._backlog = backlog
        self._open_retention = open_retention

    def trim(self, *, now_ms: int, until: float) -> int:
        """If the store uses more than 60 % of its memory, delete the oldest payloads of ended tasks, over all catalogs.

        Ends at ``until`` (monotonic, seconds) at the latest; returns how many were deleted.  Call it repeatedly: freed
        memory shows in the store a moment later.
        """
        if used_share(self._client) <= TRIM_ABOVE:
            return 0
        oldest = self._oldest()
        if not oldest:
            return 0
        first_ms = min(oldest.values())
        before_ms = first_ms + max(MINUTE_MS, (now_ms - first_ms) // PART)
        gone = sum(
            self._delete_until(catalog_key, before_ms, now_ms, until)
            for catalog_key, ended_ms in sorted(oldest.items(), key=lambda pair: pair[1])
            if ended_ms < before_ms
        )
        log.warning("payloads deleted early: memory low", action="trim", payloads=gone, ended_before_ms=before_ms)
        return gone

    def _oldest(self) -> dict[str, int]:
        """Return, by catalog, when the task of the oldest kept payload ended."""
        oldest: dict[str, int] = {}
        seen = PAGE
        while seen % PAGE == 0 and (catalog_keys := self._backlog.known(skip=seen - PAGE)):
            looks = (("ZRANGE", CatalogKeys(key).payloads, 0, 0, "WITHSCORES") for key in catalog_keys)
            found = scripts.run_apart(self._client, *looks)
            oldest.update({key: int(row[0][1]) for key, row in zip(catalog_keys, found, strict=True) if row})
            seen += len(catalog_keys)
        return oldest

    def _delete_until(self, catalog_key: str, before_ms: int, now_ms: int, until: float) -> int:
        retire = functools.partial(
            self._open_retention(catalog_key).retire, now_ms=now_ms, limit=STEP, payloads_before_ms=before_ms
        )
        gone = 0
        while time.monotonic() < until and (more := retire()):
            gone += more
        return gone
