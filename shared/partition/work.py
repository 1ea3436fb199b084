"""The work at the head of a partition: tasks with their next chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.catalog.generations import Generations
from shared.codec import decode_batch
from shared.errors import RecordTooNew
from shared.model import Batch, Kind


@dataclass(frozen=True, slots=True)
class Work:
    """One task of a window, with its next chunks."""

    task_id: int
    #: None if the task's record is lost.
    batch: Batch | None
    #: The generation of the batch's section that readers see.
    generation: int
    #: The generation of the item groups that readers see.
    group_generation: int
    begun: bool
    #: Number of the first frame's chunk.
    chunk: int
    #: Pages of that chunk that are committed already.
    page: int
    frames: list[bytes]
    #: Name of the present state of the catalog's guards; empty if there are none.
    guards: str = ""

    @property
    def untouched(self) -> bool:
        """Whether nothing of the task has been committed."""
        return self.chunk == 0 and self.page == 0

    @property
    def can_fail(self) -> bool:
        """Whether readers see nothing of the task yet, so that it may still fail."""
        return self.untouched or (self.batch is not None and self.batch.operation.builds)

    def generations(self, kind: Kind) -> Generations:
        """Return the generations that entries of a kind refer to."""
        live = self.group_generation if kind is Kind.ITEM_GROUPS else self.generation
        built = self.batch.kinds if self.batch is not None and self.batch.operation.builds else ()
        return Generations(
            live=live,
            written=self.task_id if kind in built else live,
            items=self.task_id if Kind.ITEMS in built else self.generation,
        )


def takes_items_along(batch: Batch | None) -> bool:
    """Return whether it builds variations alone, so that the items that readers see are taken over with the flip.

    Their update times move with it, too.
    """
    return (
        batch is not None
        and batch.operation.builds
        and Kind.VARIATIONS in batch.kinds
        and Kind.ITEMS not in batch.kinds
    )


def read_window(rows: Sequence[Any]) -> list[Work]:
    """Parse the next work, up to the first record that is too new."""
    window = []
    for task_id, record, generation, group_generation, begun, chunk, page, frames, guards in rows:
        try:
            batch = decode_batch(record) if record else None
        except RecordTooNew:
            break
        window.append(
            Work(
                task_id=int(task_id),
                batch=batch,
                generation=int(generation),
                group_generation=int(group_generation),
                begun=bool(begun),
                chunk=int(chunk),
                page=int(page),
                frames=frames,
                guards=guards.decode(),
            )
        )
    return window
