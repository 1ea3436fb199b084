"""The changes of a batch, computed without a server."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from api.entries.checked_batch import parse_batch
from shared.catalog.effects import Effects, View, Wants
from shared.errors import TaskFailed
from shared.guards.rules import safeguard
from shared.keys import link
from shared.model import Batch, Chunk, Form, Kind, OnMissing, Operation, Skipped
from shared.settings import Settings
from tests.support.batches import Entry, items, make_batch, make_chunks, named, variations
from workers.apply import patches
from workers.apply.applier import apply, deletions, guard, wants
from workers.apply.columns import FEWEST

#: Enough PATCHes to be merged at once; the first changes nothing.
PRICES: list[Entry] = [b'{"id":"i%d","data":{"price":%d}}' % (number, number) for number in range(FEWEST)]


def batch_of(operation: Operation, entries: list[Entry], **facts: Any) -> tuple[Batch, Chunk]:
    batch, _ = make_batch(operation, entries, **facts)
    return batch, make_chunks(entries, kind=batch.kind)[0]


def applied(operation: Operation, entries: list[Entry], view: View | None = None, **facts: Any) -> Effects:
    batch, chunk = batch_of(operation, entries, **facts)
    return apply(batch, chunk, view if view is not None else View())


def stored(**values: Any) -> dict[str, bytes]:
    """Entries as they are read, by id."""
    return {entry_id: json.dumps({"id": entry_id, **value}).encode() for entry_id, value in values.items()}


def warned(effects: Effects) -> list[tuple[str, str]]:
    return [(warning["code"], warning["data"]["id"]) for warning in json.loads(f"[{effects.warnings}]")]


def puts(effects: Effects) -> dict[str, Any]:
    pairs = zip(effects.puts.ids, effects.puts.values, strict=True)
    return {entry_id: json.loads(value) for entry_id, value in pairs}


# -- PUT --------------------------------------------------------------------------------------------------------------


def test_a_put_stores_the_bytes_that_were_sent() -> None:
    """White space, the order of the fields and the spelling of numbers included."""
    for sent in (
        b'{ "id" : "a","name":"x" , "data":{"price": 19.90} }',
        b'{"id":"a", "data": {"n":null, "price":1e2}}',
    ):
        effects = applied(Operation.PUT, [*items("b"), sent])
        assert effects.puts.values[1] == sent


def test_null_counts_as_absent_in_a_put() -> None:
    """At the top only: inside data it is a value."""
    entry: Entry = {"id": "a", "name": "x", "suggested_score": None, "data": {"n": None}}
    assert puts(applied(Operation.PUT, [entry])) == {"a": {"id": "a", "name": "x", "data": {"n": None}}}


def test_what_is_sent_as_it_is_stored_is_not_written() -> None:
    """White space and the order of members do not count, the spelling of numbers does."""
    before = b'{"id":"a","name":"x","data":{"price":1,"sizes":["S","M"]}}'
    view = View(seen_values={"a": b"1764371234567" + before})
    for sent in (
        before,
        b'{ "id": "a", "data": {"sizes": ["S",\n"M"], "price": 1}, "name": "x", "suggested_score": null}',
    ):
        effects = applied(Operation.PUT, [sent], view)
        assert (puts(effects), effects.outcomes, effects.items_updated) == ({}, "n", 1)
    assert applied(Operation.PUT, [before.replace(b"1", b"1.0")], view).outcomes == "u"
    assert applied(Operation.PUT, [before], view).outcomes == "u", "it is the one before that counts"


def test_what_is_unchanged_behind_much_that_changes_is_told() -> None:
    """Whatever it is spelled like, and whenever it was written."""
    sent = [b'{"id":"%d","n":%d}' % (number, number % 7) for number in range(40)]
    spelled = [sent[17], sent[23].replace(b",", b", "), sent[31].replace(b",", b",\n"), b'{"n":4,"id":"39"}']
    stored_at = b"1764371234567", b"1764371234999"
    for stored_, stamp in ((spelled[:1], 0), (spelled, 0), (spelled, 1), (spelled[:2], 1)):
        seen = {f"{number}": stored_at[0] + b'{"id":"%d","n":9}' % number for number in range(40)}
        seen |= {name: stored_at[stamp] + value for name, value in zip(["17", "23", "31", "39"], stored_, strict=False)}
        outcomes = ["u"] * 40
        for number in (17, 23, 31, 39)[: len(stored_)]:
            outcomes[number] = "n"
        assert applied(Operation.PUT, sent, View(seen_values=seen)).outcomes == "".join(outcomes)


def test_what_is_new_among_what_is_written_is_told() -> None:
    """With unchanged ones in between, and without; those planned before in memory are not new."""
    view = View(seen_values={name: b"1764371234567" + entry for name, entry in stored(a={}, b={}, d={}).items()})
    sent: list[Entry] = [{"id": "a"}, {"id": "b", "n": 1}, {"id": "c"}]
    for entries, outcomes, written in ((sent, "nuc", ["b", "c"]), (sent[1:], "uc", ["b", "c"]), (sent[:1], "n", [])):
        effects = applied(Operation.PUT, entries, replace(view, values={}))
        assert (effects.outcomes, effects.puts.ids) == (outcomes, written)
        assert effects.puts.new == (["c"] if written else [])
        assert [json.loads(value)["id"] for value in effects.puts.values] == written
    applied(Operation.PUT, sent, view)
    effects = applied(Operation.PUT, [*sent[1:], {"id": "d"}, {"id": "e"}], view)
    assert (effects.outcomes, effects.puts.ids, effects.puts.new) == ("nnnc", ["e"], ["e"])


def test_the_last_of_several_puts_wins() -> None:
    """The earlier ones have no effect, and are named in a warning."""
    effects = applied(Operation.PUT, [*items("a", n=1), *items("b"), *items("a", n=2)])
    assert puts(effects)["a"]["n"] == 2
    assert effects.outcomes == "icc"
    assert effects.items_updated == 2
    assert warned(effects) == [("DUPLICATE_ITEM", "a")]


# -- PATCH ------------------------------------------------------------------------------------------------------------


def test_a_patch_without_effect_writes_nothing() -> None:
    """It counts as updated all the same, and the entry keeps its update time."""
    effects = applied(Operation.PATCH, [{"id": "a", "name": "x"}], View(values=stored(a={"name": "x"})))
    assert (puts(effects), effects.outcomes, effects.items_updated) == ({}, "n", 1)


def test_one_missing_id_fails_the_whole_task() -> None:
    """The message names ten at most, and how many more there are."""
    entries = named(*(f"m{i}" for i in range(12)), "a")
    with pytest.raises(TaskFailed, match=r"items not found: 'm0', .*'m9' and 2 more"):
        applied(Operation.PATCH, entries, View(values=stored(a={"name": "x"})))


def test_on_missing_ignore_skips_by_name() -> None:
    view = View(values=stored(a={"name": "x"}))
    effects = applied(Operation.PATCH, [*named("m"), {"id": "a", "name": "y"}], view, on_missing=OnMissing.IGNORE)
    assert (effects.outcomes, effects.items_updated, list(puts(effects))) == ("iu", 1, ["a"])


def test_on_missing_create_tells_created_from_updated() -> None:
    """Each entry's outcome is its own, in whatever order they stand."""
    view = View(values=stored(a={"name": "x"}, b={"name": "x"}))
    entries = [{"id": "a", "name": "y"}, {"id": "m", "name": "new"}, {"id": "b", "name": "x"}]
    effects = applied(Operation.PATCH, entries, view, on_missing=OnMissing.CREATE)
    assert effects.outcomes == "ucn"
    assert effects.items_updated == 3


