"""What the applier asks to see, is shown, and decides: values only."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.model import Kind

#: In the outcomes of an effect: a put, of which the commit finds out whether it creates or updates.
PUT_MARK = "?"


#: Kinds whose PATCHes may be kept beside the entries, instead of written into them.
PATCHED_BESIDE = frozenset({Kind.ITEMS})

#: Bounds what one commit does at once.
LIST_LENGTH = 1000


@dataclass(slots=True)
class Wants:
    """What of the catalogue has to be read before batches can be applied."""

    #: Ids, of the batch's kind, of which the stored value is needed.
    values: list[str] = field(default_factory=list)
    #: Ids of items of which only the existence is needed.
    items: list[str] = field(default_factory=list)
    #: Ids of items of which the variations are needed.
    links: list[str] = field(default_factory=list)
    #: Ids of variations of which the stored value is needed, where the batch's kind is another.
    variations: list[str] = field(default_factory=list)
    #: Whether the number of items of the section is needed.
    item_count: bool = False
    #: Whether the ids of all entries of the batch's kind are needed.
    all_ids: bool = False
    #: Ids, of the batch's kind, of which only the existence is needed, in the generation that is written to.
    present: list[str] = field(default_factory=list)
    #: For what builds a generation: ids of which has to be known whether readers see them.
    seen: list[str] = field(default_factory=list)
    #: Ids whose entries, as readers see them, are needed with their update times.
    seen_values: list[str] = field(default_factory=list)

    def __iadd__(self, other: Wants) -> Wants:
        self.values += other.values
        self.items += other.items
        self.links += other.links
        self.variations += other.variations
        self.item_count |= other.item_count
        self.all_ids |= other.all_ids
        self.present += other.present
        self.seen += other.seen
        self.seen_values += other.seen_values
        return self


@dataclass(slots=True)
class View:
    """What was read, as of one commit.  The applier keeps it true to the steps it has planned since."""

    #: Entries, without their update time, of those that are there; some may be known by their patches only.
    values: dict[str, bytes] = field(default_factory=dict)
    #: What was PATCHed since they were written; it is in their values, where those are here.
    patches: dict[str, bytes] = field(default_factory=dict)
    #: Items that are there.
    items: set[str] = field(default_factory=set)
    item_count: int = 0
    all_ids: set[str] = field(default_factory=set)
    #: Item id → ids of its variations.
    links: dict[str, list[str]] = field(default_factory=dict)
    #: False if there are more variations than one commit deletes.
    links_complete: bool = True
    #: Those asked for that are there.
    variations: dict[str, bytes] = field(default_factory=dict)
    #: Those asked for that are there.
    present: set[str] = field(default_factory=set)
    #: Those asked for that readers see.
    seen: set[str] = field(default_factory=set)
    #: The same, with update time and value.
    seen_values: dict[str, bytes] = field(default_factory=dict)
    #: Some of the items may come later in the same task.
    items_to_come: bool = False


@dataclass(frozen=True, slots=True)
class Puts:
    """Entries to write."""

    ids: list[str] = field(default_factory=list)
    #: The JSON of each.
    values: list[bytes] = field(default_factory=list)
    #: Each value begins with an update time already.
    stamped: bool = False
    #: Ids of those that are not there yet; None if nobody has looked: then the commit does.
    new: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Effects:
    """What one commit writes.  Ids belong to the batch's kind; no list has more than LIST_LENGTH members."""

    puts: Puts = field(default_factory=Puts)
    #: Entries that stay as they are, and beside them all that was PATCHed since; of items only.
    patches: Puts = field(default_factory=Puts)
    deletes: list[str] = field(default_factory=list)
    #: Variations that go with their items.
    cascade: list[str] = field(default_factory=list)
    #: Variations that come with their items, by id.
    variations: dict[str, bytes] = field(default_factory=dict)
    #: Those of them that were not there.
    variations_created: list[str] = field(default_factory=list)
    links_added: list[str] = field(default_factory=list)
    links_removed: list[str] = field(default_factory=list)
    #: One byte per entry, PUT_MARK for a put.
    outcomes: str = ""
    #: JSON objects joined by commas.
    warnings: str = ""
    items_updated: int = 0
    items_deleted: int = 0
    variations_updated: int = 0
    variations_deleted: int = 0
    item_groups_updated: int = 0
    item_groups_deleted: int = 0
    #: Entries that are not in the generation being built, to be gone with the flip: their kind, their ids.
    left_out: tuple[Kind, list[str]] | None = None
    #: The generation that was built takes the place of the one that readers see.
    flips: bool = False
    #: False for a page before the last of a chunk.
    chunk_ends: bool = True
