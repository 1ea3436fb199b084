"""Compare numbers before and after: by what factor each was multiplied or divided."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import truediv
from typing import Any

from shared.guards.field_reader import is_empty

#: In place of a factor: a number that is no longer one, though there is a value.
LOST = math.inf


def factors(before: Sequence[float | None], after: Sequence[float | None], values: Sequence[Any]) -> list[float | None]:
    """Return by what factor each number changed, less than 1 if it was divided; None where there was none, or is none.

    Infinite: from or to zero, or over it; or a value that is no number, one of ``values``, has taken its place.
    """
    try:
        quotients = list(map(truediv, after, before))
        if min(quotients) > 0:
            return quotients
    except (TypeError, ZeroDivisionError):
        pass
    return [
        _factor(number, other, replaced=not is_empty(value))
        for number, other, value in zip(before, after, values, strict=True)
    ]


def _factor(before: float | None, after: float | None, *, replaced: bool) -> float | None:
    if before is None:
        return None
    if after is None:
        return LOST if replaced else None
    if before == after:
        return 1.0
    if not before or not after or (before < 0) != (after < 0):
        return math.inf
    return after / before or math.inf


def size_of(factor: float) -> float:
    """Return a factor as a multiple, also of a number that was divided."""
    return factor if factor >= 1 else 1 / factor
