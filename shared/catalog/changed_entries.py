"""Read entries of several kinds and sections as of one position in the change feed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from shared.catalog.pages import StoredEntry
from shared.catalog.reader import found_entries
from shared.codec import pack
from shared.keys import CatalogKeys
from shared.model import Kind
from shared.store import scripts
from shared.store.client import Store
from shared.store.positions import Position, position_in

#: Most ids that one call looks up.
MOST_IDS = 1000


class Place(NamedTuple):
    """A kind in a section; item groups have NO_SECTION."""

    kind: Kind
    section: str


class AsOf(NamedTuple):
    """Entries, and a position in the change feed whose changes all of them include."""

    position: Position
    #: The last task of whose effects some may be among them: later than the position while a task is applied in chunks.
    reach: int
    entries: dict[Place, dict[str, StoredEntry]]


def read_changed(client: Store, catalog_key: str, ids: Mapping[Place, Sequence[str]]) -> AsOf:
    """Read entries by id; unknown ones are left out.

    Up to MOST_IDS are read as of one moment.  Of more, the position is that of the first thousand; no entry is older.
    Raises StoreUnavailable.
    """
    parts = list(_parts(ids)) or [{}]
    first, *others = [_read(client, catalog_key, part) for part in parts]
    entries: dict[Place, dict[str, StoredEntry]] = {place: {} for place in ids}
    for part in (first, *others):
        for place, found in part.entries.items():
            entries[place] |= found
    return AsOf(first.position, max(part.reach for part in (first, *others)), entries)


def _parts(ids: Mapping[Place, Sequence[str]]) -> list[dict[Place, list[str]]]:
    """Cut ids into parts of MOST_IDS."""
    all_ids = [(place, entry_id) for place, some in ids.items() for entry_id in some]
    parts = []
    for first in range(0, len(all_ids), MOST_IDS):
        part: dict[Place, list[str]] = {}
        for place, entry_id in all_ids[first : first + MOST_IDS]:
            part.setdefault(place, []).append(entry_id)
        parts.append(part)
    return parts


def _read(client: Store, catalog_key: str, ids: Mapping[Place, list[str]]) -> AsOf:
    keys = CatalogKeys(catalog_key)
    generations = [0] * len(ids)
    while True:
        places = [
            name(place.kind, place.section, generation)
            for place, generation in zip(ids, generations, strict=True)
            for name in (keys.entries, keys.patches)
        ]
        command = scripts.READ_CHANGED.command(
            keys.partition,
            places=places,
            generations=pack(generations),
            sections=pack([place.section for place in ids]),
            ids=pack(list(ids.values())),
        )
        [[seen, *reply]] = scripts.run(client, command)
        if reply:
            break
        generations = seen
    latest, run_id, reach, *found = reply
    entries = {
        place: {entry.id: entry for entry in found_entries(some, found[2 * i], found[2 * i + 1])}
        for i, (place, some) in enumerate(ids.items())
    }
    return AsOf(position_in(client, catalog_key, latest, run_id), reach, entries)
