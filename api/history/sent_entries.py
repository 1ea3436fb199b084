"""Read the entries of one task as sent."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from shared.codec import encode_json
from shared.model import Chunk
from shared.tasks.payloads import EntryFinder, Payloads
from shared.tasks.records import Task

#: Chunks that one search goes through: 50,000 entries, some 100 ms.
SEARCH_CHUNKS = 50


@dataclass(frozen=True, slots=True)
class SentEntry:
    """One entry of a payload."""

    index: int
    id: str
    #: Its JSON, as sent.
    text: bytes


class SentEntries:
    """Reads a payload entry by entry.  Every call raises PayloadGone if it is no longer kept."""

    def __init__(self, payloads: Payloads, task: Task) -> None:
        self._payloads = payloads
        self._task = task
        self._finder = EntryFinder(payloads, task)

    def one(self, index: int) -> SentEntry:
        """Read the entry at a place in the batch."""
        chunk, at = self._finder.find(index)
        return entry_of(chunk, at)

    def page(self, *, offset: int, size: int) -> list[SentEntry]:
        """Read entries in the order of the batch."""
        return [self.one(index) for index in range(self._task.batch.entries)[offset : offset + size]]

    def search(self, wanted: str, *, chunk: int, most: int) -> tuple[list[SentEntry], int | None]:
        """Find entries that hold a text, as it is or as JSON may write it, from a chunk on.

        Returns them and the chunk to go on from; None if that was the last.
        """
        needles = {wanted.encode(), encode_json(wanted)[1:-1], _escaped(wanted)}
        found: list[SentEntry] = []
        chunks = self._task.batch.chunks
        for number in range(chunk, min(chunk + SEARCH_CHUNKS, chunks)):
            looked_at = self._payloads.chunk(self._task, number)
            found += (entry_of(looked_at, at) for at in sorted(set(_hits(looked_at, needles))))
            if len(found) >= most:
                return found[:most], number + 1 if number + 1 < chunks else None
        after = chunk + SEARCH_CHUNKS
        return found, after if after < chunks else None


def entry_of(chunk: Chunk, at: int) -> SentEntry:
    """Pick an entry out of its chunk."""
    start, end = chunk.bounds[2 * at : 2 * at + 2]
    return SentEntry(chunk.first + at, chunk.ids[at], chunk.text[start:end])


def _hits(chunk: Chunk, needles: set[bytes]) -> Iterator[int]:
    """Yield the entries in which one of the needles lies whole."""
    starts = chunk.bounds[::2]
    for needle in needles:
        position = chunk.text.find(needle)
        while position >= 0:
            at = bisect_right(starts, position) - 1
            if at >= 0 and position + len(needle) <= chunk.bounds[2 * at + 1]:
                yield at
                # On to the next entry: one hit in each is enough.
                position = chunk.text.find(needle, chunk.bounds[2 * at + 1])
            else:
                position = chunk.text.find(needle, position + 1)


def _escaped(text: str) -> bytes:
    """Write a text as cautious serializers do: everything beyond ASCII as ``\\uXXXX``."""
    units = text.encode("utf-16-be")
    pairs = zip(units[::2], units[1::2], strict=True)
    return b"".join(bytes([low]) if not high and low < 128 else b"\\u%02x%02x" % (high, low) for high, low in pairs)
