"""The ledger of a sink: a document in the destination with its owner, its position and its copies."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from shared.codec import encode_json
from shared.model import Kind
from shared.sinks.destination import Copies, Copy, Mark
from shared.store.positions import Position


class CopyRecord(msgspec.Struct, frozen=True):
    """A copy as the ledger has it."""

    #: Kind: the index (collection, folder) with its documents.
    places: dict[str, str]
    version: str
    task_id: int
    reach: int
    mark: str = ""
    pieces: int = 0
    cursor: str = ""
    #: Whether it is the catalogue just after that task; for people.
    exact: bool = False

    @classmethod
    def of(cls, copy: Copy, places: dict[str, str]) -> CopyRecord:
        at = copy.mark.position
        return cls(
            places, copy.version, at.task_id, copy.mark.reach, at.mark, at.pieces, copy.cursor, exact=copy.mark.exact
        )

    @property
    def copy(self) -> Copy:
        mark = Mark(Position(self.task_id, self.mark, self.pieces), self.reach)
        return Copy(mark, self.version, self.cursor)


class Ledger(msgspec.Struct, frozen=True):
    """What a destination holds of one sink."""

    sink_id: str
    catalog_key: str
    section: str
    #: The connection that made the last change.
    owner: str = ""
    #: What every write has to name: another one means that late writes are refused.
    gate: str = ""
    #: Of the last change that was begun: the version of the documents in it.
    number: int = 0
    #: A change was begun, and perhaps not finished.
    writing: bool = False
    live: CopyRecord | None = None
    next: CopyRecord | None = None
    #: The copy that was live before, and when it was replaced.
    old: CopyRecord | None = None
    old_ms: int = 0
    #: Places that nobody needs any more.
    leftovers: list[str] = msgspec.field(default_factory=list)
    #: What is there of a copy that is not whole any more: readers keep it until there is another.
    broken: list[str] = msgspec.field(default_factory=list)

    @property
    def copies(self) -> Copies:
        live, made, old = (record.copy if record else None for record in (self.live, self.next, self.old))
        return Copies(live, made, old)

    @property
    def places(self) -> list[str]:
        """The places of all copies."""
        return [place for record in (self.live, self.next, self.old) if record for place in record.places.values()]

    def encode(self) -> bytes:
        return encode_json(self)


read_ledger = msgspec.json.Decoder(Ledger).decode


def public_name(name: str, kind: Kind) -> str:
    """Name what readers ask for: an alias."""
    return name + ("_variations" if kind is Kind.VARIATIONS else "")


def public_names(name: str) -> Iterator[str]:
    """List all names that a sink may use for readers."""
    yield from (public_name(name, kind) for kind in (Kind.ITEMS, Kind.VARIATIONS))