def test_what_a_patch_creates_holds_no_nulls() -> None:
    """Null removes a key (RFC 7396), also one that is not there."""
    entry: Entry = {"id": "m", "name": "new", "suggested_score": None, "data": {"a": 1, "b": None}}
    effects = applied(Operation.PATCH, [entry], on_missing=OnMissing.CREATE)
    assert puts(effects) == {"m": {"id": "m", "name": "new", "data": {"a": 1}}}


def test_what_a_patch_cannot_create_is_told_with_what_it_lacks() -> None:
    with pytest.raises(TaskFailed, match=r"^item 'm': it is not there, and cannot be created without 'name'"):
        applied(Operation.PATCH, [{"id": "m", "data": {"a": 1}}], on_missing=OnMissing.CREATE)


def test_an_edit_of_no_list_fails_and_names_the_entry() -> None:
    view = View(values=stored(a={"name": "x", "data": {"tags": "text"}}))
    with pytest.raises(TaskFailed, match=r"^item 'a': data\.tags:add needs a list"):
        applied(Operation.PATCH, [{"id": "a", "data": {"tags:add": ["x"]}}], view)


def test_the_last_of_several_patches_wins_alone() -> None:
    """They are not merged one after the other; the earlier ones do not even fail."""
    view = View(values=stored(a={"name": "x", "data": {"n": 1}}))
    entries: list[Entry] = [{"id": "a", "data": {"n:add": [1]}}, {"id": "a", "data": {"m": 2}}]
    effects = applied(Operation.PATCH, entries, view)
    assert puts(effects) == {"a": {"id": "a", "name": "x", "data": {"n": 1, "m": 2}}}
    assert (effects.outcomes, warned(effects)) == ("iu", [("DUPLICATE_ITEM", "a")])


