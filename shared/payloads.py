"""What was sent, as it is kept with a task until some time after its end.  Read only: submit writes it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from shared import scripts
from shared.codec import decode_chunk
from shared.keys import CatalogKeys
from shared.model import Chunk
from shared.store import Store
from shared.tasks import Task


class PayloadGone(Exception):
    """A payload, or what is left of it, is no longer kept."""


class Payloads:
    """The payloads of one catalog.  Every call raises StoreUnavailable, and PayloadGone if there is nothing to read."""

    def __init__(self, client: Store, catalog_key: str) -> None:
        self._client = client
        self._keys = CatalogKeys(catalog_key)

    def chunk(self, task: Task, number: int) -> Chunk:
        """Read one chunk."""
        [frame] = scripts.run(self._client, ("LINDEX", self._keys.payload(task.id), number))
        if frame is None:
            raise PayloadGone
        return decode_chunk(frame)

    def texts(self, task: Task) -> Iterator[bytes]:
        """Read the body as it was sent, chunk by chunk.

        The first one is read at once, so that a payload that is gone is found before anything is answered.
        """
        first = self.chunk(task, 0).text

        def rest() -> Iterator[bytes]:
            yield first
            for number in range(1, task.batch.chunks):
                yield self.chunk(task, number).text

        return rest()


class EntryFinder:
    """Finds entries of one task by their index in the batch; looks at each chunk once at most."""

    def __init__(self, payloads: Payloads, task: Task) -> None:
        self._payloads = payloads
        self._task = task
        self._seen: dict[int, Chunk] = {}

    def find(self, index: int) -> tuple[Chunk, int]:
        """Tell in which chunk an entry is, and where in it."""
        numbers = range(self._task.batch.chunks)
        # The chunk is the last one that does not begin behind the entry.
        number = bisect_right(numbers, index, key=lambda number: self._chunk(number).first) - 1
        chunk = self._chunk(number)
        return chunk, index - chunk.first

    def _chunk(self, number: int) -> Chunk:
        if number not in self._seen:
            self._seen[number] = self._payloads.chunk(self._task, number)
        return self._seen[number]
