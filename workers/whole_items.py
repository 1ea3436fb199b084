"""Decide what a V1 batch of items changes: each item with its variations, in one commit.  Pure; the applier calls it.

An entry is an item as V2 has it, with one member more: ``variations``, a list of them as V2 has them.  Where that was
sent, the item has those variations afterwards and no others.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.effects import LIST_LENGTH, Effects, Puts, View, Wants
from shared.errors import Wrong
from shared.keys import link
from shared.merging import Fields, decode_fields, encode_fields, merge, without_nulls
from shared.model import Batch, Chunk, OnMissing, Operation, Outcome
from workers.failures import failure
from workers.linked import by_id, parent_of
from workers.warnings import duplicates, joined

FOUND = "it is there already"


def wants(chunk: Chunk) -> Wants:
    """Say what has to be read before this chunk can be applied."""
    sent = {item.id: item.variations for item in _items(chunk).values() if item.variations is not None}
    return Wants(
        values=chunk.ids,
        links=list(sent),
        variations=[variation_id for variations in sent.values() for variation_id in variations],
    )


def apply(batch: Batch, chunk: Chunk, view: View) -> Effects:
    """Compute the effects of one chunk, and bring the view up to date with them.

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
    # Links are read in the order of the items, up to a limit: if any of this chunk's go, others may be the cut ones.
    if variations.gone and (not view.links_complete or len(variations.gone) + len(variations.written) > LIST_LENGTH):
        return variations.deletions()
    created = [variation_id for variation_id in variations.written if variation_id not in view.variations]
    variations.show_in(view)
    written = {items[i].id: one.value for i, one in decided.items() if one.value is not None}
    view.values.update(written)
    outcomes = [decided[i].outcome if i in decided else Outcome.IGNORED for i in range(len(chunk))]
    return Effects(
        puts=Puts(list(written), list(written.values())),
        cascade=list(variations.gone),
        variations=variations.written,
        variations_created=created,
        links_added=variations.links(there=True),
        links_removed=variations.links(there=False),
        outcomes="".join(outcomes),
        warnings=joined(duplicates(batch, chunk)),
        items_updated=len(chunk) - outcomes.count(Outcome.IGNORED),
        variations_updated=len(variations.written),
        variations_deleted=len(variations.gone),
    )


# -- items ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Item:
    """One entry, taken apart."""

    id: str
    fields: Fields
    #: By id; None if they were not sent.
    variations: dict[str, bytes] | None


def _items(chunk: Chunk) -> dict[int, _Item]:
    """Take the entries apart, by index, but for those that a later one replaces."""
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
    """What becomes of one item, its variations apart."""

    outcome: Outcome
    #: What is written, if anything.
    value: bytes | None = None
    #: Set if it makes the task fail.
    wrong: Wrong | None = None


def _decide(batch: Batch, item: _Item, before: bytes | None) -> _Decided:
    if before is None:
        return _decide_missing(batch, item)
    stored = decode_fields(before)
    if batch.operation is Operation.CREATE:
        return _Decided(Outcome.FAILED, wrong=Wrong(item.id, FOUND))
    if batch.operation is Operation.MODIFY:
        score = {name: value for name, value in stored.items() if name == "suggested_score"}
        after = without_nulls(encode_fields(score | item.fields))
        changed = decode_fields(after) != stored
    else:
        changed = merge(stored, item.fields)
        after = encode_fields(stored)
    if changed:
        return _Decided(Outcome.UPDATED, after)
    return _Decided(Outcome.UNCHANGED if item.variations is None else Outcome.UPDATED)


def _decide_missing(batch: Batch, item: _Item) -> _Decided:
    if batch.operation is Operation.CREATE or batch.on_missing is OnMissing.CREATE:
        return _Decided(Outcome.CREATED, without_nulls(encode_fields(item.fields)))
    if batch.on_missing is OnMissing.IGNORE:
        return _Decided(Outcome.IGNORED)
    return _Decided(Outcome.MISSING, wrong=Wrong(item.id, None))


# -- variations -------------------------------------------------------------------------------------------------------


class _Variations:
    """Which variations items have, as item after item says."""

    def __init__(self, view: View) -> None:
        self._of_item = {item_id: list(ids) for item_id, ids in view.links.items()}
        self._item_of = {variation_id: parent_of(value) for variation_id, value in view.variations.items()}
        #: Whether a link is there afterwards, of those that change.
        self._links: dict[str, bool] = {}
        #: Those to write, by id.
        self.written: dict[str, bytes] = {}
        #: Those to delete, and of which item they were.
        self.gone: dict[str, str] = {}

    def take(self, item: _Item) -> None:
        """Make those that were sent, if any were, the variations of an item, whosever they were before."""
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

    def links(self, *, there: bool) -> list[str]:
        """List the links to add, or those to remove."""
        return [name for name, afterwards in self._links.items() if afterwards is there]

    def deletions(self) -> Effects:
        """Only delete, a page of those that go: what is left of the chunk comes after that is committed."""
        page = list(self.gone.items())[:LIST_LENGTH]
        return Effects(
            cascade=[variation_id for variation_id, _ in page],
            links_removed=[link(item_id, variation_id) for variation_id, item_id in page],
            variations_deleted=len(page),
            chunk_ends=False,
        )

    def show_in(self, view: View) -> None:
        """Bring a view up to date."""
        view.links = self._of_item
        view.variations = {id_: value for id_, value in view.variations.items() if id_ not in self.gone} | self.written
