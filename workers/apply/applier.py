"""Compute the changes of a batch.  Pure: no I/O, no clock; `wants` names the data it needs."""

from __future__ import annotations

from itertools import compress

from shared.catalog.effects import Effects, Puts, View, Wants
from shared.catalog.merging import may_have_nulls, without_nulls
from shared.errors import TaskFailed
from shared.guards.rules import DeletionLimit
from shared.keys import link
from shared.model import Batch, Chunk, Kind, Operation, Outcome
from workers.apply import patches, sync, v1_groups, v1_items
from workers.apply.variation_links import parent_of
from workers.apply.warnings import duplicates, joined, left_out, orphan, refusals
from workers.apply.whole_entries import decide

#: Outcomes after which an entry exists.
_THERE = frozenset({Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED})


def wants(batch: Batch, chunk: Chunk) -> Wants:
    """Return the data to read before this chunk can be applied."""
    if batch.operation.builds:
        return sync.wants(batch, chunk)
    match batch.kind, batch.operation:
        case Kind.ITEMS | Kind.ITEM_GROUPS, Operation.PUT:
            return Wants(seen_values=chunk.ids)
        case Kind.ITEMS, Operation.DELETE:
            return Wants(items=chunk.ids, links=chunk.live_ids(), size=True)
        case _, Operation.DELETE:
            return Wants(values=chunk.ids, size=True)
        case Kind.VARIATIONS, Operation.PUT | Operation.PATCH:
            return Wants(values=chunk.ids, items=[parent for parent in chunk.parents or () if parent is not None])
        case Kind.ITEM_GROUPS, Operation.ADD | Operation.UPSERT | Operation.REPLACE:
            return v1_groups.wants(batch, chunk)
        case Kind.ITEMS, Operation.CREATE | Operation.MODIFY | Operation.AMEND:
            return v1_items.wants(chunk)
        case _:
            return Wants(values=chunk.ids)


def apply(batch: Batch, chunk: Chunk, view: View) -> Effects:
    """Compute the effects of one chunk, and update the view with them.

    Raises Unseen as `patches.patch`, and TaskFailed if the data cannot be applied: the view is then useless.
    """
    match batch.operation:
        case Operation.PUT:
            return _put(batch, chunk, view)
        case Operation.PATCH:
            return _written(batch, chunk, view, *patches.patch(batch, chunk, view))
        case Operation.DELETE:
            return _delete_items(batch, chunk, view) if batch.kind is Kind.ITEMS else _delete_others(batch, chunk, view)
        case Operation.ADD | Operation.UPSERT | Operation.REPLACE:
            return v1_groups.apply(batch, chunk, view)
        case Operation.CREATE | Operation.MODIFY | Operation.AMEND:
            return v1_items.apply(batch, chunk, view)
        case Operation.SYNC | Operation.KEEP:
            return sync.apply(batch, chunk, view)
        case Operation.EXPORT:
            raise AssertionError("an export has nothing to apply")


def deletions(batch: Batch, chunk: Chunk, view: View) -> int:
    """Count the entries that a chunk of a DELETE deletes, without the variations that go with their items."""
    if batch.operation is not Operation.DELETE:
        return 0
    there = view.items if batch.kind is Kind.ITEMS else view.values.keys()
    return len(there & set(chunk.live_ids()))


def guard(batch: Batch, kind: Kind, deleted: int, size: int, limit: DeletionLimit) -> None:
    """Raise TaskFailed if a task would delete a larger share of a kind than the safeguard allows."""
    many = size >= limit.floor and deleted > limit.ratio * size
    if many and not batch.force:
        where = "" if kind is Kind.ITEM_GROUPS else f" in section {batch.section!r}"
        raise TaskFailed(
            f"this would delete {deleted} of the {size} {kind.many}{where}, "
            f"more than {limit.ratio:.0%}; send force=true if this is intended"
        )


def _put(batch: Batch, chunk: Chunk, view: View) -> Effects:
    ids, entries, aside = chunk.ids, chunk.entries(), left_out(chunk)
    if aside:
        live = [i not in aside for i in range(len(chunk))]
        ids, entries = list(compress(ids, live)), list(compress(entries, live))
    if may_have_nulls(chunk.text):
        entries = list(map(without_nulls, entries))
    puts, outcomes = decide(ids, entries, view)
    for i in sorted(aside):
        outcomes.insert(i, aside[i])
    return _written(batch, chunk, view, puts, outcomes)


