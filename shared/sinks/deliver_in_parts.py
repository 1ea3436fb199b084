"""Deliver a change in as many parts as the destination needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

from shared.model import Kind
from shared.sinks.destination import Copy, CopyChange, DeadLetter, Destination, TooMuchAtOnce
from shared.sinks.mapping import Document

#: An entry of a change: without a document it is gone.
_Entry = tuple[Kind, str, Document | None]


def deliver_in_parts(destination: Destination, change: CopyChange, hold: Callable[[], None]) -> list[DeadLetter]:
    """Deliver a change, in halves where it is too much at once; ``hold`` is called before each part.

    Only the last part moves the position: until then all are delivered again if one fails.  Raises what ``hold`` and
    `Destination` raise.
    """
    hold()
    try:
        return destination.deliver(change)
    except TooMuchAtOnce:
        entries = list(_entries(change))
    half = len(entries) // 2
    first = _part(change, entries[:half], change.before)
    second = _part(change, entries[half:], change.after)
    return [*deliver_in_parts(destination, first, hold), *deliver_in_parts(destination, second, hold)]


def _entries(change: CopyChange) -> Iterable[_Entry]:
    written = ((kind, one.id, one) for kind, some in change.documents.items() for one in some)
    gone = ((kind, entry_id, None) for kind, some in change.gone.items() for entry_id in some)
    return chain(written, gone)


def _part(change: CopyChange, entries: list[_Entry], after: Copy) -> CopyChange:
    documents, gone = dict[Kind, list[Document]](), dict[Kind, list[str]]()
    for kind, entry_id, one in entries:
        if one is None:
            gone.setdefault(kind, []).append(entry_id)
        else:
            documents.setdefault(kind, []).append(one)
    return CopyChange(change.which, change.before, after, documents, gone)
