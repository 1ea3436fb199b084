"""Count the fields of the items of catalogs that have changed, on a thread of its own.

Of all workers one counts at a time, and it spends a fiftieth of its time on that: so a drain does not notice, and the
more there is to count, the later it is counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial

import structlog

from shared import keys
from shared.catalog.field_stats import FieldStatistics, SectionStats, changed_since_count
from shared.catalog.pages import EntryPage
from shared.catalog.reader import Catalog
from shared.clock import Clock
from shared.errors import TryAgain
from shared.model import Kind
from shared.partition.backlog import PAGE, Backlog
from shared.store import scripts
from shared.store.client import Store
from workers.count.presence_tally import PresenceTally

log = structlog.get_logger()

#: Seconds between two looks for catalogs that have changed.
EVERY_S = 2.0
#: Share of the time that counting takes, of one worker of all.
SHARE = 0.02
#: Longest pause, seconds: a store that was slow once is not waited for.
LONGEST_PAUSE_S = 5.0
#: Most items of which all are counted.  Of more, SAMPLE_BLOCKS blocks of BLOCK_ITEMS are, evenly spread over their ids.
EXACT_ITEMS = 100_000
SAMPLE_BLOCKS = 1_000
BLOCK_ITEMS = 50
#: Bytes of one read, about, and its most items.
READ_BYTES = 1024 * 1024
READ_ITEMS = 1_000
#: For so long after its last sign of life a worker keeps others from counting.
TURN_MS = 30_000


class FieldCounter:
    """Counts until it is stopped.  All its state is in the store: killed at any point, another worker begins anew."""

    def __init__(
        self, client: Store, *, holder: str, clock: Clock, stop: threading.Event, share: float = SHARE
    ) -> None:
        self._client = client
        self._backlog = Backlog(client)
        self._holder = holder
        self._clock = clock
        self._stop = stop
        self._share = share
        #: Catalogs that could not be counted, until their next commit.
        self._failed: dict[str, bytes] = {}
        #: When the last pause was over, monotonic seconds.
        self._began = 0.0
        self._thread = threading.Thread(target=self._run, name="field counter", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop after the current read; it is not waited for."""
        self._stop.set()

    def once(self) -> None:
        """Count the catalogs that have changed, unless another worker does."""
        self._began = time.monotonic()
        looked_at = 0
        while not self._stop.is_set() and self._takes_turn():
            page = list(self._backlog.known(skip=looked_at))
            changed = changed_since_count(self._client, page)
            self._pause()
            for catalog_key, as_of in changed.items():
                if self._failed.get(catalog_key) != as_of:
                    self._count(catalog_key, as_of)
                    self._pause()
            looked_at += len(page)
            if len(page) < PAGE:
                return

    def _count(self, catalog_key: str, as_of: bytes) -> None:
        catalog, statistics = Catalog(self._client, catalog_key), FieldStatistics(self._client, catalog_key)
        try:
            for section in catalog.sections():
                before, tally, total = statistics.last(section).stats, PresenceTally(), 0
                for page in self._pages(catalog, section):
                    total = page.total
                    tally.add([entry.body for entry in page.entries])
                    self._pause()
                    if self._stop.is_set() or not self._takes_turn():
                        return
                if total or before is not None:
                    now_ms = self._clock()
                    since = {} if before is None else {field.name: field.created_ms for field in before.fields}
                    counted = SectionStats(now_ms, tally.items, total, tally.result(since, now_ms))
                    statistics.keep(section, counted)
            statistics.keep_position(as_of)
        except TryAgain:
            raise
        # One catalog must not keep others from being counted.
        except Exception as error:
            self._failed[catalog_key] = as_of
            log.error("fields not counted", action="count", catalog_key=catalog_key, error=repr(error))

    def _pages(self, catalog: Catalog, section: str) -> Iterator[EntryPage]:
        """Read all items of a section, or a sample of them."""
        read = partial(catalog.page_from, Kind.ITEMS, section)
        page = read(b"", size=BLOCK_ITEMS)
        if page.total > EXACT_ITEMS:
            for block in range(SAMPLE_BLOCKS):
                offset = block * page.total // SAMPLE_BLOCKS
                yield catalog.page(Kind.ITEMS, section, offset=offset, size=BLOCK_ITEMS)
            return
        yield page
        while page.next_place is not None:
            page = read(page.next_place, size=_fitting(page))
            yield page

    def _pause(self) -> None:
        """Pause for so long that all since the last pause was the share of the time."""
        worked_s = time.monotonic() - self._began
        self._stop.wait(min(LONGEST_PAUSE_S, worked_s * (1 / self._share - 1)))
        self._began = time.monotonic()

    def _takes_turn(self) -> bool:
        """Return whether this worker is the one that counts."""
        me = self._holder.encode()
        _, holder = scripts.run(self._client, ("SET", keys.COUNTER, me, "NX", "PX", TURN_MS), ("GET", keys.COUNTER))
        if holder == me:
            scripts.run(self._client, ("PEXPIRE", keys.COUNTER, TURN_MS))
        return bool(holder == me)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            try:
                self.once()
            except TryAgain as error:
                log.warning("fields not counted", action="count", error=str(error))
            # The thread must survive; what went wrong is tried again.
            except Exception as error:
                log.error("counting failed", action="count", error=repr(error))


def _fitting(page: EntryPage) -> int:
    """Return how many items the next read may take: as long as those of the last one, about."""
    longest = max(len(entry.body) for entry in page.entries)
    return max(1, min(READ_ITEMS, READ_BYTES // max(1, longest)))
