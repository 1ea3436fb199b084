"""Compute the changes of PATCHes.  Pure; the applier calls it.

Where many items are PATCHed at once, and an item is much longer than its PATCH, the PATCH is stored beside the item.
Later PATCHes of the same fields, for example prices, then read and write only these short texts.
"""

from __future__ import annotations

from array import array
from itertools import compress
from operator import is_not

from shared.catalog.effects import PATCHED_BESIDE, Puts, View
from shared.catalog.merging import Fields, composed, decode_fields, encode_fields, merge
from shared.errors import EntryFailure, TaskFailed
from shared.limits import DATA_MAX_BYTES, max_data_bytes
from shared.model import Batch, Chunk, Form, Kind, OnMissing, Operation, Outcome
from workers.apply.columns import FEWEST, compose_columns, merge_columns
from workers.apply.entry_failures import failure
from workers.apply.warnings import left_out

#: What is PATCHed is kept beside an entry, instead of written into it, if the entry is so many times longer: then it is
#: not worth reading and writing it each time its price changes.  What is there may grow, up to so many bytes.
TIMES_LONGER = 4
PATCH_BYTES = 1024


#: What an entry of each kind needs beside its id.
NEEDED = {Kind.ITEMS: "name", Kind.VARIATIONS: "item_id", Kind.ITEM_GROUPS: "name"}


class Unseen(Exception):
    """Some entries need their values read, not only their patches."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = ids


def go_by_patches(batch: Batch, chunk: Chunk) -> bool:
    """Return whether the patches of a chunk's entries may be enough to apply it."""
    may_be = batch.kind in PATCHED_BESIDE and batch.operation is Operation.PATCH
    return may_be and len(chunk) >= FEWEST and not left_out(chunk)


def patch(batch: Batch, chunk: Chunk, view: View) -> tuple[Puts, list[str], Puts]:
    """Merge a chunk into what is there; returns what to write whole, the outcomes, and what to keep beside entries.

    Raises TaskFailed; and Unseen, the view being as it was, if some entries are known by their patches only, and that
    is not enough.
    """
    if view.patches and not view.values and all(map(view.patches.__contains__, chunk.ids)):
        return _patch_patches(batch, chunk, view)
    by_patch = [entry_id in view.patches and entry_id not in view.values for entry_id in chunk.ids]
    if not any(by_patch):
        return _patch_values(batch, chunk, view)
    if all(by_patch):
        return _patch_patches(batch, chunk, view)
    known, rest = _pick(chunk, by_patch), _pick(chunk, [not so for so in by_patch])
    # What becomes of the others, if one is missing or a list is edited, is for the whole chunk to say.
    merged = _merged_at_once(batch, rest, view) if all(map(view.values.__contains__, rest.ids)) else None
    if merged is None:
        raise Unseen(known.ids)
    _, composed_outcomes, composed_patches = _patch_patches(batch, known, view)
    puts, patches = _kept_beside(rest, view, merged[0])
    outcomes = iter(merged[1]), iter(composed_outcomes)
    patches.ids.extend(composed_patches.ids)
    patches.values.extend(composed_patches.values)
    return puts, [next(outcomes[so]) for so in by_patch], patches


def _patch_values(batch: Batch, chunk: Chunk, view: View) -> tuple[Puts, list[str], Puts]:
    known = len(chunk) >= FEWEST and not left_out(chunk) and all(map(view.values.__contains__, chunk.ids))
    merged = _merged_at_once(batch, chunk, view) if known else None
    if merged is None:
        return *_merged_one_by_one(batch, chunk, view), Puts()
    puts, outcomes = merged
    puts, patches = _kept_beside(chunk, view, puts) if batch.kind in PATCHED_BESIDE else (puts, Puts())
    return puts, outcomes, patches


def _patch_patches(batch: Batch, chunk: Chunk, view: View) -> tuple[Puts, list[str], Puts]:
    """Change what was PATCHed before.  Raises Unseen of those where there is more to look at."""
    before = [view.patches[entry_id] for entry_id in chunk.ids]
    after = compose_columns(before, _listed(batch, chunk), chunk.entry(0))
    if after is None:
        raise Unseen(chunk.ids)
    too_little = [not value or len(value) > PATCH_BYTES for value in after]
    if any(too_little):
        raise Unseen(list(compress(chunk.ids, too_little)))
    patches, outcomes = _changed(chunk, before, after)
    if view.more_follows:
        view.patches.update(zip(patches.ids, patches.values, strict=True))
    return Puts(), outcomes, patches


def _merged_at_once(batch: Batch, chunk: Chunk, view: View) -> tuple[Puts, list[str]] | None:
    """Merge all into what is there, if fields are all that changes."""
    before = [view.values[entry_id] for entry_id in chunk.ids]
    after = merge_columns(before, _listed(batch, chunk), chunk.entry(0))
    # Of long ones it has to be looked at more closely whether their data has become too long.
    if after is None or len(max(after, key=len)) > max_data_bytes(batch.kind):
        return None
    return _changed(chunk, before, after)


