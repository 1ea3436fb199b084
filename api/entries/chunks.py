"""Cut bodies into chunks, and build bodies for writes whose entries are not in V2's form."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from shared.model import Chunk, Skipped


def build_body(name: str, entries: Sequence[bytes]) -> tuple[bytes, array[int]]:
    """Write entries as a V2 body; returns it with the start and end of each entry."""
    head = b'{"%s":[' % name.encode()
    bounds = array("I")
    end = len(head) - 1
    for entry in entries:
        start = end + 1
        end = start + len(entry)
        bounds.extend((start, end))
    return head + b",".join(entries) + b"]}", bounds


#: Bounds of a chunk: entries, and bytes of text unless one entry alone is longer.
CHUNK_ENTRIES = 1000

CHUNK_BYTES = 2_000_000


def cut_into_chunks(
    text: bytes,
    bounds: array[int],
    ids: list[str],
    parents: list[str | None] | None,
    skipped: Sequence[Skipped] = (),
    *,
    weights: Sequence[int] | None = None,
) -> list[Chunk]:
    """Cut a text into chunks at the starts of entries, given the bounds and ids of its entries.

    ``skipped`` are by their index in the whole; their ids are empty, which no other can be.  ``weights`` say how many
    of CHUNK_ENTRIES an entry counts for, if not one.
    """
    counted = range(1, len(ids) + 1) if weights is None else list(accumulate(weights))
    superseded = find_superseded(ids)
    if (not ids or counted[-1] <= CHUNK_ENTRIES) and len(text) <= CHUNK_BYTES:
        return [Chunk(text, ids, bounds, parents, superseded, skipped=list(skipped))]
    chunks = []
    # A chunk reaches from its first entry (or the start of the text) to the next chunk's first entry (or the end).
    ends = [*bounds[2::2], len(text)]
    first = start = 0
    while first < len(ids):
        most = bisect_right(counted, CHUNK_ENTRIES + (counted[first - 1] if first else 0), first)
        fitting = bisect_right(ends, start + CHUNK_BYTES, first, most)
        stop = max(fitting, first + 1)
        here = slice(first, stop)
        chunks.append(
            Chunk(
                text[start : ends[stop - 1]],
                ids[here],
                array("I", [bound - start for bound in bounds[2 * first : 2 * stop]]),
                None if parents is None else parents[here],
                [index - first for index in superseded[slice(*_within(superseded, here))]],
                first,
                [one._replace(at=one.at - first) for one in skipped if first <= one.at < stop],
            )
        )
        first, start = stop, ends[stop - 1]
    return chunks


def _within(indexes: list[int], here: slice) -> tuple[int, int]:
    return bisect_right(indexes, here.start - 1), bisect_right(indexes, here.stop - 1)


def find_superseded(ids: list[str]) -> list[int]:
    """List the indexes of entries that a later one with the same id replaces."""
    if len(set(ids)) == len(ids):
        return []
    last = {id_: index for index, id_ in enumerate(ids)}
    return [index for index, id_ in enumerate(ids) if last[id_] != index and id_]
