"""Read entries of several kinds and sections as of one position in the change feed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
#: Most bytes of entries that it reads, but always one entry: the server does nothing else meanwhile.
MOST_BYTES = 4 * 1024 * 1024


class Place(NamedTuple):
    """A kind in a section; item groups have NO_SECTION."""

    kind: Kind
    section: str


class AsOf(NamedTuple):
    """Entries that were looked up, and a position in the change feed whose changes all of them include."""

    position: Position
    #: The last task of whose effects some may be among them: later than the position while a task is applied in chunks.
    reach: int
    entries: dict[Place, dict[str, StoredEntry]]


def read_changed(client: Store, catalog_key: str, ids: Mapping[Place, Sequence[str]]) -> AsOf:
    """Read entries by id; unknown ones are left out.

    Up to MOST_IDS and MOST_BYTES are read as of one moment.  Of more, the position is that of the first part; no entry
    is older.  Raises StoreUnavailable.
    """
    first, *others = [found for _, found in read_changed_in_parts(client, catalog_key, ids)]
    entries: dict[Place, dict[str, StoredEntry]] = {place: {} for place in ids}
    for part in (first, *others):
        for place, found in part.entries.items():
            entries[place] |= found
    return AsOf(first.position, max(part.reach for part in (first, *others)), entries)


def read_changed_in_parts(
    client: Store, catalog_key: str, ids: Mapping[Place, Sequence[str]]
) -> Iterator[tuple[dict[Place, list[str]], AsOf]]:
    """Read entries by id, each part as of one moment; the ids that were looked up come with it.

    At least one part is read, also of no ids.  Raises StoreUnavailable.
    """
    left, first = [(place, entry_id) for place, some in ids.items() for entry_id in some], True
    while left or first:
        part = _grouped(left[:MOST_IDS])
        count, found = _read(client, catalog_key, part)
        # In the order in which they were looked up, place by place.
        ordered = [(place, entry_id) for place, some in part.items() for entry_id in some]
        yield _grouped(ordered[:count]), found
        left, first = ordered[count:] + left[MOST_IDS:], False


def _grouped(ids: Sequence[tuple[Place, str]]) -> dict[Place, list[str]]:
    grouped: dict[Place, list[str]] = {}
    for place, entry_id in ids:
        grouped.setdefault(place, []).append(entry_id)
    return grouped


def _read(client: Store, catalog_key: str, ids: Mapping[Place, list[str]]) -> tuple[int, AsOf]:
    """Read as many of the first entries as one call may; returns how many ids were looked up."""
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
            most_bytes=MOST_BYTES,
        )
        [[seen, *reply]] = scripts.run(client, command)
        if reply:
            break
        generations = seen
    latest, run_id, reach, count, *found = reply
    entries = {
        place: {entry.id: entry for entry in found_entries(some[: len(found[2 * i])], found[2 * i], found[2 * i + 1])}
        for i, (place, some) in enumerate(ids.items())
    }
    return count, AsOf(position_in(client, catalog_key, latest, run_id), reach, entries)
