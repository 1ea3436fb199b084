"""Read payloads: the bodies as sent, kept for a time after the end of their tasks.  Only submit writes them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from shared.codec import decode_chunk
from shared.keys import CatalogKeys
from shared.model import Chunk
from shared.store import scripts
from shared.store.client import Store
from shared.tasks.records import Task

#: Ids of a task that lists show.
FIRST_IDS = 3
#: Bytes of chunks, inflated, that are read for the ids of one list: some 30 ms.
READ_BYTES = 8 * 1024 * 1024


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


def read_first_ids(client: Store, catalog_key: str, tasks: Sequence[Task]) -> dict[int, list[str]]:
    """Read the ids of the first entries of tasks in one round trip, as far as their payloads are kept.

    Those of long chunks are left out, from where READ_BYTES would be read.
    """
    keys, looked_at, left = CatalogKeys(catalog_key), list[Task](), READ_BYTES
    for task in tasks:
        left -= task.batch.bytes // max(1, task.batch.chunks)
        if task.batch.chunks and left >= 0:
            looked_at.append(task)
    frames = scripts.run(client, *(("LINDEX", keys.payload(task.id), 0) for task in looked_at))
    found = {
        task.id: decode_chunk(frame).ids for task, frame in zip(looked_at, frames, strict=True) if frame is not None
    }
    return {task_id: [entry_id for entry_id in ids[:FIRST_IDS] if entry_id] for task_id, ids in found.items()}


class EntryFinder:
    """Finds entries of one task by their index in the batch; looks at each chunk once at most."""

    def __init__(self, payloads: Payloads, task: Task) -> None:
        self._payloads = payloads
        self._task = task
        self._seen: dict[int, Chunk] = {}
        #: Of the chunks that it has looked at, which it keeps.
        self.bytes_read = 0

    def find(self, index: int) -> tuple[Chunk, int]:
        """Return the chunk of an entry, and its index there."""
        chunks = self._task.batch.chunks
        # Most chunks have as many entries as the others.
        chunk = self._chunk(min(index * chunks // max(1, self._task.batch.entries), chunks - 1))
        if not chunk.first <= index < chunk.first + len(chunk):
            # It is the last one that does not begin behind the entry.
            number = bisect_right(range(chunks), index, key=lambda number: self._chunk(number).first) - 1
            chunk = self._chunk(number)
        return chunk, index - chunk.first

    def _chunk(self, number: int) -> Chunk:
        if number not in self._seen:
            self._seen[number] = chunk = self._payloads.chunk(self._task, number)
            self.bytes_read += len(chunk.text)
        return self._seen[number]