def test_a_second_chunk_sees_what_the_first_changed() -> None:
    """Batches that share one read follow each other in memory."""
    view = View(values=stored(a={"name": "x", "data": {"tags": []}}))
    for tag in ("one", "two"):
        effects = applied(Operation.PATCH, [{"id": "a", "data": {"tags:add": [tag]}}], view)
    assert puts(effects)["a"]["data"] == {"tags": ["one", "two"]}


# -- variations -------------------------------------------------------------------------------------------------------


def test_a_variation_is_linked_to_its_item() -> None:
    effects = applied(Operation.PUT, variations("i", "v"), View(items={"i"}), kind=Kind.VARIATIONS)
    assert (effects.links_added, effects.links_removed) == ([link("i", "v")], [])
    assert (effects.variations_updated, effects.items_updated, warned(effects)) == (1, 0, [])


@pytest.mark.parametrize(
    ("form", "body"),
    [
        (Form.JSON, b'{"items":[%b]}' % b",".join(PRICES)),
        (Form.JSON, b'{ "items" : [ %b\n] }' % b" ,\r\n".join(PRICES)),
        (Form.NDJSON, b"\n\n".join(PRICES)),
    ],
)
def test_many_patches_are_merged_at_once_however_they_were_sent(
    form: Form, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patches, "_merged_one_by_one", None)
    batch, _ = make_batch(Operation.PATCH, PRICES)
    [chunk] = parse_batch(body, kind=Kind.ITEMS, operation=Operation.PATCH, form=form, max_entries=1000)
    view = View(values=stored(**{f"i{number}": {"data": {"price": 0, "n": number}} for number in range(len(PRICES))}))
    effects = apply(replace(batch, form=form), chunk, view)
    assert effects.outcomes == "n" + "u" * (len(PRICES) - 1)
    assert puts(effects) == {
        f"i{number}": {"id": f"i{number}", "data": {"price": number, "n": number}} for number in range(1, len(PRICES))
    }


