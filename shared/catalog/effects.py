"""Input and output of the applier: Wants, View, Effects.  Values only."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.model import Kind

#: Kinds whose PATCHes may be stored beside the entries instead of merged into them.
PATCHED_BESIDE = frozenset({Kind.ITEMS})

#: Most members of a list in one commit.
LIST_LENGTH = 1000


@dataclass(slots=True)
class Wants:
    """The parts of the catalogue to read before batches can be applied."""

    #: Ids of the batch's kind whose stored value is needed.
    values: list[str] = field(default_factory=list)
    #: Ids of items of which only existence is needed.
    items: list[str] = field(default_factory=list)
    #: Ids of items whose variations are needed.
    links: list[str] = field(default_factory=list)
    #: Ids of variations whose stored value is needed, if the batch has another kind.
    variations: list[str] = field(default_factory=list)
    #: Whether the number of entries of the batch's kind is needed.
    size: bool = False
    #: Whether the ids of all entries of the batch's kind are needed.
    all_ids: bool = False
    #: Ids of the batch's kind of which only existence in the written generation is needed.
    present: list[str] = field(default_factory=list)
    #: Ids whose entries are needed as readers see them, with update times.
    seen_values: list[str] = field(default_factory=list)

    def __iadd__(self, other: Wants) -> Wants:
        self.values += other.values
        self.items += other.items
        self.links += other.links
        self.variations += other.variations
        self.size |= other.size
        self.all_ids |= other.all_ids
        self.present += other.present
        self.seen_values += other.seen_values
        return self


@dataclass(slots=True)
class View:
    """The data read, as of one commit.  The applier updates it with the steps it has planned since."""

    #: Existing entries, without update time; of some only the patches may be known.
    values: dict[str, bytes] = field(default_factory=dict)
    #: PATCHes since the entries were written; merged into their values, if those are here.
    patches: dict[str, bytes] = field(default_factory=dict)
    #: Items that exist.
    items: set[str] = field(default_factory=set)
    #: Number of entries of the batch's kind that readers see.
    size: int = 0
    all_ids: set[str] = field(default_factory=set)
    #: Item id → ids of its variations.
    links: dict[str, list[str]] = field(default_factory=dict)
    #: False if there are more variations than one commit deletes.
    links_complete: bool = True
    #: The wanted ones that exist.
    variations: dict[str, bytes] = field(default_factory=dict)
    #: The wanted ones that exist.
    present: set[str] = field(default_factory=set)
    #: The wanted ones that readers see, with update time and value; not updated.
    seen_values: dict[str, bytes] = field(default_factory=dict)
    #: Some pages of the chunk were committed before this was read.
    continued: bool = False
    #: Some of the items may come later in the same task.
    items_to_come: bool = False
    #: More may be planned on top of what is planned next.
    more_follows: bool = True


@dataclass(frozen=True, slots=True)
class Puts:
    """Entries to write."""

    ids: list[str] = field(default_factory=list)
    #: The JSON of each.
    values: list[bytes] = field(default_factory=list)
    #: Ids that do not exist yet in the written generation.
    new: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Effects:
    """The writes of one commit.  Ids belong to the batch's kind; no list has more than LIST_LENGTH members."""

    puts: Puts = field(default_factory=Puts)
    #: Entries to take over into the generation that is built; their values begin with their update times.
    kept: Puts = field(default_factory=Puts)
    #: All PATCHes to store beside entries, which stay as they are; items only.
    patches: Puts = field(default_factory=Puts)
    deletes: list[str] = field(default_factory=list)
    #: Variations deleted with their items.
    cascade: list[str] = field(default_factory=list)
    #: Variations written with their items, by id.
    variations: dict[str, bytes] = field(default_factory=dict)
    #: Those of them that are new.
    variations_created: list[str] = field(default_factory=list)
    links_added: list[str] = field(default_factory=list)
    links_removed: list[str] = field(default_factory=list)
    #: Items that are not written themselves, but some of whose variations change; up to twice LIST_LENGTH.
    items_touched: list[str] = field(default_factory=list)
    #: Items that are taken over, of which what was PATCHed is carried beside the variations that are built alone.
    items_carried: list[str] = field(default_factory=list)
    #: One byte per entry.
    outcomes: str = ""
    #: JSON objects joined by commas.
    warnings: str = ""
    #: Includes unchanged ones, as do the other two.
    items_updated: int = 0
    items_deleted: int = 0
    variations_updated: int = 0
    #: Those sent with their items, which have no outcomes.
    variations_unchanged: int = 0
    variations_deleted: int = 0
    item_groups_updated: int = 0
    item_groups_deleted: int = 0
    #: Entries that the new generation leaves out, removed by the flip: their kind and ids.
    left_out: tuple[Kind, list[str]] | None = None
    #: Whether readers are switched to the new generation.
    flips: bool = False
    #: False for a page before the last of a chunk.
    chunk_ends: bool = True
