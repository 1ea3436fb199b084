"""Trimming: payloads of ended tasks go before their time while the store has little room, the oldest first."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import structlog

from shared import scripts
from shared.backlog import PAGE, Backlog
from shared.keys import CatalogKeys
from shared.memory import TRIM_ABOVE, used_share
from shared.partitions import Partition
from shared.store import Store

log = structlog.get_logger()

#: A round lets go of this part of the time that payloads are kept for, and of a minute at least.
PART = 16
MINUTE_MS = 60_000
#: Payloads let go of in one call.
STEP = 100


class Trimmer:
    """What keeps the audit from filling the store."""

    def __init__(self, client: Store, backlog: Backlog, open_partition: Callable[[str], Partition]) -> None:
        self._client = client
        self._backlog = backlog
        self._open_partition = open_partition

    def trim(self, *, now_ms: int, until: float) -> int:
        """If the store is past 60 % of its memory, let go of the payloads that ended first, over all catalogs.

        Ends at ``until`` (monotonic, seconds) at the latest; returns how many went.  What is freed shows in the
        store's memory a moment later: to be called again and again.
        """
        if used_share(self._client) <= TRIM_ABOVE:
            return 0
        oldest = self._oldest()
        if not oldest:
            return 0
        first_ms = min(oldest.values())
        before_ms = first_ms + max(MINUTE_MS, (now_ms - first_ms) // PART)
        gone = sum(
            self._let_go(catalog_key, before_ms, now_ms, until)
            for catalog_key, ended_ms in sorted(oldest.items(), key=lambda pair: pair[1])
            if ended_ms < before_ms
        )
        log.warning("payloads let go of early", action="trim", payloads=gone, ended_before_ms=before_ms)
        return gone

    def _oldest(self) -> dict[str, int]:
        """Tell when the oldest payload that is kept ended, by catalog."""
        oldest: dict[str, int] = {}
        seen = PAGE
        while seen % PAGE == 0 and (catalog_keys := self._backlog.known(skip=seen - PAGE)):
            looks = (("ZRANGE", CatalogKeys(key).payloads, 0, 0, "WITHSCORES") for key in catalog_keys)
            found = scripts.run_apart(self._client, *looks)
            oldest.update({key: int(row[0][1]) for key, row in zip(catalog_keys, found, strict=True) if row})
            seen += len(catalog_keys)
        return oldest

    def _let_go(self, catalog_key: str, before_ms: int, now_ms: int, until: float) -> int:
        retire = functools.partial(
            self._open_partition(catalog_key).retire, now_ms=now_ms, limit=STEP, payloads_before_ms=before_ms
        )
        gone = 0
        while time.monotonic() < until and (more := retire()):
            gone += more
        return gone
