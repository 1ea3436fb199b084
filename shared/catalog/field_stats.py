"""Field statistics: how many items of a section have which field, of which type, with examples.

A worker counts them after the catalogue has changed (`workers.count`); readers see the last count.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from shared.codec import compress, decompress, pack
from shared.keys import CatalogKeys
from shared.store import scripts
from shared.store.client import Store

#: The member of the record that says up to which commit all sections are counted; no section has this name.
_ALL = ""


class FieldType(StrEnum):
    """The JSON type of a field's values."""

    NUMBER = "number"
    STRING = "string"
    ARRAY = "array"
    OBJECT = "object"
    BOOLEAN = "boolean"
    #: Values of several types.
    MIXED = "mixed"


class FieldStats(msgspec.Struct, array_like=True, frozen=True):
    """One field."""

    name: str
    #: Number of counted items that have a value for it other than null.
    items: int
    type: FieldType
    #: Some of its values as text, shortened.
    examples: list[str]
    #: When a count first found it.
    created_ms: int


class SectionStats(msgspec.Struct, array_like=True, frozen=True):
    """All fields of a section's items, by name."""

    #: When the count ended.
    counted_ms: int
    #: Number of items that were counted, and of all items; fewer than all are a sample.
    counted: int
    total: int
    fields: list[FieldStats]

    @property
    def is_sample(self) -> bool:
        return self.counted < self.total

    def presence(self, field: FieldStats) -> float:
        """Return the share of the counted items that have a field."""
        return field.items / self.counted


class LastCount(NamedTuple):
    """What readers see."""

    #: None if no item was counted yet.
    stats: SectionStats | None
    #: Whether nothing was committed to the catalog since.
    is_current: bool


_decode = msgspec.msgpack.Decoder(SectionStats).decode


class FieldStatistics:
    """The field statistics of one catalog.  Every call is one round trip; raises StoreUnavailable."""

    def __init__(self, client: Store, catalog_key: str) -> None:
        self._client = client
        self._keys = CatalogKeys(catalog_key)

    def last(self, section: str) -> LastCount:
        """Read the last count of a section."""
        [[record, as_of], applied] = scripts.run(
            self._client,
            ("HMGET", self._keys.field_stats, section, _ALL),
            ("HGET", self._keys.position, "applied"),
        )
        return LastCount(None if record is None else _decode(decompress(record)), as_of == applied)

    def keep(self, section: str, stats: SectionStats) -> None:
        """Keep the count of a section; raises StoreFull."""
        self._write(section, compress(pack(stats)))

    def keep_position(self, as_of: bytes) -> None:
        """Note that all sections are counted as of a commit, see `changed_since_count`; raises StoreFull."""
        self._write(_ALL, as_of)

    def _write(self, section: str, record: bytes) -> None:
        command = scripts.WRITE_FIELD_STATS.command(
            field_stats=self._keys.field_stats, seq=self._keys.seq, section=section, record=record
        )
        scripts.run(self._client, command)


def changed_since_count(client: Store, catalog_keys: list[str]) -> dict[str, bytes]:
    """Find the catalogs that were committed to since their fields were counted, each with its last commit."""
    looks: list[scripts.Command] = []
    for keys in map(CatalogKeys, catalog_keys):
        looks += [("HGET", keys.position, "applied"), ("HGET", keys.field_stats, _ALL)]
    found = scripts.run_apart(client, *looks)
    looked = zip(catalog_keys, found[::2], found[1::2], strict=True)
    return {key: applied for key, applied, as_of in looked if applied is not None and applied != as_of}
