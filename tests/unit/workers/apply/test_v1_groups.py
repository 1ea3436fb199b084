"""The changes of a V1 batch of item groups, computed without a server."""

from __future__ import annotations

import json
from array import array
from typing import Any

import pytest

from shared.catalog.effects import View
from shared.errors import TaskFailed
from shared.model import NO_SECTION, Chunk, Kind, OnMissing, Operation
from tests.support.batches import make_batch, make_chunks
from tests.unit.workers.apply.test_applier import puts, warned
from workers.apply import v1_groups
from workers.apply.applier import apply, wants

ADD, UPSERT, REPLACE = Operation.ADD, Operation.UPSERT, Operation.REPLACE


def group(group_id: str, **fields: Any) -> dict[str, Any]:
    return {"id": group_id, "name": group_id.upper(), **fields}


def view_of(*there: dict[str, Any]) -> View:
    values = {one["id"]: json.dumps(one).encode() for one in there}
    return View(values=values, all_ids=set(values))


def applied(operation: Operation, entries: list[Any], view: View, *, on_missing: OnMissing = OnMissing.CREATE) -> Any:
    facts: dict[str, Any] = {"kind": Kind.ITEM_GROUPS, "section": NO_SECTION, "on_missing": on_missing}
    batch, _ = make_batch(operation, entries, **facts)
    none = Chunk(b'{"item_groups":[]}', [], array("I"))
    [chunk] = make_chunks(entries, kind=Kind.ITEM_GROUPS) if entries else [none]
    return apply(batch, chunk, view)


@pytest.mark.parametrize("operation", [ADD, UPSERT, REPLACE])
def test_only_a_replace_needs_to_see_all_groups(operation: Operation) -> None:
    batch, _ = make_batch(operation, [group("a")], kind=Kind.ITEM_GROUPS, section=NO_SECTION)
    [chunk] = make_chunks([group("a")], kind=Kind.ITEM_GROUPS)
    wanted = wants(batch, chunk)
    assert (wanted.values, wanted.all_ids) == (["a"], operation is REPLACE)


def test_an_add_leaves_what_is_there() -> None:
    """It is counted as left out, not as updated."""
    effects = applied(ADD, [group("a", name="new"), group("b")], view_of(group("a")))
    assert (effects.outcomes, effects.item_groups_updated, puts(effects)) == ("ic", 1, {"b": group("b")})


def test_an_upsert_replaces_the_fields_that_were_sent_whole() -> None:
    """Data too: it is not merged key by key, as a PATCH of V2 does."""
    there = group("a", parent_ids=["r"], data={"old": 1})
    effects = applied(UPSERT, [{"id": "a", "data": {"new": 2}}, group("b")], view_of(there))
    assert effects.outcomes == "uc"
    assert puts(effects) == {"a": {**there, "data": {"new": 2}}, "b": group("b")}


def test_one_field_that_changes_is_enough_to_write() -> None:
    """Whatever comes behind it."""
    effects = applied(UPSERT, [group("a", name="new", parent_ids=["r"])], view_of(group("a", parent_ids=["r"])))
    assert (effects.outcomes, puts(effects)) == ("u", {"a": group("a", name="new", parent_ids=["r"])})


def test_an_upsert_that_changes_nothing_writes_nothing() -> None:
    effects = applied(UPSERT, [group("a")], view_of(group("a", data={"n": 1})))
    assert (effects.outcomes, effects.item_groups_updated, puts(effects)) == ("n", 1, {})


def test_null_removes_a_field_in_an_upsert_and_is_absent_in_a_new_group() -> None:
    effects = applied(UPSERT, [group("a", data=None), group("b", data=None)], view_of(group("a", data={"n": 1})))
    assert puts(effects) == {"a": group("a"), "b": group("b")}


def test_an_upsert_that_may_not_make_groups_fails() -> None:
    """Whole: the group that is there stays as it was."""
    view = view_of(group("a"))
    with pytest.raises(TaskFailed, match="item groups not found: 'x'"):
        applied(UPSERT, [{"id": "a", "data": {}}, {"id": "x", "data": {}}], view, on_missing=OnMissing.FAIL)
    assert view.values == view_of(group("a")).values


def test_a_replace_makes_the_groups_sent_all_there_are() -> None:
    """What is equal is not written again; what was not sent goes."""
    there = view_of(group("a", data={"n": 1}), group("b"), group("c"))
    effects = applied(REPLACE, [group("a"), group("c"), group("d")], there)
    assert (effects.outcomes, effects.deletes) == ("unc", ["b"])
    assert puts(effects) == {"a": group("a"), "d": group("d")}
    assert (effects.item_groups_updated, effects.item_groups_deleted) == (3, 1)


def test_a_replace_by_none_deletes_all() -> None:
    effects = applied(REPLACE, [], view_of(group("a"), group("b")))
    assert (effects.outcomes, effects.deletes, effects.chunk_ends) == ("", ["a", "b"], True)


def test_a_replace_deletes_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last page writes, so what was sent is there before the task ends and not before."""
    monkeypatch.setattr(v1_groups, "DELETES_PER_COMMIT", 2)
    view = view_of(*map(group, "abcde"))
    first = applied(REPLACE, [group("z")], view)
    assert (first.deletes, first.outcomes, puts(first), first.chunk_ends) == (["a", "b"], "", {}, False)
    rest = applied(REPLACE, [group("z")], view_of(*map(group, "de")))
    assert (rest.deletes, rest.outcomes, rest.chunk_ends) == (["d", "e"], "c", True)


def test_the_last_of_two_wins() -> None:
    effects = applied(REPLACE, [group("a", name="one"), group("a", name="two")], view_of(group("a", name="two")))
    assert (effects.outcomes, effects.item_groups_updated) == ("in", 1)
    assert warned(effects) == [("DUPLICATE_ITEM", "a")]


def test_those_behind_see_what_was_done() -> None:
    """Tasks that share their reads are as if applied one after the other."""
    view = view_of(group("a"))
    applied(REPLACE, [group("b")], view)
    second = applied(REPLACE, [group("a"), group("b")], view)
    assert (second.outcomes, second.deletes) == ("cn", [])
