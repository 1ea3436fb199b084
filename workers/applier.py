"""Decide what a batch changes.  Pure: no I/O, no clock; what it needs to see is asked for with `wants`."""

from __future__ import annotations

from shared.effects import PUT_MARK, Effects, Puts, View, Wants
from shared.errors import TaskFailed
from shared.keys import link
from shared.merging import may_have_nulls, without_nulls
from shared.model import Batch, Chunk, Kind, Operation, Outcome
from shared.settings import Settings
from workers import groups, patching, syncing, whole_items
from workers.linked import parent_of
from workers.warnings import duplicates, joined, left_out, orphan, refusals


def wants(batch: Batch, chunk: Chunk) -> Wants:
    """Say what has to be read before this chunk can be applied."""
    if batch.operation.builds:
        return syncing.wants(batch, chunk)
    match batch.kind, batch.operation:
        case Kind.ITEMS | Kind.ITEM_GROUPS, Operation.PUT:
            return Wants()
        case Kind.ITEMS, Operation.DELETE:
            return Wants(items=chunk.ids, links=chunk.live_ids(), item_count=True)
        case Kind.VARIATIONS, Operation.PUT | Operation.PATCH:
            return Wants(values=chunk.ids, items=[parent for parent in chunk.parents or () if parent is not None])
        case Kind.ITEM_GROUPS, Operation.ADD | Operation.UPSERT | Operation.REPLACE:
            return groups.wants(batch, chunk)
        case Kind.ITEMS, Operation.CREATE | Operation.MODIFY | Operation.AMEND:
            return whole_items.wants(chunk)
        case _:
            return Wants(values=chunk.ids)


def apply(batch: Batch, chunk: Chunk, view: View) -> Effects:
    """Compute the effects of one chunk, and bring the view up to date with them.

    Raises Unseen as `patching.patch`; and TaskFailed if the data makes it impossible: the view is then of no use any
    more.
    """
    match batch.operation:
        case Operation.PUT:
            return _put(batch, chunk, view)
        case Operation.PATCH:
            return _written(batch, chunk, view, *patching.patch(batch, chunk, view))
        case Operation.DELETE:
            return _delete_items(batch, chunk, view) if batch.kind is Kind.ITEMS else _delete_others(batch, chunk, view)
        case Operation.ADD | Operation.UPSERT | Operation.REPLACE:
            return groups.apply(batch, chunk, view)
        case Operation.CREATE | Operation.MODIFY | Operation.AMEND:
            return whole_items.apply(batch, chunk, view)
        case Operation.SYNC | Operation.KEEP:
            return syncing.apply(batch, chunk, view)
        case Operation.EXPORT:
            raise AssertionError("an export has nothing to apply")


def deletions(batch: Batch, chunk: Chunk, view: View) -> int:
    """Count the items that a chunk deletes."""
    if batch.operation is not Operation.DELETE or batch.kind is not Kind.ITEMS:
        return 0
    return len(view.items.intersection(chunk.live_ids()))


def guard(batch: Batch, deleted: int, item_count: int, settings: Settings) -> None:
    """Raise TaskFailed if a task is about to delete more of a section's items than is likely meant."""
    many = item_count >= settings.safeguard_floor and deleted > settings.safeguard_ratio * item_count
    if many and not batch.force:
        raise TaskFailed(
            f"this would delete {deleted} of the {item_count} items in section {batch.section!r}, "
            f"more than {settings.safeguard_ratio:.0%}; send force=true if that is meant"
        )


def _put(batch: Batch, chunk: Chunk, view: View) -> Effects:
    outcomes = [PUT_MARK] * len(chunk)
    if not chunk.superseded and not chunk.skipped and not may_have_nulls(chunk.text):
        puts = Puts(chunk.ids, list(chunk.entries()))
    else:
        for i, outcome in left_out(chunk).items():
            outcomes[i] = outcome
        live = [i for i, outcome in enumerate(outcomes) if outcome == PUT_MARK]
        entries = list(chunk.entries())
        puts = Puts([chunk.ids[i] for i in live], [without_nulls(entries[i]) for i in live])
    return _written(batch, chunk, view, puts, outcomes)


