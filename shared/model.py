"""The domain model: values only, no I/O."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

from shared.files.file_format import FileFormat
from shared.origin import NO_ORIGIN, Origin


class Kind(StrEnum):
    """The kind of a batch's entries."""

    #: Things to find, by id, in one section.
    ITEMS = "items"
    #: Forms of an item (a size, a colour), by id, each naming its item.
    VARIATIONS = "variations"
    #: Groups of items (categories), by id.  They belong to the whole catalog, not to a section.
    ITEM_GROUPS = "item_groups"

    @property
    def many(self) -> str:
        """The plural, for people: ``item groups``."""
        return self.replace("_", " ")

    @property
    def one(self) -> str:
        """The singular, for people: ``item group``."""
        return self.many.removesuffix("s")


class Operation(StrEnum):
    """The operation of a batch on its entries."""

    #: Create or replace whole.
    PUT = "put"
    #: Change the fields that were sent.
    PATCH = "patch"
    #: Remove; an unknown id is no error.
    DELETE = "delete"
    #: Create missing entries; existing ones stay as they are.  V1, item groups.
    ADD = "add"
    #: Create, or replace each field that was sent, whole.  V1, item groups.
    UPSERT = "upsert"
    #: Replace all entries: create, replace, and delete those not sent.  V1, item groups.
    REPLACE = "replace"
    #: Create with variations; an existing item makes the whole task fail.  V1, items.
    CREATE = "create"
    #: Replace whole, except a score that was not sent; variations, if sent, replace all others.  V1, items.
    MODIFY = "modify"
    #: Change the fields that were sent; variations as in a MODIFY.  V1, items.
    AMEND = "amend"
    #: Export the entries as they are after all earlier tasks; changes nothing.
    EXPORT = "export"
    #: Build a new generation of whole entries, then switch readers to it.  Files.
    SYNC = "sync"
    #: The same with existing entries, named by their ids.  Files.
    KEEP = "keep"

    @property
    def builds(self) -> bool:
        """Whether it builds a new generation that replaces the current one."""
        return self in (Operation.SYNC, Operation.KEEP)


class CatalogPart(StrEnum):
    """The part of a catalog to export."""

    ITEMS = "items"
    VARIATIONS = "variations"
    ITEM_GROUPS = "item_groups"
    ITEMS_WITH_VARIATIONS = "items_with_variations"

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of its entries, in the order of writing."""
        both = self is CatalogPart.ITEMS_WITH_VARIATIONS
        return (Kind.ITEMS, Kind.VARIATIONS) if both else (Kind(self.value),)


class OnMissing(StrEnum):
    """What a PATCH does with an id that does not exist."""

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
    """The form of a body's entries."""

    #: An object with a list of them.
    JSON = "json"
    #: One entry per line; the rows of a CSV file are stored in this form too.
    NDJSON = "ndjson"


class Status(StrEnum):
    """The status of a task.  The last three are terminal: a task keeps them forever."""

    #: Accepted, waiting for its turn.
    QUEUED = "QUEUED"
    #: At the head of its partition and begun.
    IN_PROGRESS = "IN_PROGRESS"
    #: Every entry took effect, or was skipped and named.
    DONE = "DONE"
    #: ``error`` says why.  Nothing was applied, unless an operator gave it up halfway: then it says how far.
    FAILED = "FAILED"
    #: Canceled before it began.
    CANCELED = "CANCELED"


#: In place of a section's name, which is never empty.
NO_SECTION = ""
#: The statuses that a task keeps forever.
TERMINAL = frozenset({Status.DONE, Status.FAILED, Status.CANCELED})


class Outcome(StrEnum):
    """The outcome of one entry; one byte in the task's report."""

    CREATED = "c"
    UPDATED = "u"
    #: Sent as it is stored, or a PATCH that changes nothing.
    UNCHANGED = "n"
    DELETED = "d"
    #: Left out: its id does not exist, or a later entry of the batch replaces it.
    IGNORED = "i"
    #: Made its task fail, or was left out because it breaks the rules.
    FAILED = "f"
    #: Made its task fail, because its id does not exist.
    MISSING = "m"


