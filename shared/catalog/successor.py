"""Compare the generation that readers see with the one that is to take its place."""

from __future__ import annotations

from collections.abc import Sequence

from shared.catalog.generations import Generations
from shared.errors import SluiceError
from shared.keys import CatalogKeys
from shared.model import Kind
from shared.store import scripts
from shared.store.client import Store


class GenerationGone(SluiceError):
    """The generation that readers saw is no more: its successor has taken its place meanwhile."""


class Successor:
    """The new generation of one kind, beside the old one.  Every call is at most one round trip."""

    def __init__(self, client: Store, keys: CatalogKeys, kind: Kind, section: str, generations: Generations) -> None:
        self._client = client
        self._keys = keys
        self._kind = kind
        self._section = section
        self._generations = generations

    def page(self, offset: int, size: int) -> list[str]:
        """Read a page of the ids that readers see."""
        index = self._keys.index(self._kind, self._section, self._generations.live)
        [ids] = scripts.run(self._client, ("ZRANGE", index, offset, offset + size - 1))
        return [id_.decode() for id_ in ids]

    def old_values(self, ids: Sequence[str]) -> list[bytes]:
        """Read entries that readers see, as they are stored, without patches beside them.  Raises GenerationGone."""
        if not ids:
            return []
        entries = self._keys.entries(self._kind, self._section, self._generations.live)
        [values] = scripts.run(self._client, ("HMGET", entries, *ids))
        if None in values:
            raise GenerationGone(entries)
        return list(values)

    def is_patched(self) -> bool:
        """Return whether something was PATCHed beside the entries that readers see."""
        patches = self._keys.patches(self._kind, self._section, self._generations.live)
        return bool(scripts.run(self._client, ("EXISTS", patches))[0])

    def left_out(self, ids: Sequence[str]) -> list[str]:
        """Return those ids that are not in the new generation."""
        index = self._keys.index(self._kind, self._section, self._generations.written)
        there = self._members(index, ids)
        return [id_ for id_ in ids if id_ not in there]

    def items(self, ids: Sequence[str]) -> set[str]:
        """Return those ids that are items of the new generation."""
        return self._members(self._keys.index(Kind.ITEMS, self._section, self._generations.items), ids)

    def _members(self, index: str, ids: Sequence[str]) -> set[str]:
        if not ids:
            return set()
        [scores] = scripts.run(self._client, ("ZMSCORE", index, *ids))
        return {id_ for id_, score in zip(ids, scores, strict=True) if score is not None}
