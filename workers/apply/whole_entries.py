"""Decide what becomes of entries that are sent whole.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress, repeat
from operator import is_

from shared.catalog.effects import Puts, View
from shared.catalog.equality import same_each
from shared.codec import STAMP_DIGITS
from shared.model import Outcome

#: What an entry becomes, by whether it is the same as the stored one.
OUTCOMES = {False: Outcome.UPDATED, True: Outcome.UNCHANGED, None: Outcome.CREATED}
#: In place of the update time of an entry that is still to be written.
_TO_COME = b"0" * STAMP_DIGITS


def decide(ids: Sequence[str], entries: Sequence[bytes], view: View) -> tuple[Puts, list[str]]:
    """Return what to write of entries, each with an id of its own, and their outcomes.

    An entry that is equal to the stored one is not written.
    """
    same = compare(entries, _stored(ids, view), lead=STAMP_DIGITS)
    if same.count(False) == len(same):
        return Puts(list(ids), list(entries)), [Outcome.UPDATED] * len(same)
    outcomes: list[str] = list(map(OUTCOMES.__getitem__, same))
    new = list(compress(ids, map(is_, same, repeat(None))))
    if True not in same:
        return Puts(list(ids), list(entries), new), outcomes
    written = [not each for each in same]
    return Puts(list(compress(ids, written)), list(compress(entries, written)), new), outcomes


def compare(entries: Sequence[bytes], stored: Sequence[bytes | None], *, lead: int = 0) -> list[bool | None]:
    """Return for each entry whether it is equal to the stored one; None if there is none.

    ``lead``: how many bytes of each stored one come before the entry.
    """
    if None not in stored:
        return list(same_each(stored, entries, lead=lead))  # type: ignore[arg-type]
    known = [value is not None for value in stored]
    same = iter(same_each([value for value in stored if value is not None], list(compress(entries, known)), lead=lead))
    return [next(same) if so else None for so in known]


def _stored(ids: Sequence[str], view: View) -> list[bytes | None]:
    """Look up entries with their update times, as they are after what was planned since they were read."""
    read, planned = view.seen_values, view.values
    if planned.keys().isdisjoint(ids):
        return list(map(read.get, ids))
    return [read.get(id_) if (value := planned.get(id_)) is None else _TO_COME + value for id_ in ids]
