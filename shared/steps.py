"""What the owner of a partition does with its tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.effects import Effects
from shared.leases import Work
from shared.model import Kind, Operation


@dataclass(frozen=True, slots=True)
class Commit:
    """A step: write effects of a chunk."""

    work: Work
    chunk: int
    page: int
    effects: Effects

    @property
    def name(self) -> str:
        """The place of this commit in its catalog's history."""
        return f"{self.work.task_id}:{self.chunk}:{self.page}"

    @property
    def also_deleted(self) -> dict[Kind, list[str]]:
        """What is deleted although the batch does not name it."""
        found, batch = {}, self.work.batch
        if self.effects.cascade:
            found[Kind.VARIATIONS] = self.effects.cascade
        if batch is not None and batch.operation is Operation.REPLACE and self.effects.deletes:
            found[batch.kind] = self.effects.deletes
        return found


@dataclass(frozen=True, slots=True)
class Failure:
    """A step: end a task as FAILED."""

    work: Work
    message: str
    #: What is known of the single entries, as it is stored; may be empty.
    report: bytes = b""


Step = Commit | Failure


def last_commit(steps: Sequence[Step], applied: str) -> str:
    """Name the last commit there is after these steps, ``applied`` being the one before them."""
    return next((step.name for step in reversed(steps) if isinstance(step, Commit)), applied)
