"""The words of Sluice as types.  Values only: nothing here does I/O."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple


class Kind(StrEnum):
    """What the entries of a batch are."""

    #: Things to be found, by id, in one section.
    ITEMS = "items"
    #: Forms of an item (a size, a colour), by id, each naming its item.
    VARIATIONS = "variations"
    #: What items are grouped by (categories), by id.  They belong to the whole catalog and to no section.
    ITEM_GROUPS = "item_groups"

    @property
    def many(self) -> str:
        """As people say it: ``item groups``."""
        return self.replace("_", " ")

    @property
    def one(self) -> str:
        """As people say it of one: ``item group``."""
        return self.many.removesuffix("s")


class Operation(StrEnum):
    """What a batch does with its entries."""

    #: Create or replace whole.
    PUT = "put"
    #: Change the fields that were sent.
    PATCH = "patch"
    #: Remove; an unknown id is no error.
    DELETE = "delete"
    #: Create what is not there; what is there stays as it is.  V1, item groups.
    ADD = "add"
    #: Create, or replace each field that was sent, whole.  V1, item groups.
    UPSERT = "upsert"
    #: Make these entries all there are: create, replace, and delete what was not sent.  V1, item groups.
    REPLACE = "replace"
    #: Create with variations; one that is there makes the whole task fail.  V1, items.
    CREATE = "create"
    #: Replace whole, but for a score that was not sent; variations, if sent, are all there are then.  V1, items.
    MODIFY = "modify"
    #: Change the fields that were sent; variations as in a MODIFY.  V1, items.
    AMEND = "amend"
    #: Write out what is there, as it is after all tasks before; changes nothing.
    EXPORT = "export"
    #: Build another generation of whole entries beside the one that is read, and let it take its place.  Files.
    SYNC = "sync"
    #: The same, of entries as they are, named by their ids.  Files.
    KEEP = "keep"

    @property
    def builds(self) -> bool:
        """Whether another generation takes the place of the one that is read."""
        return self in (Operation.SYNC, Operation.KEEP)


class CatalogPart(StrEnum):
    """What an export is of."""

    ITEMS = "items"
    VARIATIONS = "variations"
    ITEM_GROUPS = "item_groups"
    #: First all items, then all variations.
    ITEMS_WITH_VARIATIONS = "items_with_variations"

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of its entries, in the order they are written."""
        if self is CatalogPart.ITEMS_WITH_VARIATIONS:
            return Kind.ITEMS, Kind.VARIATIONS
        return (Kind(self.value),)


class OnMissing(StrEnum):
    """What a PATCH does with an id that is not there."""

    #: The whole task fails and nothing changes.
    FAIL = "FAIL"
    #: The entry is skipped.
    IGNORE = "IGNORE"
    #: The entry is created; it then needs a name.
    CREATE = "CREATE"


class OnInvalid(StrEnum):
    """What a write does with an entry that breaks the rules."""

    #: The whole request is refused and nothing is stored.
    REJECT = "REJECT"
    #: The entry is skipped, and named in the task.
    SKIP = "SKIP"


class Form(StrEnum):
    """How the entries of a body are written."""

    #: An object with a list of them.
    JSON = "json"
    #: One a line; the rows of a CSV file are kept so too.
    NDJSON = "ndjson"


class Status(StrEnum):
    """Where a task stands.  The last three are terminal and kept for ever (law 3)."""

    #: Accepted, waiting for its turn.
    QUEUED = "QUEUED"
    #: At the head of its partition and begun.
    IN_PROGRESS = "IN_PROGRESS"
    #: Every entry had its effect or was skipped by name.
    DONE = "DONE"
    #: Nothing was applied, and ``error`` says why.
    FAILED = "FAILED"
    #: Taken back by its sender before it began.
    CANCELED = "CANCELED"


#: In place of a section's name, which is never empty.
NO_SECTION = ""

#: The statuses that a task keeps for ever.
TERMINAL = frozenset({Status.DONE, Status.FAILED, Status.CANCELED})


class Outcome(StrEnum):
    """What became of one entry; one byte each in the task's report."""

    CREATED = "c"
    UPDATED = "u"
    #: A PATCH that changed nothing.
    UNCHANGED = "n"
    DELETED = "d"
    #: Left out: an id that is not there, or one that a later entry of the batch replaces.
    IGNORED = "i"
    #: Made its task fail, or was left out because it breaks the rules.
    FAILED = "f"
    #: Made its task fail, since its id is not there.
    MISSING = "m"


