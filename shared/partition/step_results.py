"""Parse the results of an owner's steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.partition.work import Work, read_window


class StepResult(StrEnum):
    """The result of one step."""

    OK = "OK"
    #: This very step was taken before; its reply was lost.
    ALREADY_DONE = "ALREADY_DONE"
    #: The lease expired and another worker owns the partition: stop.
    FENCED = "FENCED"
    #: The task was canceled meanwhile: read the head again.
    CANCELED = "CANCELED"
    #: The task is not, or no longer, at the head: read it again.
    NOT_HEAD = "NOT_HEAD"
    #: The chunk was committed before, or is not due yet: read the head again.
    WRONG_CHUNK = "WRONG_CHUNK"
    #: The data read is older than the last commit: read it again.
    STALE = "STALE"
    #: The task has effects already, so it cannot fail any more.
    APPLIED = "APPLIED"


#: The step took effect, now or before.
DONE_ANSWERS = frozenset({StepResult.OK, StepResult.ALREADY_DONE})


@dataclass(frozen=True, slots=True)
class StepsTaken:
    """The result of a round of steps."""

    answer: StepResult
    #: How many steps took effect, counted from the first.
    done: int = 0
    #: The partition was empty afterwards and was given back.
    released: bool = False
    #: The next work, if it was requested.
    window: list[Work] | None = None
    #: Seconds from sending the last step until all replies had arrived.
    store_s: float = 0.0


def read_taken(replies: Sequence[Any], store_s: float) -> StepsTaken:
    """Parse the replies to the steps of one round."""
    code, *rest = replies[-1]
    if not rest:
        return _stopped(replies, store_s)
    # If the next record is too new, this owner has nothing more to do.
    window = (read_window(rest[1]) or None) if len(rest) > 1 else None
    return StepsTaken(StepResult(code.decode()), len(replies), rest[0] == b"RELEASED", window, store_s)


def _stopped(replies: Sequence[Any], store_s: float) -> StepsTaken:
    """Build the result of a round that stopped at the first step without effect, on which all later ones depend."""
    answers = [StepResult(reply[0].decode()) for reply in replies]
    done = next(number for number, answer in enumerate(answers) if answer not in DONE_ANSWERS)
    return StepsTaken(answers[done], done, store_s=store_s)
