"""Compute the writes of a task that builds a new generation beside the one that readers see.  Pure.

What the files leave out is not written, and so it is gone once the generation takes its place.  What they have
unchanged is taken over with its update time.
"""

from __future__ import annotations

from itertools import compress

from shared.catalog.effects import Effects, Puts, View, Wants
from shared.catalog.merging import may_have_nulls, without_nulls
from shared.codec import STAMP_DIGITS
from shared.keys import link
from shared.model import Batch, Chunk, Kind, Operation, Outcome
from workers.apply.variation_links import parent_of
from workers.apply.warnings import duplicates, joined, left_out, not_there, orphan, refusals
from workers.apply.whole_entries import OUTCOMES, compare


def wants(batch: Batch, chunk: Chunk) -> Wants:
    """Return the data to read before this chunk can be applied."""
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
    outcomes, puts, kept = (_keep if batch.operation is Operation.KEEP else _sent)(batch, chunk, view)
    written = [*puts.ids, *kept.ids]
    before = set(view.values) if batch.kind is Kind.VARIATIONS else view.present
    again = [entry_id for entry_id in written if entry_id in before]
    for some in (puts, kept):
        some.new.extend(entry_id for entry_id in some.ids if entry_id not in before)
    warnings = refusals(chunk) + duplicates(batch, chunk, again)
    added: list[str] = []
    removed: list[str] = []
    touched: list[str] = []
    if batch.kind is Kind.VARIATIONS:
        bodies = dict(zip(written, [*puts.values, *(value[STAMP_DIGITS:] for value in kept.values)], strict=True))
        touched = _touched(view, puts)
        warnings += _relink(batch, view, bodies, added, removed)
    if batch.operation is Operation.KEEP:
        warnings += not_there(batch, [entry_id for entry_id in chunk.ids if entry_id not in view.seen_values])
    view.present.update(written)
    # What is kept is not changed.
    counted = 0 if batch.operation is Operation.KEEP else len(written) - len(again)
    return Effects(
        puts=puts,
        kept=kept,
        links_added=added,
        links_removed=removed,
        items_touched=touched,
        outcomes="".join(outcomes),
        warnings=joined(warnings),
        items_updated=counted if batch.kind is Kind.ITEMS else 0,
        variations_updated=counted if batch.kind is Kind.VARIATIONS else 0,
        item_groups_updated=counted if batch.kind is Kind.ITEM_GROUPS else 0,
    )


def _keep(_: Batch, chunk: Chunk, view: View) -> tuple[list[str], Puts, Puts]:
    """Take over what is named."""
    aside = left_out(chunk)
    ids = [id_ for i, id_ in enumerate(chunk.ids) if i not in aside and id_ in view.seen_values]
    outcomes = [
        aside.get(i, Outcome.UNCHANGED if id_ in view.seen_values else Outcome.IGNORED)
        for i, id_ in enumerate(chunk.ids)
    ]
    return list(outcomes), Puts(), Puts(ids, [view.seen_values[id_] for id_ in ids])


def _sent(batch: Batch, chunk: Chunk, view: View) -> tuple[list[str], Puts, Puts]:
    """Take over what is sent unchanged, and write the rest."""
    ids, entries, aside = chunk.ids, chunk.entries(), left_out(chunk)
    if aside:
        live = [i not in aside for i in range(len(chunk))]
        ids, entries = list(compress(ids, live)), list(compress(entries, live))
    if may_have_nulls(chunk.text):
        entries = list(map(without_nulls, entries))
    equal = compare(entries, list(map(view.seen_values.get, ids)), lead=STAMP_DIGITS)
    if variations_came_before(batch):
        equal = [None if same is None else False for same in equal]
    outcomes: list[str] = list(map(OUTCOMES.__getitem__, equal))
    written = [not same for same in equal]
    puts = Puts(list(compress(ids, written)), list(compress(entries, written)))
    kept_ids = list(compress(ids, equal))
    kept = Puts(kept_ids, list(map(view.seen_values.__getitem__, kept_ids)))
    for i in sorted(aside):
        outcomes.insert(i, aside[i])
    return outcomes, puts, kept


def variations_came_before(batch: Batch) -> bool:
    """Return whether this is about items whose variations were sent first, and may have changed.

    An item would have to be touched for its variations before it is written; so it counts as updated.
    """
    kinds = batch.kinds
    return batch.kind is Kind.ITEMS and Kind.VARIATIONS in kinds[: kinds.index(Kind.ITEMS)]


def _touched(view: View, puts: Puts) -> list[str]:
    """List the items some of whose variations change, which may be unchanged themselves."""
    touched: dict[str | None, None] = {}
    for variation_id, value in zip(puts.ids, puts.values, strict=True):
        seen = view.seen_values.get(variation_id)
        touched[parent_of(value)] = touched[parent_of(seen and seen[STAMP_DIGITS:])] = None
    return [item_id for item_id in touched if item_id is not None]


def _relink(batch: Batch, view: View, written: dict[str, bytes], added: list[str], removed: list[str]) -> list[str]:
    """Link what is written to its items; warn of those whose item is not there, as far as that can be told."""
    warnings = []
    for variation_id, value in written.items():
        before, item_id = parent_of(view.values.get(variation_id)), parent_of(value)
        if before is not None and before != item_id:
            removed.append(link(before, variation_id))
        if item_id is not None and before != item_id:
            added.append(link(item_id, variation_id))
        tellable = batch.operation is Operation.SYNC and not view.items_to_come
        if tellable and item_id is not None and item_id not in view.items:
            warnings.append(orphan(variation_id, item_id))
        view.values[variation_id] = value
    return warnings
