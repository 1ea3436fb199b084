"""Real destinations that do one thing differently."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from shared.sinks.destination import CopyChange, DeadLetter, connect


def refusing(refused: Collection[str]) -> Callable[..., Any]:
    """Connect to destinations that refuse the entries with these ids, as long as these are in the collection."""

    def refuse(deliver: Callable[[CopyChange], list[DeadLetter]], change: CopyChange) -> list[DeadLetter]:
        dead, documents, gone = (
            list[DeadLetter](),
            dict[Any, Any](),
            {kind: [*ids] for kind, ids in change.gone.items()},
        )
        for kind, some in change.documents.items():
            documents[kind] = [one for one in some if one.id not in refused]
            left_out = [one.id for one in some if one.id in refused]
            gone[kind] = [*gone.get(kind, ()), *left_out]
            dead += [DeadLetter(kind, entry_id, "not wanted") for entry_id in left_out]
        return [*dead, *deliver(replace(change, documents=documents, gone=gone))]

    return delivering(refuse)


def delivering(instead: Callable[[Callable[[CopyChange], list[DeadLetter]], CopyChange], Any]) -> Callable[..., Any]:
    """Connect to destinations that do something else ``instead``, called with the real call and the change."""

    def connected(*of: Any, **options: Any) -> Any:
        made: Any = connect(*of, **options)
        real = made.deliver
        made.deliver = lambda change: instead(real, change)
        return made

    return connected
