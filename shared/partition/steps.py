"""The steps that a partition's owner takes: commit, failure, piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.catalog.effects import Effects
from shared.codec import Changed
from shared.model import Batch, Kind, Operation, Outcome
from shared.partition.work import Work


@dataclass(frozen=True, slots=True)
class Commit:
    """Write the effects of a chunk."""

    work: Work
    chunk: int
    page: int
    effects: Effects
    #: For catalogue files: the ids of the chunk's entries, for their history.
    touched: Sequence[str] = ()
    #: Index of the chunk's first entry in the batch.
    first: int = 0
    #: With the first commit of a guarded task: what it would change, as JSON.
    planned: bytes = b""

    @property
    def batch(self) -> Batch:
        """The batch of one kind that the chunk belongs to."""
        assert self.work.batch is not None, "a task without a record can only fail"
        return self.work.batch.at(self.chunk)

    @property
    def name(self) -> str:
        """The name of this commit, unique in its catalog."""
        return f"{self.work.task_id}:{self.chunk}:{self.page}"

    @property
    def also_changed(self) -> Changed:
        """Entries that the commit changes although the batch does not name them."""
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
        """The ids of the entries in `also_changed`."""
        return [entry_id for changed in self.also_changed.values() for ids in changed.values() for entry_id in ids]


@dataclass(frozen=True, slots=True)
class Failure:
    """End a task as FAILED."""

    work: Work
    message: str
    #: The stored report on single entries; may be empty.
    report: bytes = b""
    #: What the task would change, as JSON, if a guard stopped it.
    planned: bytes = b""


@dataclass(frozen=True, slots=True)
class Piece:
    """Count a file as the next piece of an export; the last piece ends the task."""

    work: Work
    #: Number of pieces before it.
    number: int
    #: Name of the file.
    name: str
    entries: int
    bytes: int
    #: Where the next piece begins; '' for the last one.
    cursor: str
    #: For the last piece: SHA-256 of all pieces as one file, hex.
    sha256: str = ""


Step = Commit | Failure | Piece


#: Prefix of every task's error, fixed by the contract.
ERROR_PREFIX = "IngestionError: "


def failed(work: Work, reason: str, report: bytes = b"", planned: bytes = b"") -> Failure:
    """Build the step that ends a task with an error."""
    return Failure(work, ERROR_PREFIX + reason, report, planned)


def last_commit(steps: Sequence[Step], applied: str) -> str:
    """Return the name of the last commit after these steps; ``applied`` is the last one before them."""
    return next((step.name for step in reversed(steps) if isinstance(step, Commit)), applied)