class Skipped(NamedTuple):
    """An entry that breaks the rules and is skipped."""

    #: Index in the chunk.
    at: int
    #: As sent, if it is a text at all, cut if it is too long.
    id: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """The unit of one commit: a slice of the body as sent, and where its entries lie in it.

    All texts of a batch, joined, are the body.  Entry ``i`` is ``text[bounds[2 * i]:bounds[2 * i + 1]]``, an object.
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

    def entries(self) -> list[bytes]:
        """List the bytes of each entry as sent."""
        text, bounds = self.text, self.bounds
        return [text[start:end] for start, end in zip(bounds[::2], bounds[1::2], strict=True)]

    def entry(self, i: int) -> bytes:
        """Return the bytes of one entry."""
        return self.text[self.bounds[2 * i] : self.bounds[2 * i + 1]]


@dataclass(frozen=True, slots=True)
class Export:
    """The contents of an export, besides the section of its batch."""

    part: CatalogPart
    #: Export only entries changed at this time or later; None: all.
    from_ms: int | None = None
    format: FileFormat = FileFormat.JSONL


@dataclass(frozen=True, slots=True)
class Part:
    """The entries of one kind in an upload, and its file's name; its chunks follow those of the part before it."""

    kind: Kind
    entries: int
    chunks: int
    file: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as accepted; it never changes afterwards."""

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
    #: Waive the safeguard, and what guards say about shares; and why, as the sender says.
    force: bool = False
    force_reason: str = ""
    #: Of an EXPORT, which has no entries.
    export: Export | None = None
    #: Of an upload of files, what is in it, as it came; otherwise none.
    parts: tuple[Part, ...] = ()
    #: What was found at the door: why it can only fail; and what else, as JSON objects.
    doomed: str = ""
    warnings: tuple[str, ...] = ()
    protocol: str = "http"
    notification_emails: tuple[str, ...] = ()
    origin: Origin = NO_ORIGIN

    @property
    def steps(self) -> int:
        """Number of commits: one per chunk, and for a new generation a last one without payload, the flip."""
        return self.chunks + self.operation.builds

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of entries that it changes, in the order sent; variations that go with their items come last."""
        return (*self._sent, Kind.VARIATIONS) if self.takes_variations_along else self._sent

    @property
    def _sent(self) -> tuple[Kind, ...]:
        return tuple(part.kind for part in self.parts) or (self.kind,)

    @property
    def takes_variations_along(self) -> bool:
        """Whether the variations of items that it does not keep are deleted with them, none having been sent."""
        return self.operation is Operation.KEEP and Kind.ITEMS in self._sent and Kind.VARIATIONS not in self._sent

    @property
    def noun(self) -> str:
        """As people say what it has entries of: ``item``, or ``items and variations``."""
        return self.kind.one if len(self._sent) == 1 == self.entries else " and ".join(one.many for one in self._sent)

    def section_of(self, kind: Kind) -> str:
        """Name where its entries of a kind belong."""
        return NO_SECTION if kind is Kind.ITEM_GROUPS else self.section

    def kind_of(self, chunk: int) -> Kind:
        """Return the kind of a chunk's entries; for the flip, the kind of the last part."""
        ends = accumulate(part.chunks for part in self.parts)
        return next((part.kind for part, end in zip(self.parts, ends, strict=True) if chunk < end), self.kinds[-1])

    def kind_of_entry(self, index: int) -> Kind:
        """Return the kind of the entry at an index."""
        ends = accumulate(part.entries for part in self.parts)
        return next((part.kind for part, end in zip(self.parts, ends, strict=True) if index < end), self.kind)

    def items_follow(self, chunk: int) -> bool:
        """Return whether items follow the variations of a chunk."""
        kind = self.kind_of(chunk)
        return kind is Kind.VARIATIONS and Kind.ITEMS in self.kinds[self.kinds.index(kind) :]

    def at(self, chunk: int) -> Batch:
        """See it as the batch of one kind that a chunk belongs to."""
        if not self.parts:
            return self
        kind = self.kind_of(chunk)
        return replace(self, kind=kind, section=self.section_of(kind))
