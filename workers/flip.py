"""The end of a task that builds a generation: find what it leaves out, then let it take its place."""

from __future__ import annotations

from collections.abc import Iterator

from shared.catalogs import Catalog
from shared.effects import LIST_LENGTH, Effects
from shared.errors import TaskFailed
from shared.leases import Work
from shared.model import Batch, Kind
from shared.partitions import Partition
from shared.settings import Settings
from shared.steps import Commit, Step, failed
from workers import applier

#: Pages, of LIST_LENGTH entries that readers see, looked through in one go.
PAGES = 8


def plan_flip(head: Work, catalog: Catalog, partition: Partition, settings: Settings) -> list[Step]:
    """Note the next entries that are left out, page by page; behind the last page comes the flip.

    Nothing is deleted one by one: with the flip all of them are gone at once.  What readers see does not change as long
    as the task is at the head, so pages are counted by rank.
    """
    batch = head.batch
    assert batch is not None, "a task without a record can only fail"
    sizes = {kind: catalog.size(kind, batch.section_of(kind), head.generations(kind).live) for kind in batch.kinds}
    pages = list(_pages(sizes))
    here = pages[head.page : head.page + PAGES]
    if here:
        return [_note(head, batch, catalog, head.page + i, kind, offset) for i, (kind, offset) in enumerate(here)]
    deleted = partition.counted(head.task_id, "items_deleted")
    try:
        applier.guard(batch, deleted, sizes.get(Kind.ITEMS, 0), settings)
    except TaskFailed as problem:
        return [failed(head, str(problem))]
    return [Commit(head, batch.chunks, head.page, Effects(flips=True))]


def _pages(sizes: dict[Kind, int]) -> Iterator[tuple[Kind, int]]:
    for kind, size in sizes.items():
        for offset in range(0, size, LIST_LENGTH):
            yield kind, offset


def _note(head: Work, batch: Batch, catalog: Catalog, page: int, kind: Kind, offset: int) -> Commit:
    section, generations = batch.section_of(kind), head.generations(kind)
    gone = catalog.left_out(kind, section, generations, offset=offset, size=LIST_LENGTH)
    effects = Effects(
        left_out=(kind, gone),
        items_deleted=len(gone) if kind is Kind.ITEMS else 0,
        variations_deleted=len(gone) if kind is Kind.VARIATIONS else 0,
        item_groups_deleted=len(gone) if kind is Kind.ITEM_GROUPS else 0,
        chunk_ends=False,
    )
    return Commit(head, batch.chunks, page, effects)
