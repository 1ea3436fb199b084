"""Estimate the memory that a task takes, besides its entries, to put a new generation in the place of what is there.

Until the new one takes its place the old one is there too, so all of this is beside it.  Tasks that wait before it may
add to what is there; what they have reserved tells how much.
"""

from __future__ import annotations

from api.entries.chunks import CHUNK_ENTRIES
from shared.catalog.footprint import Footprint
from shared.model import Batch, Kind, Operation
from shared.partition.growth import LEAN_RECORD_BYTES, RECORD_BYTES
from shared.partition.work import takes_items_along

#: Ids that are left out are told to followers.  They are stored compressed: random letters to three quarters at most.
_TOLD_NUMERATOR, _TOLD_DENOMINATOR = 3, 4
#: What an entry leaves in the report and in the history.
_OUTCOME_BYTES = 5
#: Of what a waiting task has reserved, ids and records of touched items are a quarter at most.
_WAITING_SHARE = 4

#: A commit copies so many bytes of what is kept, about: they are on their way in the store beside all that is there.
_COPIED_BYTES = 4 * 1024 * 1024


def kept_at_once(there: Footprint, batch: Batch, kind: Kind) -> int:
    """Return how many entries one commit may keep, as long as they are now."""
    section = batch.section_of(kind)
    entries, memory = there.ids(kind, section)[0], there.memory(kind, section)
    return max(1, min(CHUNK_ENTRIES, _COPIED_BYTES * entries // max(1, memory))) if entries else CHUNK_ENTRIES


def growth_of_flip(there: Footprint, batch: Batch, *, lean: bool = False) -> int:
    """Estimate the bytes.  ``lean``: the store is known to be Valkey from 8.1 on."""
    sizes = {kind: there.ids(kind, batch.section_of(kind)) for kind in batch.kinds}
    growth = sum(id_bytes for _, id_bytes in sizes.values()) * _TOLD_NUMERATOR // _TOLD_DENOMINATOR
    if Kind.VARIATIONS in sizes:
        # Items that lose some of theirs are touched.
        items, id_bytes = there.ids(Kind.ITEMS, batch.section)
        touched, record_bytes = min(items, sizes[Kind.VARIATIONS][0]), LEAN_RECORD_BYTES if lean else RECORD_BYTES
        growth += touched * (record_bytes + id_bytes // max(1, items))
    growth += batch.entries * _OUTCOME_BYTES
    if batch.operation is Operation.KEEP:
        # Its rows are ids: at most it copies all that is there, or will be.
        return growth + there.waiting() + sum(there.memory(kind, batch.section_of(kind)) for kind in batch.kinds)
    if takes_items_along(batch):
        # What was PATCHed of them, or will have been, is carried along.
        return growth + there.waiting() + there.patched(Kind.ITEMS, batch.section)
    return growth + there.waiting() // _WAITING_SHARE
