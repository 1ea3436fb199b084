"""Estimate how much memory a batch takes once it is applied.  Pure.

A payload waits compressed, perhaps to a hundredth, and becomes entries, index and links.  What that takes follows from
the lengths of entries and ids, and from how the server stores them: it was measured, and is estimated too high rather
than too low.  Entries that replace others count in full, since what they replace is not known yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import sub

import msgspec

from shared.codec import STAMP_DIGITS
from shared.limits import WARNINGS_PER_CHUNK
from shared.model import Batch, Chunk, Kind, OnMissing, Operation

#: What any task leaves behind: its end in the indexes, its report, what is to be told outside.
TASK_BYTES = 800
#: What a member of a hash or a sorted set takes beside its texts, in Redis, and in Valkey from 8.1 on.
RECORD_BYTES = 95
LEAN_RECORD_BYTES = 55
#: An id takes its bytes, and a seventh for what allocations are rounded up by.
_ID_NUMERATOR, _ID_DENOMINATOR = 8, 7
#: What a warning has beside ids and message.
_WARNING_BYTES = 150
#: What a stored value has beside the entry's JSON.
_VALUE_BYTES = STAMP_DIGITS + 7
#: The same of a variation within an item, with what allocations are rounded up by.
_NESTED_BYTES = _VALUE_BYTES + 16

_ITEM_AND_VARIATIONS = (Operation.CREATE, Operation.MODIFY, Operation.AMEND)


class _SentVariation(msgspec.Struct):
    id: str


class _SentItem(msgspec.Struct):
    variations: list[_SentVariation] | None = None


_decode_item = msgspec.json.Decoder(_SentItem).decode


def growth_of(batch: Batch, chunk: Chunk, *, lean: bool = False) -> int:
    """Estimate the bytes that a chunk adds to the store when it is applied, beside its payload.

    ``lean``: the store is known to be Valkey from 8.1 on.
    """
    if batch.operation is Operation.DELETE:
        return len(chunk) + _warnings(chunk)
    records, id_bytes, nested = _records(batch, chunk)
    record_bytes = LEAN_RECORD_BYTES if lean else RECORD_BYTES
    return (
        _values(chunk) + nested * _NESTED_BYTES + records * record_bytes + id_bytes * _ID_NUMERATOR // _ID_DENOMINATOR
    )


def _records(batch: Batch, chunk: Chunk) -> tuple[int, int, int]:
    """Count the members of hashes and sorted sets that may be added, the bytes of their ids, and nested variations."""
    entries, ids, nested = len(chunk), _length(chunk.ids), 0
    if batch.operation is Operation.PATCH and batch.on_missing is not OnMissing.CREATE:
        # At most it is kept beside the entry.
        records, id_bytes = entries, ids
    else:
        records, id_bytes = 2 * entries, 2 * ids
    if batch.kind is Kind.VARIATIONS:
        # A link for each, and for each item the time at which it was touched.
        parents = [parent for parent in chunk.parents or () if parent]
        touched = set(parents)
        records += entries + (len(touched) or entries)
        id_bytes += ids + _length(parents) + _length(touched)
    elif batch.operation in _ITEM_AND_VARIATIONS and batch.kind is Kind.ITEMS:
        for item_id, entry in zip(chunk.ids, chunk.entries(), strict=True):
            variations = _decode_item(entry).variations or ()
            nested += len(variations)
            # Each has its record, its place in the index and its link; the item is touched.
            records += 3 * len(variations) + bool(variations)
            id_bytes += 3 * _length(one.id for one in variations) + (len(variations) + 1) * _length([item_id])
    return records, id_bytes, nested


def _warnings(chunk: Chunk) -> int:
    """Sum up what is told of entries that are left out; each has its id twice."""
    superseded = (chunk.ids[i] for i in chunk.superseded[:WARNINGS_PER_CHUNK])
    skipped = ((one.id or "") + one.message for one in chunk.skipped[:WARNINGS_PER_CHUNK])
    return sum(_WARNING_BYTES + 2 * len(ascii(text)) for text in (*superseded, *skipped))


def _length(ids: Iterable[str]) -> int:
    return len("".join(ids).encode())


def _values(chunk: Chunk) -> int:
    """Sum up what the entries take as stored values."""
    lengths = list(map(sub, chunk.bounds[1::2], chunk.bounds[::2]))
    if not lengths:
        return 0
    if max(lengths) < len(_ALLOCATED):
        return sum(map(_ALLOCATED.__getitem__, lengths))
    return sum(map(_allocated, lengths))


def _allocated(length: int) -> int:
    """Return what a value of so many bytes of JSON takes: sizes are rounded up to four steps in each power of two."""
    size = length + _VALUE_BYTES
    step = max(16, 1 << max(0, (size - 1).bit_length() - 3))
    return -(-size // step) * step


#: By length, for most: looking it up costs a quarter.
_ALLOCATED = [_allocated(length) for length in range(16_384)]