def _written(
    batch: Batch, chunk: Chunk, view: View, puts: Puts, outcomes: list[str], patches: Puts | None = None
) -> Effects:
    """Finish the effects of a chunk that writes entries: links, warnings, counts."""
    links_added: list[str] = []
    links_removed: list[str] = []
    touched: set[str | None] = set()
    warnings = refusals(chunk) + duplicates(batch, chunk)
    if batch.kind is Kind.VARIATIONS:
        for values in (puts.values, [view.values.get(entry_id) for entry_id in puts.ids]):
            touched.update(map(parent_of, values))
        _relink(view, puts, links_added, links_removed)
    if view.more_follows or batch.kind is Kind.VARIATIONS:
        view.values.update(zip(puts.ids, puts.values, strict=True))
    if batch.kind is Kind.VARIATIONS:
        warnings += _orphans(chunk, view, outcomes)
    for entry_id in puts.ids if view.patches else ():
        view.patches.pop(entry_id, None)
    applied = len(chunk) - outcomes.count(Outcome.IGNORED) - len(chunk.skipped)
    return Effects(
        puts=puts,
        patches=patches or Puts(),
        links_added=links_added,
        links_removed=links_removed,
        items_touched=[item_id for item_id in touched if item_id is not None],
        outcomes="".join(outcomes),
        warnings=joined(warnings),
        items_updated=applied if batch.kind is Kind.ITEMS else 0,
        variations_updated=applied if batch.kind is Kind.VARIATIONS else 0,
        item_groups_updated=applied if batch.kind is Kind.ITEM_GROUPS else 0,
    )


def _relink(view: View, puts: Puts, added: list[str], removed: list[str]) -> None:
    """List the links that change with variations that are to be written."""
    for variation_id, value in zip(puts.ids, puts.values, strict=True):
        before, item_id = parent_of(view.values.get(variation_id)), parent_of(value)
        if before == item_id:
            continue
        if before is not None:
            removed.append(link(before, variation_id))
        if item_id is not None:
            added.append(link(item_id, variation_id))


def _orphans(chunk: Chunk, view: View, outcomes: list[str]) -> list[str]:
    """Warn of variations whose item does not exist, changed or not."""
    orphanages = set[str | None]() if view.items_to_come else set(chunk.parents or ()) - view.items
    if orphanages <= {None}:
        return []
    there = [id_ for id_, outcome in zip(chunk.ids, outcomes, strict=True) if outcome in _THERE]
    linked = ((id_, parent_of(view.values[id_])) for id_ in there)
    return [orphan(id_, item_id) for id_, item_id in linked if item_id is not None and item_id in orphanages]


def _delete_items(batch: Batch, chunk: Chunk, view: View) -> Effects:
    cascade = [(item_id, variation_id) for item_id in chunk.live_ids() for variation_id in view.links.pop(item_id, ())]
    variations = [variation_id for _, variation_id in cascade]
    links = [link(*pair) for pair in cascade]
    # Links are read in the order of ids up to a limit: those of this chunk may have been cut.
    if cascade and not view.links_complete:
        return Effects(
            cascade=variations, links_removed=links, variations_deleted=len(variations), chunk_ends=False,
        )  # fmt: skip
    outcomes, deletes = _take_out(chunk, view.items)
    view.size -= len(deletes)
    return Effects(
        deletes=deletes, cascade=variations, links_removed=links, outcomes=outcomes,
        warnings=joined(refusals(chunk) + duplicates(batch, chunk)),
        items_deleted=len(deletes), variations_deleted=len(variations),
    )  # fmt: skip


def _delete_others(batch: Batch, chunk: Chunk, view: View) -> Effects:
    """Delete variations or item groups, with which nothing else is deleted."""
    there = set(view.values)
    outcomes, deletes = _take_out(chunk, there)
    view.size -= len(deletes)
    parents = [(parent_of(view.values.pop(variation_id)), variation_id) for variation_id in deletes]
    return Effects(
        deletes=deletes,
        links_removed=[link(item_id, variation_id) for item_id, variation_id in parents if item_id is not None],
        items_touched=list(dict.fromkeys(item_id for item_id, _ in parents if item_id is not None)),
        outcomes=outcomes,
        warnings=joined(refusals(chunk) + duplicates(batch, chunk)),
        variations_deleted=len(deletes) if batch.kind is Kind.VARIATIONS else 0,
        item_groups_deleted=len(deletes) if batch.kind is Kind.ITEM_GROUPS else 0,
    )


def _take_out(chunk: Chunk, there: set[str]) -> tuple[str, list[str]]:
    """Remove a chunk's ids from a set; returns the outcomes and the ids that it had."""
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