class Skipped(NamedTuple):
    """An entry that breaks the rules and is left out."""

    #: Index in the chunk.
    at: int
    #: As sent, if it is a text at all, cut if it is too long.
    id: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """The unit of one commit: a slice of the body as sent, and where its entries lie in it.

    The ``text`` of all chunks of a batch, joined, is the body byte for byte.  Entry ``i`` is
    ``text[bounds[2 * i]:bounds[2 * i + 1]]``, one JSON object.
    """

    text: bytes
    ids: list[str]
    #: Start and end of each entry in ``text``, one after the other.
    bounds: array[int]
    #: For variations: the ``item_id`` of each entry, None where it was not sent.  None for other kinds.
    parents: list[str | None] | None = None
    #: Indexes (in this chunk, ascending) of entries that a later entry of the same batch replaces.
    superseded: list[int] = field(default_factory=list)
    #: Index of the first entry in the batch.
    first: int = 0
    #: Entries that are left out, ascending; their ``ids`` are empty.
    skipped: list[Skipped] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def live_ids(self) -> list[str]:
        """List the ids of the entries that are not superseded."""
        if not self.superseded:
            return self.ids
        superseded = set(self.superseded)
        return [entry_id for i, entry_id in enumerate(self.ids) if i not in superseded]

    def entries(self) -> Iterator[bytes]:
        """Yield the bytes of each entry as sent."""
        text, bounds = self.text, iter(self.bounds)
        return (text[start:end] for start, end in zip(bounds, bounds, strict=True))


@dataclass(frozen=True, slots=True)
class Submitter:
    """Who sent a batch, from where."""

    token_name: str
    client: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Export:
    """What an export is to write out, of the section of its batch."""

    part: CatalogPart
    #: Only what was changed at this moment or since; None: all there is.
    from_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """The entries of one kind in an upload of catalogue files; its chunks follow those of the part before it."""

    kind: Kind
    entries: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What is known of a batch when it is accepted, and never changes afterwards."""

    #: Of an upload of files, that of its first part.
    kind: Kind
    operation: Operation
    #: NO_SECTION for item groups.
    section: str
    #: Entries in all chunks, those that are left out too.
    entries: int
    #: Length of the body, inflated.
    bytes: int
    chunks: int
    on_missing: OnMissing = OnMissing.FAIL
    on_invalid: OnInvalid = OnInvalid.REJECT
    form: Form = Form.JSON
    #: Waive the safeguard against deleting most of a section.
    force: bool = False
    #: Of an EXPORT, which has no entries.
    export: Export | None = None
    #: Of an upload of files, what is in it, as it came; otherwise none.
    parts: tuple[Part, ...] = ()
    #: Why it can only fail, if that was found at the door.
    doomed: str = ""
    protocol: str = "http"
    notification_emails: tuple[str, ...] = ()
    submitter: Submitter | None = None
    #: The request that brought it, and the trace that this was part of (W3C ``traceparent``).
    request_id: str = ""
    traceparent: str = ""

    @property
    def steps(self) -> int:
        """How many chunks are committed; what builds a generation has a last one that is in no payload: the flip."""
        return self.chunks + self.operation.builds

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What kinds of entries it has, as they came."""
        return tuple(part.kind for part in self.parts) or (self.kind,)

    @property
    def noun(self) -> str:
        """As people say what it has entries of: ``item``, or ``items and variations``."""
        if len(self.kinds) == 1:
            return self.kind.one if self.entries == 1 else self.kind.many
        return " and ".join(kind.many for kind in self.kinds)

    def section_of(self, kind: Kind) -> str:
        """Name where its entries of a kind belong."""
        return NO_SECTION if kind is Kind.ITEM_GROUPS else self.section

    def kind_of(self, chunk: int) -> Kind:
        """Tell what a chunk has entries of; for the last one of what builds a generation, those of the last part."""
        ends = accumulate(part.chunks for part in self.parts)
        return next((part.kind for part, end in zip(self.parts, ends, strict=True) if chunk < end), self.kinds[-1])

    def kind_of_entry(self, index: int) -> Kind:
        """Tell what the entry at a place is."""
        ends = accumulate(part.entries for part in self.parts)
        return next((part.kind for part, end in zip(self.parts, ends, strict=True) if index < end), self.kind)

    def items_follow(self, chunk: int) -> bool:
        """Tell whether items come behind the variations that a chunk has."""
        kind = self.kind_of(chunk)
        return kind is Kind.VARIATIONS and Kind.ITEMS in self.kinds[self.kinds.index(kind) :]

    def at(self, chunk: int) -> Batch:
        """See it as the batch of one kind that a chunk belongs to."""
        if not self.parts:
            return self
        kind = self.kind_of(chunk)
        return replace(self, kind=kind, section=self.section_of(kind))
