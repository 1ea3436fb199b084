"""Put items and variations together where a mapping wants it: what of them has to be written when either changes.

A search engine joins nothing, so an item is written again with all its variations (``nested``), or a variation with its
item (``flat``), whichever of them has changed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from shared.catalog.pages import StoredEntry
from shared.model import Kind
from shared.sinks.destination import CopyChange, TooMuchAtOnce
from shared.sinks.mapping import Document, Unmappable, Variations, document
from shared.sinks.mapping import Mapping as SinkMapping
from shared.sinks.search.engine import Engine

#: Most entries, and bytes of them, that are put together with several changed ones.
MOST_RELATED = 2_000
MOST_RELATED_BYTES = 8 * 1024 * 1024

#: Documents by id.
Documents = dict[str, Document]


def combined(
    engine: Engine, mapping: SinkMapping, places: Mapping[str, str], change: CopyChange
) -> dict[Kind, Sequence[Document]]:
    """Return the documents to write for a change, in a copy with these places.  Raises TooMuchAtOnce."""
    if mapping.mode not in (Variations.NESTED, Variations.FLAT):
        return dict(change.documents)
    work = _Combining(engine, mapping, places, change)
    return work.nested() if mapping.mode is Variations.NESTED else work.flat()


class _Combining:
    """One change, and what is there of the entries that it touches."""

    def __init__(self, engine: Engine, mapping: SinkMapping, places: Mapping[str, str], change: CopyChange) -> None:
        self._engine = engine
        self._mapping = mapping
        self._places = places
        self._is_single = change.entries <= 1
        self._related = self._related_bytes = 0
        self._items: Documents = {one.id: one for one in change.documents.get(Kind.ITEMS, ())}
        self._variations: Documents = {one.id: one for one in change.documents.get(Kind.VARIATIONS, ())}
        self._items_gone = frozenset(change.gone.get(Kind.ITEMS, ()))
        self._variations_gone = frozenset(change.gone.get(Kind.VARIATIONS, ()))

    def nested(self) -> dict[Kind, Sequence[Document]]:
        """Items that changed, and those of variations that did or that went; each with all its variations."""
        touched = {*self._items, *_items_of(self._variations.values())}
        # Those that they belonged to before, too: variations are written after items, so that these are known until
        # the items are written.
        before = self._variations_there([*self._variations, *self._variations_gone])
        touched |= _items_of(before)
        touched -= self._items_gone
        others = self._related_items(touched - self._items.keys())
        theirs: dict[str | None, list[Document]] = {}
        for one in sorted(self._theirs(touched), key=lambda one: one.id.encode()):
            theirs.setdefault(one.item_id, []).append(one)
        items = [replace(one, related=tuple(theirs.get(one.id, ()))) for one in (*self._items.values(), *others)]
        return {Kind.ITEMS: items, Kind.VARIATIONS: [*self._variations.values()]}

    def flat(self) -> dict[Kind, Sequence[Document]]:
        """Variations that changed, and those of items that did or that went; each with its item."""
        changed = {*self._items, *self._items_gone}
        found = {one.id: one for one in self._theirs(changed)} | self._variations
        wanted = _items_of(found.values()) - changed
        items = {one.id: one for one in self._related_items(wanted)} | self._items
        variations = [
            replace(one, related=(items[one.item_id],) if one.item_id in items else ()) for one in found.values()
        ]
        return {Kind.ITEMS: [*self._items.values()], Kind.VARIATIONS: variations}

    def _theirs(self, items: Iterable[str]) -> Iterator[Document]:
        """List the variations of items, as they are after the change."""
        wanted = set(items)
        yield from (one for one in self._variations.values() if one.item_id in wanted)
        place = self._places[Kind.VARIATIONS]
        for one in self._mapped(Kind.VARIATIONS, self._counted(self._engine.find_of(place, sorted(wanted)))):
            if one.id not in self._variations and one.id not in self._variations_gone:
                yield one

    def _related_items(self, ids: Iterable[str]) -> list[Document]:
        found = self._engine.find(self._places[Kind.ITEMS], sorted(ids))
        return list(self._mapped(Kind.ITEMS, self._counted(found)))

    def _variations_there(self, ids: Iterable[str]) -> list[Document]:
        found = self._engine.find(self._places[Kind.VARIATIONS], sorted(set(ids)))
        return list(self._mapped(Kind.VARIATIONS, found))

    def _counted(self, entries: Iterable[StoredEntry]) -> Iterator[StoredEntry]:
        """Pass on what is put together with the changed entries.  Raises TooMuchAtOnce."""
        for entry in entries:
            self._related += 1
            self._related_bytes += len(entry.body)
            too_much = self._related > MOST_RELATED or self._related_bytes > MOST_RELATED_BYTES
            if too_much and not self._is_single:
                raise TooMuchAtOnce
            yield entry

    def _mapped(self, kind: Kind, entries: Iterable[StoredEntry]) -> Iterator[Document]:
        for entry in entries:
            # What is there was mapped; somebody else may have changed it.
            with contextlib.suppress(Unmappable):
                yield document(self._mapping, kind, entry)


def _items_of(variations: Iterable[Document]) -> set[str]:
    return {one.item_id for one in variations if one.item_id is not None}