def _written(
    batch: Batch, chunk: Chunk, view: View, puts: Puts, outcomes: list[str], patches: Puts | None = None
) -> Effects:
    """Finish the effects of a chunk that writes entries: links, warnings, counts."""
    links_added: list[str] = []
    links_removed: list[str] = []
    warnings = refusals(chunk) + duplicates(batch, chunk)
    if batch.kind is Kind.VARIATIONS:
        warnings += _relink(chunk, view, puts, links_added, links_removed)
    if batch.kind is Kind.VARIATIONS or batch.operation is Operation.PATCH:
        view.values.update(zip(puts.ids, puts.values, strict=True))
    for entry_id in puts.ids if view.patches else ():
        view.patches.pop(entry_id, None)
    applied = len(chunk) - outcomes.count(Outcome.IGNORED) - len(chunk.skipped)
    return Effects(
        puts=puts,
        patches=patches or Puts(),
        links_added=links_added,
        links_removed=links_removed,
        outcomes="".join(outcomes),
        warnings=joined(warnings),
        items_updated=applied if batch.kind is Kind.ITEMS else 0,
        variations_updated=applied if batch.kind is Kind.VARIATIONS else 0,
        item_groups_updated=applied if batch.kind is Kind.ITEM_GROUPS else 0,
    )


def _relink(chunk: Chunk, view: View, puts: Puts, added: list[str], removed: list[str]) -> list[str]:
    """Bring an item's list of variations up to date with what is written; warn of those whose item is not there."""
    warnings, orphanages = [], set[str | None]() if view.items_to_come else set(chunk.parents or ()) - view.items
    for variation_id, value in zip(puts.ids, puts.values, strict=True):
        before, item_id = parent_of(view.values.get(variation_id)), parent_of(value)
        if before is not None and before != item_id:
            removed.append(link(before, variation_id))
        if item_id is not None:
            if before != item_id:
                added.append(link(item_id, variation_id))
            if item_id in orphanages:
                warnings.append(orphan(variation_id, item_id))
    return warnings


def _delete_items(batch: Batch, chunk: Chunk, view: View) -> Effects:
    cascade = [(item_id, variation_id) for item_id in chunk.live_ids() for variation_id in view.links.pop(item_id, ())]
    variations = [variation_id for _, variation_id in cascade]
    links = [link(*pair) for pair in cascade]
    # Links are read in the order of the ids, up to a limit: if this chunk has any at all, they may be the cut ones.
    if cascade and not view.links_complete:
        return Effects(
            cascade=variations, links_removed=links, variations_deleted=len(variations), chunk_ends=False,
        )  # fmt: skip
    outcomes, deletes = _take_out(chunk, view.items)
    view.item_count -= len(deletes)
    return Effects(
        deletes=deletes, cascade=variations, links_removed=links, outcomes=outcomes,
        warnings=joined(refusals(chunk) + duplicates(batch, chunk)),
        items_deleted=len(deletes), variations_deleted=len(variations),
    )  # fmt: skip


def _delete_others(batch: Batch, chunk: Chunk, view: View) -> Effects:
    """Delete what nothing goes along with: variations, item groups."""
    there = set(view.values)
    outcomes, deletes = _take_out(chunk, there)
    parents = ((parent_of(view.values.pop(variation_id)), variation_id) for variation_id in deletes)
    return Effects(
        deletes=deletes,
        links_removed=[link(item_id, variation_id) for item_id, variation_id in parents if item_id is not None],
        outcomes=outcomes,
        warnings=joined(refusals(chunk) + duplicates(batch, chunk)),
        variations_deleted=len(deletes) if batch.kind is Kind.VARIATIONS else 0,
        item_groups_deleted=len(deletes) if batch.kind is Kind.ITEM_GROUPS else 0,
    )


def _take_out(chunk: Chunk, there: set[str]) -> tuple[str, list[str]]:
    """Remove a chunk's ids from a set; returns the outcomes and the ids that were in it."""
    outcomes, deletes, skipped = [], [], left_out(chunk)
    for i, entry_id in enumerate(chunk.ids):
        if i in skipped:
            outcomes.append(skipped[i])
        elif entry_id in there:
            there.remove(entry_id)
            deletes.append(entry_id)
            outcomes.append(Outcome.DELETED)
        else:
            outcomes.append(Outcome.IGNORED)
    return "".join(outcomes), deletes
