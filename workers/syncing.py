"""Decide what a task writes that builds a generation beside the one that readers see.  Pure; the applier calls it.

What the files leave out is not written, and so it is gone once the generation takes its place.
"""

from __future__ import annotations

from shared.codec import STAMP_DIGITS
from shared.effects import Effects, Puts, View, Wants
from shared.keys import link
from shared.merging import may_have_nulls, without_nulls
from shared.model import Batch, Chunk, Kind, Operation, Outcome
from workers.linked import parent_of
from workers.warnings import duplicates, joined, orphan, refusals


def wants(batch: Batch, chunk: Chunk) -> Wants:
    """Say what has to be read before this chunk can be applied."""
    wanted = Wants(seen=chunk.ids)
    if batch.operation is Operation.KEEP:
        wanted = Wants(seen_values=chunk.ids)
    if batch.kind is Kind.VARIATIONS:
        wanted += Wants(values=chunk.ids, items=[parent for parent in chunk.parents or () if parent is not None])
    else:
        wanted += Wants(present=chunk.ids)
    return wanted


def apply(batch: Batch, chunk: Chunk, view: View) -> Effects:
    """Compute the effects of one chunk, and bring the view up to date with them.

    An entry that came before in the files is replaced, with a warning, and counts once.
    """
    outcomes = _outcomes(batch, chunk, view)
    puts = _puts(batch, chunk, view, outcomes)
    before = set(view.values) if batch.kind is Kind.VARIATIONS else view.present
    again = [entry_id for entry_id in puts.ids if entry_id in before]
    warnings = refusals(chunk) + duplicates(batch, chunk, again)
    added: list[str] = []
    removed: list[str] = []
    if batch.kind is Kind.VARIATIONS:
        warnings += _relink(batch, view, puts, added, removed)
    view.present.update(puts.ids)
    counted = len(puts.ids) - len(again)
    return Effects(
        puts=puts,
        links_added=added,
        links_removed=removed,
        outcomes="".join(outcomes),
        warnings=joined(warnings),
        items_updated=counted if batch.kind is Kind.ITEMS else 0,
        variations_updated=counted if batch.kind is Kind.VARIATIONS else 0,
        item_groups_updated=counted if batch.kind is Kind.ITEM_GROUPS else 0,
    )


def _outcomes(batch: Batch, chunk: Chunk, view: View) -> list[str]:
    """Say of each entry what becomes of it in the eyes of readers."""
    if batch.operation is Operation.KEEP:
        outcomes: list[str] = [
            Outcome.UNCHANGED if entry_id in view.seen_values else Outcome.IGNORED for entry_id in chunk.ids
        ]
    else:
        outcomes = [Outcome.UPDATED if entry_id in view.seen else Outcome.CREATED for entry_id in chunk.ids]
    for i in chunk.superseded:
        outcomes[i] = Outcome.IGNORED
    for skipped in chunk.skipped:
        outcomes[skipped.at] = Outcome.FAILED
    return outcomes


def _puts(batch: Batch, chunk: Chunk, view: View, outcomes: list[str]) -> Puts:
    live = [i for i, outcome in enumerate(outcomes) if outcome not in (Outcome.IGNORED, Outcome.FAILED)]
    ids = [chunk.ids[i] for i in live]
    if batch.operation is Operation.KEEP:
        return Puts(ids, [view.seen_values[entry_id] for entry_id in ids], stamped=True)
    if len(live) == len(chunk) and not may_have_nulls(chunk.text):
        return Puts(chunk.ids, list(chunk.entries()))
    entries = list(chunk.entries())
    return Puts(ids, [without_nulls(entries[i]) for i in live])


def _relink(batch: Batch, view: View, puts: Puts, added: list[str], removed: list[str]) -> list[str]:
    """Link what is written to its items; warn of those whose item is not there, as far as that can be told."""
    warnings = []
    for variation_id, value in zip(puts.ids, puts.values, strict=True):
        body = value[STAMP_DIGITS:] if puts.stamped else value
        before, item_id = parent_of(view.values.get(variation_id)), parent_of(body)
        if before is not None and before != item_id:
            removed.append(link(before, variation_id))
        if item_id is not None and before != item_id:
            added.append(link(item_id, variation_id))
        tellable = batch.operation is Operation.SYNC and not view.items_to_come
        if tellable and item_id is not None and item_id not in view.items:
            warnings.append(orphan(variation_id, item_id))
        view.values[variation_id] = body
    return warnings
