"""Suggest the name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a "did you mean" hint if a known name is close; otherwise ''."""
    folded = {one.casefold(): str(one) for one in known}
    found = get_close_matches(name.strip().casefold().replace(" ", "_"), folded, n=1, cutoff=0.7)
    return f"; did you mean {folded[found[0]]!r}?" if found else ""
