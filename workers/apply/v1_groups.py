"""Compute the changes of a V1 batch of item groups.  Pure; the applier calls it.

Such a batch has one chunk, so it is whole or not at all in one commit, but for a REPLACE that deletes many.
"""

from __future__ import annotations

from shared.catalog.effects import Effects, Puts, View, Wants
from shared.catalog.equality import same
from shared.catalog.merging import decode_fields, encode_fields, overwrite, without_nulls
from shared.errors import EntryFailure
from shared.model import Batch, Chunk, OnMissing, Operation, Outcome
from workers.apply.entry_failures import failure
from workers.apply.warnings import duplicates, joined

#: Groups that one commit deletes at most.
DELETES_PER_COMMIT = 1000


def wants(batch: Batch, chunk: Chunk) -> Wants:
    """Return the data to read before this chunk can be applied."""
    return Wants(values=chunk.ids, all_ids=batch.operation is Operation.REPLACE)


def apply(batch: Batch, chunk: Chunk, view: View) -> Effects:
    """Compute the effects of the chunk, and bring the view up to date with them.

    Raises TaskFailed if a group is not there and may not be made.
    """
    gone = _not_sent(batch, chunk, view)
    if len(gone) > DELETES_PER_COMMIT:
        page = gone[:DELETES_PER_COMMIT]
        return Effects(deletes=page, item_groups_deleted=len(page), chunk_ends=False)
    written: dict[str, bytes] = {}
    wrong: dict[int, EntryFailure] = {}
    outcomes: list[str] = [Outcome.IGNORED] * len(chunk)
    superseded = set(chunk.superseded)
    for i, (group_id, entry) in enumerate(zip(chunk.ids, chunk.entries(), strict=True)):
        before = view.values.get(group_id)
        if i in superseded:
            continue
        if before is None and batch.operation is Operation.UPSERT and batch.on_missing is OnMissing.FAIL:
            wrong[i] = EntryFailure(group_id, None)
            continue
        outcomes[i], after = _decide(batch, before, entry)
        if after is not None:
            written[group_id] = after
    if wrong:
        raise failure(batch, chunk, wrong)
    created = [group_id for group_id in written if group_id not in view.values]
    _bring_up_to_date(view, written, gone)
    return Effects(
        puts=Puts(list(written), list(written.values()), created),
        deletes=gone,
        outcomes="".join(outcomes),
        warnings=joined(duplicates(batch, chunk)),
        item_groups_updated=len(chunk) - outcomes.count(Outcome.IGNORED),
        item_groups_deleted=len(gone),
    )


def _not_sent(batch: Batch, chunk: Chunk, view: View) -> list[str]:
    """List the groups that a REPLACE deletes, in order."""
    if batch.operation is not Operation.REPLACE:
        return []
    return sorted(view.all_ids.difference(chunk.ids), key=str.encode)


def _decide(batch: Batch, before: bytes | None, entry: bytes) -> tuple[Outcome, bytes | None]:
    """Return the outcome of one group, and the value to write, if any."""
    if before is None:
        return Outcome.CREATED, without_nulls(entry)
    if batch.operation is Operation.ADD:
        return Outcome.IGNORED, None
    if batch.operation is Operation.UPSERT:
        fields = decode_fields(before)
        changed, after = overwrite(fields, decode_fields(entry)), encode_fields(fields)
    else:
        after = without_nulls(entry)
        changed = not same(before, after)
    return (Outcome.UPDATED, after) if changed else (Outcome.UNCHANGED, None)


def _bring_up_to_date(view: View, written: dict[str, bytes], gone: list[str]) -> None:
    view.values.update(written)
    view.all_ids.update(written)
    for group_id in gone:
        view.values.pop(group_id, None)
        view.all_ids.discard(group_id)