def _pick(chunk: Chunk, which: list[bool]) -> Chunk:
    """Create a chunk with some entries of another."""
    entries = list(compress(chunk.entries(), which))
    bounds, start = array("I"), 0
    for entry in entries:
        bounds.extend((start, start + len(entry)))
        start += len(entry) + 1
    return Chunk(b",".join(entries), list(compress(chunk.ids, which)), bounds)


def _changed(chunk: Chunk, before: list[bytes], after: list[bytes]) -> tuple[Puts, list[str]]:
    """Pick those that are no longer the object they were; returns the outcomes of all, too."""
    changed = list(map(is_not, before, after))
    if all(changed):
        return Puts(chunk.ids, after), [Outcome.UPDATED] * len(chunk)
    puts = Puts(list(compress(chunk.ids, changed)), list(compress(after, changed)))
    updated, unchanged = Outcome.UPDATED, Outcome.UNCHANGED
    return puts, [updated if each else unchanged for each in changed]


def _kept_beside(chunk: Chunk, view: View, puts: Puts) -> tuple[Puts, Puts]:
    """Leave long entries as they are, and keep beside them what changes; returns what is still to be written, and that.

    The next PATCHes of the same fields then read, and write, little.
    """
    sent = dict(zip(chunk.ids, chunk.entries(), strict=True))
    whole, beside = Puts(), Puts()
    for entry_id, value in zip(puts.ids, puts.values, strict=True):
        earlier, patch = view.patches.get(entry_id), sent[entry_id]
        if earlier is not None:
            patch = composed(earlier, patch)
        # What is kept beside may grow to PATCH_BYTES without a look at the entry, whose data has a limit.
        too_long = len(value) + PATCH_BYTES > DATA_MAX_BYTES
        if too_long or len(patch) > PATCH_BYTES or len(patch) * TIMES_LONGER > len(value):
            whole.ids.append(entry_id)
            whole.values.append(value)
        else:
            beside.ids.append(entry_id)
            beside.values.append(patch)
            view.patches[entry_id], view.values[entry_id] = patch, value
    return whole, beside


def _listed(batch: Batch, chunk: Chunk) -> bytes:
    """Give the entries of a chunk as one JSON list."""
    if batch.form is Form.JSON:
        # Nothing but the commas of the list that they were sent in is between them.
        return b"[%b]" % chunk.text[chunk.bounds[0] : chunk.bounds[-1]]
    return b"[%b]" % b",".join(chunk.entries())


def _merged_one_by_one(batch: Batch, chunk: Chunk, view: View) -> tuple[Puts, list[str]]:
    idle, new, wrong = left_out(chunk), list[str](), dict[int, EntryFailure]()
    puts = Puts(new=new)
    outcomes: list[str] = [Outcome.UPDATED] * len(chunk)
    for i, (entry_id, entry) in enumerate(zip(chunk.ids, chunk.entries(), strict=True)):
        before, after = view.values.get(entry_id), None
        if i in idle:
            outcomes[i] = idle[i]
        elif before is not None or batch.on_missing is OnMissing.CREATE:
            try:
                outcomes[i], after = _merged_or_created(batch.kind, before, entry)
            except TaskFailed as problem:
                wrong[i] = EntryFailure(entry_id, str(problem))
            if outcomes[i] == Outcome.CREATED:
                new.append(entry_id)
        elif batch.on_missing is OnMissing.IGNORE:
            outcomes[i] = Outcome.IGNORED
        else:
            wrong[i] = EntryFailure(entry_id, None)
        if after is not None:
            puts.ids.append(entry_id)
            puts.values.append(after)
    if wrong:
        raise failure(batch, chunk, wrong)
    return puts, outcomes


def _merged_or_created(kind: Kind, before: bytes | None, sent: bytes) -> tuple[Outcome, bytes | None]:
    """Say what becomes of one entry, and what is to be written of it, if anything.  Raises TaskFailed."""
    if before is None:
        return Outcome.CREATED, _created(sent, NEEDED[kind])
    after = _merged(before, sent, max_data_bytes(kind))
    return Outcome.UNCHANGED if after is None else Outcome.UPDATED, after


def _merged(before: bytes, sent: bytes, most: int) -> bytes | None:
    """Merge what was sent into an entry; None if that changes nothing."""
    fields = decode_fields(before)
    return encode_fields(fields) if merge(fields, decode_fields(sent), max_data_bytes=most) else None


def _created(sent: bytes, needed: str) -> bytes:
    """Merge what was sent into nothing: what it would remove is not there.  Raises TaskFailed for lack of a field."""
    fields: Fields = {}
    merge(fields, decode_fields(sent))
    if needed not in fields:
        raise TaskFailed(f"it is not there, and cannot be created without {needed!r}")
    return encode_fields(fields)
