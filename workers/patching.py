"""Decide what PATCHes change.  Pure; the applier calls it.

Where many items are PATCHed at once, and an item is much longer than what is sent for it, that is kept beside it.  The
next PATCHes of the same fields, prices say, then read and write these short texts only.
"""

from __future__ import annotations

from itertools import compress
from operator import is_not

from shared.effects import Puts, View, Wants
from shared.errors import TaskFailed, Wrong
from shared.merging import Fields, composed, decode_fields, encode_fields, merge
from shared.model import Batch, Chunk, Form, Kind, OnMissing, Operation, Outcome
from workers.columns import FEWEST, compose_columns, merge_columns
from workers.failures import failure
from workers.warnings import left_out

#: What is PATCHed is kept beside an entry, instead of written into it, up to so many bytes, and where the entry is so
#: many times longer: then it is not worth reading and writing the entry each time its price changes.
PATCH_BYTES = 1024
TIMES_LONGER = 4


class Unseen(Exception):
    """More has to be read before a chunk can be applied: all that the applier wants."""


def wants_first(batch: Batch, chunk: Chunk) -> Wants | None:
    """Say what may be enough to read, and is little; None if nothing is."""
    if (batch.kind, batch.operation) != (Kind.ITEMS, Operation.PATCH) or len(chunk) < FEWEST or left_out(chunk):
        return None
    return Wants(patches=chunk.ids)


def patch(batch: Batch, chunk: Chunk, view: View) -> tuple[Puts, list[str], Puts]:
    """Merge a chunk into what is there; returns what to write whole, the outcomes, and what to keep beside entries.

    Raises TaskFailed, and Unseen if the view shows only what `wants_first` said, and more has to be looked at.
    """
    if view.only_patches:
        return _composed_at_once(batch, chunk, view)
    at_once = _merged_at_once(batch, chunk, view)
    if at_once is None:
        return *_merged_one_by_one(batch, chunk, view), Puts()
    puts, outcomes = at_once
    puts, patches = _kept_beside(chunk, view, puts) if batch.kind is Kind.ITEMS else (puts, Puts())
    return puts, outcomes, patches


def _merged_at_once(batch: Batch, chunk: Chunk, view: View) -> tuple[Puts, list[str]] | None:
    """Merge all, if all are there and fields are all that changes."""
    before = [value for value in map(view.values.get, chunk.ids) if value is not None]
    if not before or len(before) < len(chunk) or left_out(chunk):
        return None
    after = merge_columns(before, _listed(batch, chunk), next(chunk.entries()))
    return None if after is None else _changed(chunk, before, after)


def _composed_at_once(batch: Batch, chunk: Chunk, view: View) -> tuple[Puts, list[str], Puts]:
    """Change what was PATCHed before.  Raises Unseen if there is more to look at."""
    before = [patch for patch in map(view.patches.get, chunk.ids) if patch is not None]
    if len(before) < len(chunk):
        raise Unseen
    after = compose_columns(before, _listed(batch, chunk), next(chunk.entries()))
    if after is None or max(map(len, after)) > PATCH_BYTES:
        raise Unseen
    patches, outcomes = _changed(chunk, before, after)
    view.patches.update(zip(patches.ids, patches.values, strict=True))
    return Puts(new=[]), outcomes, patches


def _changed(chunk: Chunk, before: list[bytes], after: list[bytes]) -> tuple[Puts, list[str]]:
    """Pick those that are no longer the object they were; returns the outcomes of all, too."""
    changed = list(map(is_not, before, after))
    if all(changed):
        return Puts(chunk.ids, after, new=[]), [Outcome.UPDATED] * len(chunk)
    puts = Puts(list(compress(chunk.ids, changed)), list(compress(after, changed)), new=[])
    updated, unchanged = Outcome.UPDATED, Outcome.UNCHANGED
    return puts, [updated if each else unchanged for each in changed]


def _kept_beside(chunk: Chunk, view: View, puts: Puts) -> tuple[Puts, Puts]:
    """Leave long entries as they are, and keep beside them what changes; returns what is still to be written, and that.

    The next PATCHes of the same fields then read, and write, little.
    """
    sent = dict(zip(chunk.ids, chunk.entries(), strict=True))
    whole, beside = Puts(new=[]), Puts()
    for entry_id, value in zip(puts.ids, puts.values, strict=True):
        earlier, patch = view.patches.get(entry_id), sent[entry_id]
        if earlier is not None:
            patch = composed(earlier, patch)
        if len(patch) > PATCH_BYTES or len(patch) * TIMES_LONGER > len(value):
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
    idle, new, wrong = left_out(chunk), list[str](), dict[int, Wrong]()
    puts = Puts(new=new)
    outcomes: list[str] = [Outcome.UPDATED] * len(chunk)
    for i, (entry_id, entry) in enumerate(zip(chunk.ids, chunk.entries(), strict=True)):
        before, after = view.values.get(entry_id), None
        if i in idle:
            outcomes[i] = idle[i]
        elif before is not None:
            try:
                after = _merged(before, entry)
            except TaskFailed as problem:
                wrong[i] = Wrong(entry_id, str(problem))
            if after is None:
                outcomes[i] = Outcome.UNCHANGED
        elif batch.on_missing is OnMissing.CREATE:
            outcomes[i], after = Outcome.CREATED, _created(entry)
            new.append(entry_id)
        elif batch.on_missing is OnMissing.IGNORE:
            outcomes[i] = Outcome.IGNORED
        else:
            wrong[i] = Wrong(entry_id, None)
        if after is not None:
            puts.ids.append(entry_id)
            puts.values.append(after)
    if wrong:
        raise failure(batch, chunk, wrong)
    return puts, outcomes


def _merged(before: bytes, sent: bytes) -> bytes | None:
    """Merge what was sent into an entry; None if that changes nothing."""
    fields = decode_fields(before)
    return encode_fields(fields) if merge(fields, decode_fields(sent)) else None


def _created(sent: bytes) -> bytes:
    """Merge what was sent into nothing: what it would remove is not there."""
    fields: Fields = {}
    merge(fields, decode_fields(sent))
    return encode_fields(fields)
