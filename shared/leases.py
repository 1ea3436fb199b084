"""What the owner of a partition holds and is handed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from shared.model import Batch, Kind


class Answer(StrEnum):
    """What a script told the owner about one step."""

    OK = "OK"
    #: This very step was done before; its answer was lost.
    ALREADY_DONE = "ALREADY_DONE"
    #: The lease ran out and the partition is somebody else's now: stop.
    FENCED = "FENCED"
    #: The task was canceled meanwhile: look at the head again.
    CANCELED = "CANCELED"
    #: The task is not, or no longer, at the head: look again.
    NOT_HEAD = "NOT_HEAD"
    #: The chunk was committed before, or is not yet due: look again.
    WRONG_CHUNK = "WRONG_CHUNK"
    #: What was read is older than the last commit: look again.
    STALE = "STALE"
    #: A task with effects cannot fail any more.
    APPLIED = "APPLIED"


#: The step has had its effect, now or before.
DONE_ANSWERS = frozenset({Answer.OK, Answer.ALREADY_DONE})


class Refusal(StrEnum):
    """Why a partition was not handed over."""

    #: Somebody drains it.
    OWNED = "OWNED"
    #: Nothing waits.
    EMPTY = "EMPTY"
    #: Its head was begun and stalls again and again: an operator has to look.
    STUCK = "STUCK"


class Generations(NamedTuple):
    """Which generations a task reads and writes, as far as one kind goes."""

    #: What readers see.
    live: int
    #: What the task writes to.
    written: int
    #: Where the items of its variations are.
    items: int


@dataclass(frozen=True, slots=True)
class Work:
    """One task of a window, with those of its chunks that come next."""

    task_id: int
    #: None if the task's record is gone.
    batch: Batch | None
    #: Of the batch's section, which readers see.
    generation: int
    #: The same, of the item groups.
    group_generation: int
    begun: bool
    #: Number of the first frame's chunk.
    chunk: int
    #: Pages of that chunk that are committed already.
    page: int
    frames: list[bytes]

    @property
    def untouched(self) -> bool:
        """Nothing of the task has been committed."""
        return self.chunk == 0 and self.page == 0

    @property
    def can_fail(self) -> bool:
        """Readers see nothing of the task."""
        return self.untouched or (self.batch is not None and self.batch.operation.builds)

    def generations(self, kind: Kind) -> Generations:
        """Name the generations that matter to the entries of a kind."""
        live = self.group_generation if kind is Kind.ITEM_GROUPS else self.generation
        built = self.batch.kinds if self.batch is not None and self.batch.operation.builds else ()
        return Generations(
            live=live,
            written=self.task_id if kind in built else live,
            items=self.task_id if Kind.ITEMS in built else self.generation,
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to drain a partition for a while, and the first work."""

    #: Fencing counter and the caller's nonce; every step of the owner names it.
    token: str
    #: Name of the last commit: the ``base`` of the next.
    applied: str
    #: How often in a row an owner was lost at this position.
    stalls: int
    window: list[Work]


@dataclass(frozen=True, slots=True)
class Progress:
    """How a round of steps went."""

    answer: Answer
    #: How many steps had their effect, from the first on.
    done: int = 0
    #: The partition was empty afterwards and has been given back.
    released: bool = False
    #: What comes next, if it was asked for.
    window: list[Work] | None = None
