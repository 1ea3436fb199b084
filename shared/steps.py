"""What the owner of a partition does with its tasks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.codec import Changed
from shared.effects import Effects
from shared.leases import Work
from shared.model import Batch, Kind, Operation, Outcome
from shared.unfolding import Unfolding


@dataclass(frozen=True, slots=True)
class Commit:
    """A step: write effects of a chunk."""

    work: Work
    chunk: int
    page: int
    effects: Effects
    #: Ids of the entries of the chunk, for the history; of catalogue files.
    touched: Sequence[str] = ()
    #: Index of the first of them in the batch.
    first: int = 0

    @property
    def batch(self) -> Batch:
        """What the chunk belongs to, as a batch of one kind."""
        assert self.work.batch is not None, "a task without a record can only fail"
        return self.work.batch.at(self.chunk)

    @property
    def name(self) -> str:
        """The place of this commit in its catalog's history."""
        return f"{self.work.task_id}:{self.chunk}:{self.page}"

    @property
    def also_changed(self) -> Changed:
        """What is changed although it is no entry of the batch."""
        effects, batch = self.effects, self.batch
        if not (effects.cascade or effects.variations or effects.deletes or effects.left_out):
            return {}
        created = set(effects.variations_created)
        variations = {
            Outcome.DELETED: effects.cascade,
            Outcome.CREATED: effects.variations_created,
            Outcome.UPDATED: [one for one in effects.variations if one not in created],
        }
        found: Changed = {Kind.VARIATIONS: {outcome: ids for outcome, ids in variations.items() if ids}}
        if batch.operation is Operation.REPLACE and effects.deletes:
            found[batch.kind] = {Outcome.DELETED: effects.deletes}
        if effects.left_out is not None:
            kind, ids = effects.left_out
            found[kind] = {Outcome.DELETED: ids} if ids else {}
        return {kind: changed for kind, changed in found.items() if changed}

    @property
    def also_touched(self) -> list[str]:
        """The ids of all these."""
        return [entry_id for changed in self.also_changed.values() for ids in changed.values() for entry_id in ids]


@dataclass(frozen=True, slots=True)
class Failure:
    """A step: end a task as FAILED."""

    work: Work
    message: str
    #: What is known of the single entries, as it is stored; may be empty.
    report: bytes = b""


@dataclass(frozen=True, slots=True)
class Piece:
    """A step: count a file as the next piece of an export; the last one ends its task."""

    work: Work
    #: Pieces before it.
    number: int
    #: Name of the file.
    name: str
    entries: int
    bytes: int
    #: Where the next piece begins; '' if it is the last.
    cursor: str


Step = Commit | Failure | Piece


class Plan(Unfolding[Step]):
    """Steps that follow each other, each worked out when it is come to: while that goes on, the one before is taken."""

    def __init__(self, steps: Iterable[Step], most: int | None) -> None:
        """Prepare; there are ``most`` steps, unless the last one is a Failure, or a page before the last of a chunk.

        None if that is not known: then the next step is worked out before one can be taken.
        """
        super().__init__(steps)
        self.most = most


def ends_round(steps: Sequence[Step], number: int, step: Step) -> bool:
    """Tell whether a step, the first being number 1, is the last one of these, without working out more than needed."""
    if not isinstance(steps, Plan):
        return number == len(steps)
    if steps.most is None:
        return not steps.has(number)
    return number == steps.most or not isinstance(step, Commit) or not step.effects.chunk_ends


#: Said in a task's error by whoever ends it; the contract's word for anything that goes wrong in ingestion.
ERROR_PREFIX = "IngestionError: "


def failed(work: Work, reason: str, report: bytes = b"") -> Failure:
    """End a task for a reason."""
    return Failure(work, ERROR_PREFIX + reason, report)


def last_commit(steps: Sequence[Step], applied: str) -> str:
    """Name the last commit there is after these steps, ``applied`` being the one before them."""
    return next((step.name for step in reversed(steps) if isinstance(step, Commit)), applied)
