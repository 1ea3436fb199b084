"""The replies to a claim: a grant, or the reason for none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.partition.lease import Lease
from shared.partition.work import Work


class AcquireRefusal(StrEnum):
    """Why a partition was not granted."""

    #: Another worker drains it.
    OWNED = "OWNED"
    #: Nothing waits.
    EMPTY = "EMPTY"
    #: Its head was begun and stalls again and again: it needs an operator.
    STUCK = "STUCK"


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to drain a partition for a limited time, with the first work."""

    lease: Lease
    #: Name of the last commit: the ``base`` of the next.
    applied: str
    #: How often in a row an owner was lost at this position.
    stalls: int
    window: list[Work]
