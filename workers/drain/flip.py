"""End a task that builds a generation: note the entries it leaves out, then switch readers to it (the flip)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from shared.catalog.effects import LIST_LENGTH, Effects, Puts
from shared.catalog.reader import Catalog
from shared.catalog.successor import Successor
from shared.codec import STAMP_DIGITS
from shared.errors import TaskFailed
from shared.guards.rules import DeletionLimit
from shared.keys import link
from shared.model import Batch, Kind
from shared.partition.lease import Lease
from shared.partition.steps import Commit, Step, failed
from shared.partition.work import Work, takes_items_along
from workers.apply import applier
from workers.apply.variation_links import parent_of

#: Pages, each of LIST_LENGTH entries that readers see, processed in one round.
PAGES = 8


def plan_flip(head: Work, catalog: Catalog, lease: Lease, limit_of: Callable[[Kind], DeletionLimit]) -> list[Step]:
    """Plan the next pages of left-out entries, and after the last page the flip.

    Entries are not deleted one by one: the flip removes all of them at once.  The entries that readers see do not
    change while the task is at the head, so pages are counted by rank.
    """
    batch = head.batch
    assert batch is not None, "a task without a record can only fail"
    sizes = {kind: catalog.size(kind, batch.section_of(kind), head.generations(kind).live) for kind in batch.kinds}
    pages = [*_pages(sizes), *_pages(_carried(head, batch, catalog))]
    here = pages[head.page : head.page + PAGES]
    if here:
        return [_page(head, batch, catalog, head.page + i, kind, offset) for i, (kind, offset) in enumerate(here)]
    try:
        for kind, size in sizes.items():
            applier.guard(batch, kind, lease.counted(head.task_id, f"{kind}_deleted"), size, limit_of(kind))
    except TaskFailed as problem:
        return [failed(head, str(problem))]
    return [Commit(head, batch.chunks, head.page, Effects(flips=True))]


def _pages(sizes: dict[Kind, int]) -> Iterator[tuple[Kind, int]]:
    for kind, size in sizes.items():
        for offset in range(0, size, LIST_LENGTH):
            yield kind, offset


def _carried(head: Work, batch: Batch, catalog: Catalog) -> dict[Kind, int]:
    """Count the items of which what was PATCHed is carried along, as they are taken over; readers do not see it yet."""
    items = catalog.successor(Kind.ITEMS, batch.section, head.generations(Kind.ITEMS))
    if not takes_items_along(batch) or not items.is_patched():
        return {}
    return {Kind.ITEMS: catalog.size(Kind.ITEMS, batch.section, head.generations(Kind.ITEMS).live)}


def _page(head: Work, batch: Batch, catalog: Catalog, page: int, kind: Kind, offset: int) -> Commit:
    """Plan one page: note the entries that are left out; variations of kept items are taken over first.

    Of a kind that is taken over whole, only what was PATCHed is carried along.
    """
    successor = catalog.successor(kind, batch.section_of(kind), head.generations(kind))
    ids = successor.page(offset, LIST_LENGTH)
    if kind not in batch.kinds:
        return Commit(head, batch.chunks, page, Effects(items_carried=ids, chunk_ends=False))
    taken, links = Puts(), list[str]()
    if kind is Kind.VARIATIONS and batch.takes_variations_along:
        taken, links = _of_kept_items(successor, ids)
    kept = set(taken.ids)
    gone = successor.left_out([id_ for id_ in ids if id_ not in kept])
    effects = Effects(
        kept=taken,
        links_added=links,
        left_out=(kind, gone),
        items_touched=_items_of(successor, gone) if kind is Kind.VARIATIONS else [],
        items_deleted=len(gone) if kind is Kind.ITEMS else 0,
        variations_deleted=len(gone) if kind is Kind.VARIATIONS else 0,
        item_groups_deleted=len(gone) if kind is Kind.ITEM_GROUPS else 0,
        chunk_ends=False,
    )
    return Commit(head, batch.chunks, page, effects)


def _items_of(successor: Successor, variation_ids: Sequence[str]) -> list[str]:
    """List the items that variations belong to, as readers see them."""
    items = (parent_of(value[STAMP_DIGITS:]) for value in successor.old_values(variation_ids))
    return list(dict.fromkeys(item_id for item_id in items if item_id is not None))


def _of_kept_items(successor: Successor, ids: Sequence[str]) -> tuple[Puts, list[str]]:
    """Select the variations whose item is in the new generation, and their links."""
    values = successor.old_values(ids)
    items = [parent_of(value[STAMP_DIGITS:]) for value in values]
    kept = successor.items([item for item in items if item is not None])
    rows = [row for row in zip(ids, values, items, strict=True) if row[2] in kept]
    kept_ids = [id_ for id_, _, _ in rows]
    taken = Puts(kept_ids, [value for _, value, _ in rows], new=kept_ids)
    return taken, [link(item, id_) for id_, _, item in rows if item is not None]
