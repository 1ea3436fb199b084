"""The writes of a sync: what its files have changed or new, and what they have unchanged, with its time."""

from __future__ import annotations

import json
from array import array
from dataclasses import replace
from typing import Any

import pytest

from shared.catalog.effects import Effects, Puts, View, Wants
from shared.keys import link
from shared.model import Batch, Chunk, Kind, Operation, Part, Skipped
from tests.support.batches import Entry, entry_bytes, items, make_batch, make_chunks, named, variations
from workers.apply.applier import apply, wants
from workers.apply.sync import variations_came_before

STAMP = b"1764371234567"


def seen(*entries: Entry) -> dict[str, bytes]:
    """Entries as readers see them, by id, with their update times."""
    return {json.loads(entry_bytes(entry))["id"]: STAMP + entry_bytes(entry) for entry in entries}


def synced(entries: list[Entry], view: View, operation: Operation = Operation.SYNC, **facts: Any) -> Effects:
    batch, _ = make_batch(operation, entries, **facts)
    return apply(batch, make_chunks(entries, kind=batch.kind)[0], view)


def counts(effects: Effects) -> tuple[int, int, int]:
    return effects.items_updated, effects.variations_updated, effects.item_groups_updated


def warned(effects: Effects) -> list[tuple[str, str]]:
    return [(warning["code"], warning["data"]["id"]) for warning in json.loads(f"[{effects.warnings}]")]


# -- entries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "counted"), [(Kind.ITEMS, (3, 0, 0)), (Kind.VARIATIONS, (0, 3, 0)), (Kind.ITEM_GROUPS, (0, 0, 3))]
)
def test_what_is_unchanged_keeps_its_time_and_all_else_is_written(kind: Kind, counted: tuple[int, int, int]) -> None:
    """All of it is new in the generation that is built, and counts as updated."""
    before = seen(*items("same", "changed"))
    view = View(seen_values=before)
    sent: list[Entry] = [b'{"name": "Item same", "id": "same"}', {"id": "changed", "name": "B"}, *items("new")]
    effects = synced(sent, view, kind=kind)
    assert effects.outcomes == "nuc"
    written = [entry_bytes(entry) for entry in sent[1:]]
    assert effects.puts == Puts(["changed", "new"], written, new=["changed", "new"])
    assert effects.kept == Puts(["same"], [before["same"]], new=["same"])
    assert (counts(effects), warned(effects), effects.items_touched) == (counted, [], [])


@pytest.mark.parametrize("kind", Kind)
def test_an_entry_that_came_in_an_earlier_chunk_is_replaced_and_counts_once(kind: Kind) -> None:
    """With a warning; it is not new any more, also if it is as readers see it."""
    view = View(seen_values=seen(*items("same")))
    assert sum(counts(synced(items("same", "other"), view, kind=kind))) == 2
    effects = synced(items("third", "same", "other"), view, kind=kind)
    assert (effects.puts.new, effects.kept.new) == (["third"], [])
    assert (effects.puts.ids, effects.kept.ids) == (["third", "other"], ["same"])
    assert sorted(warned(effects)) == [("DUPLICATE_ITEM", "other"), ("DUPLICATE_ITEM", "same")]
    assert sum(counts(effects)) == 1


def test_what_is_left_out_has_its_outcome_in_its_place() -> None:
    """Entries that break the rules, and those that a later one replaces."""
    entries = [*items("a", n=1), b"7", *items("b"), b"[]", *items("a", n=2)]
    raw = list(map(entry_bytes, entries))
    text, ends = b",".join(raw), [sum(map(len, raw[: i + 1])) + i for i in range(len(raw))]
    bounds = array("I", [bound for one, end in zip(raw, ends, strict=True) for bound in (end - len(one), end)])
    refused = [Skipped(1, None, "no object"), Skipped(3, None, "no object")]
    chunk = Chunk(text, ["a", "", "b", "", "a"], bounds, None, [0], skipped=refused)
    batch, _ = make_batch(Operation.SYNC, items("a"))
    effects = apply(batch, chunk, View(seen_values=seen(*items("b"))))
    assert effects.outcomes == "ifnfc"
    assert (effects.puts.ids, effects.puts.values, effects.kept.ids) == (["a"], raw[-1:], ["b"])
    assert [code for code, _ in warned(effects)] == ["INVALID_ENTRY", "INVALID_ENTRY", "DUPLICATE_ITEM"]
    kept = apply(replace(batch, operation=Operation.KEEP), chunk, View(seen_values=seen(*items("a", "b"))))
    assert (kept.outcomes, kept.kept.ids) == ("ifnfn", ["b", "a"])
    assert warned(kept) == warned(effects)


def test_null_counts_as_absent_in_a_sync() -> None:
    view = View(seen_values=seen(*items("a")))
    entries: list[Entry] = [{"id": "a", "name": "Item a", "data": None}, {"id": "b", "name": "B", "data": None}]
    effects = synced(entries, view)
    assert (effects.outcomes, effects.puts.values) == ("nc", [b'{"id":"b","name":"B"}'])


