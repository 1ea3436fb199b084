"""Compute the changes of a V1 batch of items, each with its variations.  Pure; the applier calls it.

An entry is an item as V2 has it, with one member more: ``variations``, a list of them as V2 has them.  Where that was
sent, the item has those variations afterwards and no others.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.catalog.effects import LIST_LENGTH, Effects, Puts, View, Wants
from shared.catalog.equality import same
from shared.catalog.merging import Fields, decode_fields, encode_fields, merge, without_nulls
from shared.errors import EntryFailure, TaskFailed
from shared.keys import link
from shared.limits import DATA_MAX_BYTES
from shared.model import Batch, Chunk, OnMissing, Operation, Outcome
from workers.apply.entry_failures import failure
from workers.apply.variation_links import by_id, parent_of
from workers.apply.warnings import duplicates, joined
from workers.apply.whole_entries import compare

FOUND = "it exists already"


def wants(chunk: Chunk) -> Wants:
    """Return the data to read before this chunk can be applied."""
    sent = {item.id: item.variations for item in _items(chunk).values() if item.variations is not None}
    return Wants(
        values=chunk.ids,
        links=list(sent),
        variations=[variation_id for variations in sent.values() for variation_id in variations],
    )


def apply(batch: Batch, chunk: Chunk, view: View) -> Effects:
    """Compute the effects of one chunk, and update the view with them.

    Raises TaskFailed, the view being as it was, if an item is there that must not be, or the other way round.
    """
    items = _items(chunk)
    decided = {i: _decide(batch, item, view.values.get(item.id)) for i, item in items.items()}
    if wrong := {i: one.wrong for i, one in decided.items() if one.wrong}:
        raise failure(batch, chunk, wrong)
    variations = _Variations(view)
    for i, one in decided.items():
        if one.outcome is not Outcome.IGNORED:
            variations.take(items[i])
    variations.settle()
    # Links are read in the order of the items, up to a limit: if any of this chunk's go, others may be the cut ones.
    if variations.gone and (not view.links_complete or len(variations.gone) + len(variations.written) > LIST_LENGTH):
        return variations.deletions()
    created = [variation_id for variation_id in variations.written if variation_id not in view.variations]
    variations.show_in(view)
    written = {items[i].id: one.value for i, one in decided.items() if one.value is not None}
    new = [item_id for item_id in written if item_id not in view.values]
    view.values.update(written)
    touched = variations.touched(continued=view.continued)
    outcomes: list[str] = [Outcome.IGNORED] * len(chunk)
    for i, one in decided.items():
        also = one.outcome is Outcome.UNCHANGED and items[i].id in touched
        outcomes[i] = Outcome.UPDATED if also else one.outcome
    return Effects(
        puts=Puts(list(written), list(written.values()), new),
        cascade=list(variations.gone),
        variations=variations.written,
        variations_created=created,
        links_added=variations.links(there=True),
        links_removed=variations.links(there=False),
        items_touched=[item_id for item_id in touched if item_id not in written],
        outcomes="".join(outcomes),
        warnings=joined(duplicates(batch, chunk)),
        items_updated=len(chunk) - outcomes.count(Outcome.IGNORED),
        variations_updated=len(variations.written) + variations.unchanged,
        variations_unchanged=variations.unchanged,
        variations_deleted=len(variations.gone),
    )


# -- items ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Item:
    """One parsed entry."""

    id: str
    fields: Fields
    #: By id; None if they were not sent.
    variations: dict[str, bytes] | None


def _items(chunk: Chunk) -> dict[int, _Item]:
    """Parse the entries, by index, except those that a later one replaces."""
    superseded, items = set(chunk.superseded), {}
    for i, (item_id, entry) in enumerate(zip(chunk.ids, chunk.entries(), strict=True)):
        if i in superseded:
            continue
        fields = decode_fields(entry)
        sent = fields.pop("variations", None)
        items[i] = _Item(item_id, fields, None if sent is None else by_id(sent))
    return items


@dataclass(frozen=True, slots=True)
class _Decided:
    """The decision about one item, without its variations."""

    outcome: Outcome
    #: The value to write, if any.
    value: bytes | None = None
    #: Set if it makes the task fail.
    wrong: EntryFailure | None = None


def _decide(batch: Batch, item: _Item, before: bytes | None) -> _Decided:
    if before is None:
        return _decide_missing(batch, item)
    stored = decode_fields(before)
    if batch.operation is Operation.CREATE:
        return _Decided(Outcome.FAILED, wrong=EntryFailure(item.id, FOUND))
    if batch.operation is Operation.MODIFY:
        score = {name: value for name, value in stored.items() if name == "suggested_score"}
        after = without_nulls(encode_fields(score | item.fields))
        changed = not same(before, after)
    else:
        try:
            changed = merge(stored, item.fields, max_data_bytes=DATA_MAX_BYTES)
        except TaskFailed as problem:
            return _Decided(Outcome.FAILED, wrong=EntryFailure(item.id, str(problem)))
        after = encode_fields(stored)
    if changed:
        return _Decided(Outcome.UPDATED, after)
    return _Decided(Outcome.UNCHANGED)


def _decide_missing(batch: Batch, item: _Item) -> _Decided:
    if batch.operation is Operation.CREATE or batch.on_missing is OnMissing.CREATE:
        return _Decided(Outcome.CREATED, without_nulls(encode_fields(item.fields)))
    if batch.on_missing is OnMissing.IGNORE:
        return _Decided(Outcome.IGNORED)
    return _Decided(Outcome.MISSING, wrong=EntryFailure(item.id, None))


# -- variations -------------------------------------------------------------------------------------------------------


class _Variations:
    """The variations of items, updated item by item."""

    def __init__(self, view: View) -> None:
        self._of_item = {item_id: list(ids) for item_id, ids in view.links.items()}
        self._item_of = {variation_id: parent_of(value) for variation_id, value in view.variations.items()}
        self._stored = view.variations
        #: Whether a link is there afterwards, of those that change.
        self._links: dict[str, bool] = {}
        #: Those to write, by id.
        self.written: dict[str, bytes] = {}
        #: How many were sent as they are stored.
        self.unchanged = 0
        #: Those to delete, and of which item they were.
        self.gone: dict[str, str] = {}

    def take(self, item: _Item) -> None:
        """Make the sent variations, if any were sent, those of an item, whatever item had them before."""
        if item.variations is None:
            return
        for variation_id in self._of_item.get(item.id, ()):
            if variation_id not in item.variations:
                self.gone[variation_id] = item.id
                self._item_of[variation_id] = None
                self._links[link(item.id, variation_id)] = False
        for variation_id, value in item.variations.items():
            self.gone.pop(variation_id, None)
            self.written[variation_id] = value
            self._move(variation_id, item.id)
        self._of_item[item.id] = list(item.variations)

    def _move(self, variation_id: str, item_id: str) -> None:
        before = self._item_of.get(variation_id)
        if before == item_id:
            return
        if before is not None:
            self._links[link(before, variation_id)] = False
            self._of_item[before] = [one for one in self._of_item.get(before, ()) if one != variation_id]
        self._links[link(item_id, variation_id)] = True
        self._item_of[variation_id] = item_id

    def settle(self) -> None:
        """Leave out, once all are taken, those that are stored as they were sent."""
        same = compare(list(self.written.values()), list(map(self._stored.get, self.written)))
        for variation_id, each in zip(list(self.written), same, strict=True):
            if each:
                del self.written[variation_id]
                self.unchanged += 1

    def touched(self, *, continued: bool) -> list[str]:
        """List the items that get other variations.

        ``continued``: some variations were deleted in commits before, so all items with variations count.
        """
        items = dict.fromkeys(self._of_item if continued else ())
        for variation_id, value in self.written.items():
            items |= dict.fromkeys(filter(None, map(parent_of, (value, self._stored.get(variation_id)))))
        return list(items | dict.fromkeys(self.gone.values()))

    def links(self, *, there: bool) -> list[str]:
        """List the links to add, or those to remove."""
        return [name for name, afterwards in self._links.items() if afterwards is there]

    def deletions(self) -> Effects:
        """Build effects that delete one page of variations; the rest of the chunk follows after that commit."""
        page = list(self.gone.items())[:LIST_LENGTH]
        return Effects(
            cascade=[variation_id for variation_id, _ in page],
            items_touched=list(dict.fromkeys(item_id for _, item_id in page)),
            links_removed=[link(item_id, variation_id) for variation_id, item_id in page],
            variations_deleted=len(page),
            chunk_ends=False,
        )

    def show_in(self, view: View) -> None:
        """Update a view."""
        view.links = self._of_item
        view.variations = {id_: value for id_, value in view.variations.items() if id_ not in self.gone} | self.written