@pytest.mark.parametrize("operation", [Operation.PUT, Operation.PATCH])
def test_a_variation_that_moves_is_linked_anew(operation: Operation) -> None:
    view = View(values=stored(v={"item_id": "old"}), items={"new"})
    effects = applied(operation, variations("new", "v"), view, kind=Kind.VARIATIONS)
    assert (effects.links_added, effects.links_removed) == ([link("new", "v")], [link("old", "v")])
    assert sorted(effects.items_touched) == ["new", "old"]


def test_a_variation_that_stays_is_not_linked_again() -> None:
    view = View(values=stored(v={"item_id": "i"}), items={"i"})
    effects = applied(Operation.PUT, variations("i", "v", "new", name="x"), view, kind=Kind.VARIATIONS)
    assert (effects.links_added, effects.links_removed) == ([link("i", "new")], [])


def test_a_variation_without_its_item_is_stored_with_a_warning() -> None:
    """Each time it is put, changed or not."""
    view = View()
    for outcome in "cn":
        effects = applied(Operation.PUT, variations("gone", "v"), view, kind=Kind.VARIATIONS)
        assert effects.outcomes == outcome
        assert warned(effects) == [("ORPHAN_VARIATION", "v")]
        assert "variation 'v': its item 'gone' does not exist" in effects.warnings


def test_a_patch_that_names_no_item_warns_of_none() -> None:
    """The variation's item may well be there."""
    entries: list[Entry] = [{"id": "v", "name": "x"}]
    batch, chunk = batch_of(Operation.PATCH, entries, kind=Kind.VARIATIONS)
    view = View(values=stored(v={"item_id": "i"}), items={"i"}.intersection(wants(batch, chunk).items))
    assert warned(apply(batch, chunk, view)) == []


def test_variations_read_their_items_and_their_old_values() -> None:
    """The values tell where they were linked."""
    assert wants(*batch_of(Operation.PUT, variations("i", "v"), kind=Kind.VARIATIONS)) == Wants(
        values=["v"], items=["i"]
    )


def test_deleting_a_variation_removes_its_link() -> None:
    view = View(values=stored(v={"item_id": "i"}))
    effects = applied(Operation.DELETE, named("v", "unknown"), view, kind=Kind.VARIATIONS)
    assert (effects.deletes, effects.links_removed) == (["v"], [link("i", "v")])
    assert (effects.variations_deleted, effects.items_deleted, effects.outcomes) == (1, 0, "di")
    assert effects.item_groups_deleted == 0


# -- DELETE of items --------------------------------------------------------------------------------------------------


def test_deleting_an_item_deletes_its_variations() -> None:
    """Both are counted, unknown ids are not, and the view follows."""
    view = View(items={"a", "b"}, size=5, links={"a": ["v", "w"]})
    effects = applied(Operation.DELETE, named("a", "unknown"), view)
    assert (effects.deletes, effects.cascade, effects.outcomes) == (["a"], ["v", "w"], "di")
    assert (effects.items_deleted, effects.variations_deleted) == (1, 2)
    assert effects.links_removed == [link("a", "v"), link("a", "w")]
    assert (view.items, view.size, view.links) == ({"b"}, 4, {})


def test_too_many_variations_go_page_by_page() -> None:
    """The items themselves go with the last page, so that a page done twice finds what is left."""
    view = View(items={"a"}, size=1, links={"a": ["v", "w"]}, links_complete=False)
    page = applied(Operation.DELETE, named("a"), view)
    assert (page.deletes, page.cascade, page.outcomes, page.chunk_ends) == ([], ["v", "w"], "", False)
    assert (page.links_removed, page.variations_deleted) == ([link("a", "v"), link("a", "w")], 2)
    last = applied(Operation.DELETE, named("a"), View(items={"a"}, size=1, links={"a": ["x"]}))
    assert (last.deletes, last.cascade, last.outcomes, last.chunk_ends) == (["a"], ["x"], "d", True)