def test_a_list_of_ids_keeps_what_is_there_and_names_the_rest() -> None:
    """What is kept is not changed, so it does not count."""
    view = View(seen_values=seen(*items("a", "b", "c")))
    effects = synced(named("b", "none", "a"), view, Operation.KEEP)
    assert (effects.outcomes, effects.puts) == ("nin", Puts())
    assert effects.kept == Puts(["b", "a"], [view.seen_values["b"], view.seen_values["a"]], new=["b", "a"])
    assert (counts(effects), warned(effects)) == ((0, 0, 0), [("NOT_FOUND", "none")])
    assert synced(named("a", "c"), view, Operation.KEEP).kept.new == ["c"], "a came before"


# -- variations -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", [Operation.SYNC, Operation.KEEP])
def test_a_kept_variation_is_linked_in_the_new_generation(operation: Operation) -> None:
    view = View(seen_values=seen(*variations("i", "v")), items={"i"})
    effects = synced(variations("i", "v"), view, operation, kind=Kind.VARIATIONS)
    assert (effects.kept.ids, effects.links_added, effects.links_removed) == (["v"], [link("i", "v")], [])
    assert (effects.items_touched, view.values) == ([], {"v": entry_bytes(variations("i", "v")[0])})


def test_a_variation_that_comes_again_with_another_item_is_linked_to_that() -> None:
    view = View(items={"i", "j"})
    synced(variations("i", "v", "w"), view, kind=Kind.VARIATIONS)
    effects = synced([*variations("j", "v"), *variations("i", "w", n=1)], view, kind=Kind.VARIATIONS)
    assert (effects.links_added, effects.links_removed) == ([link("j", "v")], [link("i", "v")])


def test_variations_that_were_read_again_are_not_new() -> None:
    """After a worker that died, its successor reads what it wrote."""
    view = View(values={"v": entry_bytes(variations("i", "v")[0])}, items={"i"})
    effects = synced(variations("i", "v", "w"), view, kind=Kind.VARIATIONS)
    assert (effects.puts.new, effects.links_added) == (["w"], [link("i", "w")])
    assert (effects.variations_updated, warned(effects)) == (1, [("DUPLICATE_ITEM", "v")])


def test_a_variation_that_names_no_item_any_more_has_no_link() -> None:
    view = View(items={"i"})
    synced(variations("i", "v"), view, kind=Kind.VARIATIONS)
    effects = synced([{"id": "v"}, {"id": "w"}], view, kind=Kind.VARIATIONS)
    assert (effects.links_added, effects.links_removed, effects.items_touched) == ([], [link("i", "v")], [])


def test_the_items_of_changed_variations_are_touched() -> None:
    """Those that they had, as readers see it, and those that they get; of the others none."""
    view = View(seen_values=seen(*variations("old", "moved"), *variations("i", "same"), {"id": "free"}))
    entries = [*variations("new", "moved"), *variations("i", "same"), *variations("k", "free", "fresh")]
    effects = synced(entries, view, kind=Kind.VARIATIONS)
    assert sorted(effects.items_touched) == ["k", "new", "old"]


def test_an_orphan_is_warned_of_where_it_can_be_told() -> None:
    """Not while its item may still come, nor of what is only kept: those were there before."""
    sent = [*variations("gone", "v"), *variations("i", "w"), {"id": "x"}]
    effects = synced(sent, View(items={"i"}), kind=Kind.VARIATIONS)
    assert warned(effects) == [("ORPHAN_VARIATION", "v")]
    assert warned(synced(sent, View(items_to_come=True), kind=Kind.VARIATIONS)) == []
    there = View(seen_values=seen(*sent))
    assert warned(synced(sent, there, Operation.KEEP, kind=Kind.VARIATIONS)) == []


def test_items_behind_their_variations_are_written_though_unchanged() -> None:
    """Else an item would be touched before it is there."""
    view = View(seen_values=seen(*items("a")))
    first, second = Part(Kind.VARIATIONS, 1, 1), Part(Kind.ITEMS, 2, 1)
    batch, _ = make_batch(Operation.SYNC, items("a", "b"))
    behind, before = replace(batch, parts=(first, second)), replace(batch, parts=(second, first))
    effects = apply(behind, make_chunks(items("a", "b"))[0], view)
    assert (effects.outcomes, effects.puts.ids, effects.kept.ids) == ("uc", ["a", "b"], [])
    assert list(map(variations_came_before, [behind, before, replace(behind, kind=Kind.VARIATIONS), batch])) == [
        True, False, False, False,
    ]  # fmt: skip


# -- what is read -----------------------------------------------------------------------------------------------------


def wanted(entries: list[Entry], kind: Kind) -> Wants:
    batch: Batch
    batch, _ = make_batch(Operation.SYNC, entries, kind=kind)
    return wants(batch, make_chunks(entries, kind=kind)[0])


def test_a_sync_reads_what_readers_see_and_what_it_wrote() -> None:
    """Of variations the values too, which tell where they were linked, and the items that they name."""
    for kind in (Kind.ITEMS, Kind.ITEM_GROUPS):
        assert wanted(items("a", "b"), kind) == Wants(seen_values=["a", "b"], present=["a", "b"])
    sent = [*variations("i", "v"), {"id": "w"}]
    assert wanted(sent, Kind.VARIATIONS) == Wants(seen_values=["v", "w"], values=["v", "w"], items=["i"])
