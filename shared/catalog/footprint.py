"""Estimate the memory that a catalog takes."""

from __future__ import annotations

from shared.keys import CatalogKeys
from shared.model import Kind
from shared.store import scripts
from shared.store.client import Store

#: Entries that are looked at to estimate all.
SAMPLES = 200


class Footprint:
    """The memory of what readers see of one catalog.  Every call is two round trips; raises StoreUnavailable."""

    def __init__(self, client: Store, catalog_key: str) -> None:
        self._client = client
        self._keys = CatalogKeys(catalog_key)

    def memory(self, kind: Kind, section: str) -> int:
        """Estimate the bytes that the entries of a kind take, with index and links."""
        generation, keys = self._generation(section), self._keys
        names = [spell(kind, section, generation) for spell in (keys.entries, keys.index, keys.patches)]
        if kind is Kind.VARIATIONS:
            names.append(keys.links(section, generation))
        looks = (("MEMORY", "USAGE", name, "SAMPLES", SAMPLES) for name in names)
        return sum(int(bytes_ or 0) for bytes_ in scripts.run(self._client, *looks))

    def patched(self, kind: Kind, section: str) -> int:
        """Estimate the bytes of what was PATCHed beside the entries of a kind."""
        name = self._keys.patches(kind, section, self._generation(section))
        return int(scripts.run(self._client, ("MEMORY", "USAGE", name, "SAMPLES", SAMPLES))[0] or 0)

    def ids(self, kind: Kind, section: str) -> tuple[int, int]:
        """Count the entries of a kind, and estimate the bytes of their ids."""
        index = self._keys.index(kind, section, self._generation(section))
        entries, drawn = scripts.run(self._client, ("ZCARD", index), ("ZRANDMEMBER", index, SAMPLES))
        return entries, entries * sum(map(len, drawn)) // len(drawn) if drawn else 0

    def waiting(self) -> int:
        """Return the bytes that its waiting tasks will take once they are applied."""
        [reserved] = scripts.run(self._client, ("HGET", self._keys.waiting, "reserved"))
        return int(reserved or 0)

    def _generation(self, section: str) -> int:
        [found] = scripts.run(self._client, ("HGET", self._keys.sections, section))
        return int(found or 0)