def test_the_last_of_several_deletes_has_the_effect() -> None:
    """As with every operation, the earlier ones are skipped with a warning."""
    effects = applied(Operation.DELETE, named("a", "a"), View(items={"a"}, size=1))
    assert (effects.outcomes, effects.items_deleted, warned(effects)) == ("id", 1, [("DUPLICATE_ITEM", "a")])


def test_an_item_named_in_two_chunks_is_one_deletion() -> None:
    """The check pass adds up what its chunks would delete."""
    chunks = make_chunks(named("a", "b", "a", "b"), chunk_entries=2)
    batch, _ = make_batch(Operation.DELETE, named("a", "b", "a", "b"), chunk_entries=2)
    assert sum(deletions(batch, chunk, View(items={"a", "b"}, size=2)) for chunk in chunks) == 2


def test_deleted_variations_leave_their_items_touched_once() -> None:
    """Those that name one; what is gone from the view is not deleted again."""
    there = stored(v={"item_id": "i"}, w={"item_id": "i"}, x={"item_id": "j"}, free={})
    view = View(values=there, size=9)
    effects = applied(Operation.DELETE, named("v", "free", "x", "w", "gone"), view, kind=Kind.VARIATIONS)
    assert (effects.items_touched, effects.outcomes, view.size, view.values) == (["i", "j"], "ddddi", 5, {})
    assert effects.links_removed == [link("i", "v"), link("j", "x"), link("i", "w")]
    again = applied(Operation.DELETE, named("v"), view, kind=Kind.VARIATIONS)
    assert (again.deletes, again.outcomes, view.size) == ([], "i", 5)


def test_deleted_item_groups_are_counted_as_such() -> None:
    view = View(values=stored(g={"name": "G"}))
    effects = applied(Operation.DELETE, named("g", "g"), view, kind=Kind.ITEM_GROUPS)
    assert (effects.item_groups_deleted, effects.variations_deleted, effects.items_deleted) == (1, 0, 0)
    assert warned(effects) == [("DUPLICATE_ITEM", "g")]


# -- what is read, and what is left out -------------------------------------------------------------------------------

IDS, LIVE = ["a", "b", "a"], ["b", "a"]


@pytest.mark.parametrize(
    ("kind", "operation", "wanted"),
    [
        (Kind.ITEMS, Operation.PUT, Wants(seen_values=IDS)),
        (Kind.ITEM_GROUPS, Operation.PUT, Wants(seen_values=IDS)),
        (Kind.ITEMS, Operation.DELETE, Wants(items=IDS, links=LIVE, size=True)),
        (Kind.VARIATIONS, Operation.DELETE, Wants(values=IDS, size=True)),
        (Kind.ITEM_GROUPS, Operation.DELETE, Wants(values=IDS, size=True)),
        (Kind.ITEMS, Operation.PATCH, Wants(values=IDS)),
        (Kind.ITEM_GROUPS, Operation.PATCH, Wants(values=IDS)),
        (Kind.VARIATIONS, Operation.PATCH, Wants(values=IDS)),
    ],
)
def test_no_more_is_read_than_an_operation_needs(kind: Kind, operation: Operation, wanted: Wants) -> None:
    assert wants(*batch_of(operation, named(*IDS), kind=kind)) == wanted


@pytest.mark.parametrize("operation", [Operation.PUT, Operation.PATCH, Operation.DELETE])
def test_entries_that_break_the_rules_are_left_out_in_their_place(operation: Operation) -> None:
    """They are named, and do not count; nor does one that a later one replaces."""
    entries = [*items("a", n=1), *items("b"), *items("c"), *items("a", n=2)]
    batch, chunk = batch_of(operation, entries, on_missing=OnMissing.CREATE)
    chunk = replace(chunk, ids=["a", "", "", "a"], skipped=[Skipped(1, "b", "bad"), Skipped(2, None, "bad")], first=5)
    effects = apply(batch, chunk, View(items={"a"}, size=1))
    assert (effects.outcomes[:3], effects.outcomes[3:] in "cd") == ("iff", True)
    assert effects.items_updated + effects.items_deleted == 1
    assert warned(effects) == [("INVALID_ENTRY", "b"), ("INVALID_ENTRY", None), ("DUPLICATE_ITEM", "a")]
    assert [one["data"].get("index") for one in json.loads(f"[{effects.warnings}]")] == [6, 7, None]
    written = [] if operation is Operation.DELETE else [json.loads(chunk.entry(3))]
    assert list(map(json.loads, effects.puts.values)) == written


def test_a_put_takes_the_place_of_what_was_kept_beside() -> None:
    view = View(patches={"a": b'{"data":{}}', "b": b"{}"})
    applied(Operation.PUT, items("a", "c"), view)
    assert view.patches == {"b": b"{}"}


@pytest.mark.parametrize("kind", Kind)
def test_what_is_written_counts_for_its_kind(kind: Kind) -> None:
    effects = applied(Operation.PUT, items("a"), kind=kind)
    counts = effects.items_updated, effects.variations_updated, effects.item_groups_updated
    assert counts == tuple(int(kind is one) for one in Kind)


def test_items_that_are_still_to_come_make_no_orphans() -> None:
    """An orphan is one whose item is nowhere; of the others beside it nothing is said."""
    entries = [*variations("gone", "v"), *variations("i", "w"), {"id": "free"}]
    assert warned(applied(Operation.PUT, entries, View(items_to_come=True), kind=Kind.VARIATIONS)) == []
    effects = applied(Operation.PUT, entries, View(items={"i"}), kind=Kind.VARIATIONS)
    assert warned(effects) == [("ORPHAN_VARIATION", "v")]
    assert sorted(effects.items_touched) == ["gone", "i"]
    twice = applied(Operation.PUT, [*entries, *entries[:1]], View(items={"i"}), kind=Kind.VARIATIONS)
    assert warned(twice) == [("DUPLICATE_ITEM", "v"), ("ORPHAN_VARIATION", "v")]


# -- the safeguard ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deleted", "there", "refused"),
    [(50, 100, False), (51, 100, True), (99, 99, False), (100, 100, True), (0, 0, False)],
)
def test_more_than_half_of_a_section_is_guarded(deleted: int, there: int, refused: bool) -> None:
    """Half is not more than half, and below a hundred items anything goes."""
    batch, _ = batch_of(Operation.DELETE, named("a"))
    limit = safeguard(None, Settings())
    guard(replace(batch, force=True), batch.kind, deleted, there, limit)
    if refused:
        with pytest.raises(TaskFailed, match=f"would delete {deleted} of the {there} items .*force=true"):
            guard(batch, batch.kind, deleted, there, limit)
    else:
        guard(batch, batch.kind, deleted, there, limit)


def test_only_entries_there_count_as_deletions() -> None:
    batch, chunk = batch_of(Operation.DELETE, named("a", "b", "unknown", "a"))
    assert deletions(batch, chunk, View(items={"a", "b", "c"})) == 2
    other = replace(batch, kind=Kind.VARIATIONS)
    assert deletions(other, chunk, View(items={"a", "b"}, values={"b": b"{}"})) == 1
    assert deletions(replace(batch, operation=Operation.PATCH), chunk, View(items={"a"})) == 0


def test_the_safeguard_says_what_would_be_deleted_and_what_to_do() -> None:
    """Item groups belong to no section."""
    limit = safeguard(None, Settings())
    for kind, what in ((Kind.ITEMS, "items in section 'Products'"), (Kind.ITEM_GROUPS, "item groups")):
        batch, _ = batch_of(Operation.DELETE, named("a"), kind=kind)
        said = f"this would delete 60 of the 100 {what}, more than 50%; send force=true if this is intended"
        with pytest.raises(TaskFailed, match=f"^{said}$"):
            guard(batch, kind, 60, 100, limit)
