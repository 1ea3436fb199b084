"""The changes of a V1 batch of items, computed without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.catalog.effects import Effects, View
from shared.errors import TaskFailed
from shared.keys import link
from shared.model import OnMissing, Operation
from tests.support.batches import make_batch, make_chunks
from tests.unit.workers.apply.test_applier import puts, stored, warned
from workers.apply import v1_items
from workers.apply.applier import apply, wants

CREATE, MODIFY, AMEND = Operation.CREATE, Operation.MODIFY, Operation.AMEND


def item(item_id: str, **fields: Any) -> dict[str, Any]:
    return {"id": item_id, "name": item_id.upper(), **fields}


def variation(item_id: str, variation_id: str, **fields: Any) -> dict[str, Any]:
    return {"id": variation_id, "item_id": item_id, **fields}


def applied(
    operation: Operation, *entries: Any, view: View | None = None, on_missing: OnMissing = OnMissing.FAIL
) -> Effects:
    batch, _ = make_batch(operation, list(entries), on_missing=on_missing)
    return apply(batch, make_chunks(entries)[0], view if view is not None else View())


def view_of(*items: dict[str, Any], variations: dict[str, list[str]] | None = None, complete: bool = True) -> View:
    of_item = variations or {}
    held = {id_: json.dumps(variation(item_id, id_)).encode() for item_id, ids in of_item.items() for id_ in ids}
    links = {item_id: list(ids) for item_id, ids in of_item.items()}
    values = stored(**{one["id"]: {k: v for k, v in one.items() if k != "id"} for one in items})
    return View(values=values, links=links, variations=held, links_complete=complete)


def written(effects: Effects) -> dict[str, Any]:
    return {variation_id: json.loads(value) for variation_id, value in effects.variations.items()}


def test_what_has_to_be_read() -> None:
    """Links of the items whose variations were sent, and whose those variations are now."""
    entries = [item("a"), item("b", variations=[]), item("c", variations=[variation("c", "v")])]
    batch, _ = make_batch(MODIFY, entries)
    wanted = wants(batch, make_chunks(entries)[0])
    assert (wanted.values, wanted.links, wanted.variations) == (["a", "b", "c"], ["b", "c"], ["v"])


# -- items ------------------------------------------------------------------------------------------------------------


def test_a_create_makes_items_with_their_variations() -> None:
    effects = applied(CREATE, item("a", variations=[variation("a", "v"), variation("a", "w")]), item("b"))
    assert puts(effects) == {"a": item("a"), "b": item("b")}
    assert written(effects) == {"v": variation("a", "v"), "w": variation("a", "w")}
    assert (effects.outcomes, effects.links_added) == ("cc", [link("a", "v"), link("a", "w")])
    assert (effects.items_updated, effects.variations_updated) == (2, 2)


def test_a_create_of_what_is_there_fails_whole() -> None:
    view = view_of(item("a"))
    with pytest.raises(TaskFailed, match="item 'a': it exists already"):
        applied(CREATE, item("b", variations=[variation("b", "v")]), item("a"), view=view)
    assert (list(view.values), view.links, view.variations) == (["a"], {}, {})


def test_a_modify_replaces_all_but_a_score_that_was_not_sent() -> None:
    there = item("a", suggested_score=7, data={"old": 1})
    assert puts(applied(MODIFY, item("a", data={"new": 2}), view=view_of(there))) == {
        "a": item("a", suggested_score=7, data={"new": 2})
    }
    assert puts(applied(MODIFY, item("a", suggested_score=8), view=view_of(there))) == {
        "a": item("a", suggested_score=8)
    }


def test_a_modify_of_what_is_not_there_fails_or_makes_it() -> None:
    """The latter with force."""
    with pytest.raises(TaskFailed, match="items not found: 'a'"):
        applied(MODIFY, item("a"))
    effects = applied(MODIFY, item("a"), on_missing=OnMissing.CREATE)
    assert (effects.outcomes, puts(effects)) == ("c", {"a": item("a")})


def test_an_amend_changes_what_was_sent() -> None:
    there = item("a", suggested_score=7, data={"url": "u", "n": 1})
    effects = applied(AMEND, {"id": "a", "data": {"n": 2}}, view=view_of(there))
    assert puts(effects) == {"a": item("a", suggested_score=7, data={"url": "u", "n": 2})}


def test_an_amend_of_what_is_not_there_does_nothing() -> None:
    """Its variations neither."""
    entry = {"id": "a", "variations": [variation("a", "v")]}
    effects = applied(AMEND, entry, on_missing=OnMissing.IGNORE)
    assert (effects.outcomes, puts(effects), written(effects), effects.links_added) == ("i", {}, {}, [])


@pytest.mark.parametrize("operation", [MODIFY, AMEND])
def test_what_changes_nothing_is_not_written(operation: Operation) -> None:
    effects = applied(operation, item("a"), view=view_of(item("a")))
    assert (effects.outcomes, puts(effects)) == ("n", {})


def test_the_last_of_two_wins_with_its_variations() -> None:
    first, second = item("a", variations=[variation("a", "v")]), item("a", variations=[variation("a", "w")])
    effects = applied(CREATE, first, second)
    assert (effects.outcomes, list(written(effects)), warned(effects)) == ("ic", ["w"], [("DUPLICATE_ITEM", "a")])


# -- variations -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", [MODIFY, AMEND])
def test_the_variations_sent_are_all_there_are(operation: Operation) -> None:
    view = view_of(item("a"), variations={"a": ["u", "v"]})
    effects = applied(operation, item("a", variations=[variation("a", "v"), variation("a", "w")]), view=view)
    assert (effects.cascade, list(written(effects)), effects.variations_unchanged) == (["u"], ["w"], 1)
    assert (effects.links_added, effects.links_removed) == ([link("a", "w")], [link("a", "u")])
    assert (effects.outcomes, effects.variations_deleted, effects.variations_updated) == ("u", 1, 2)


@pytest.mark.parametrize("operation", [MODIFY, AMEND])
def test_variations_that_were_not_sent_stay(operation: Operation) -> None:
    view = view_of(item("a"), variations={"a": ["u"]})
    effects = applied(operation, item("a", name="new"), view=view)
    assert (effects.cascade, written(effects), effects.links_removed) == ([], {}, [])


def test_a_variation_may_change_its_item() -> None:
    """Whichever of the two items comes first."""
    for entries in (
        [item("a", variations=[]), item("b", variations=[variation("b", "v")])],
        [item("b", variations=[variation("b", "v")]), item("a", variations=[])],
    ):
        effects = applied(MODIFY, *entries, view=view_of(item("a"), item("b"), variations={"a": ["v"]}))
        assert (effects.cascade, written(effects)) == ([], {"v": variation("b", "v")})
        assert (effects.links_added, effects.links_removed) == ([link("b", "v")], [link("a", "v")])


def test_those_behind_see_what_was_done() -> None:
    """Tasks that share their reads are as if applied one after the other."""
    view = view_of(item("a"), variations={"a": ["u"]})
    applied(MODIFY, item("a", variations=[variation("a", "v")]), view=view)
    second = applied(MODIFY, item("a", variations=[variation("a", "u")]), view=view)
    assert (second.cascade, second.links_added, second.links_removed) == (["v"], [link("a", "u")], [link("a", "v")])


def test_many_variations_go_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last page writes; before that nothing but deletions is done."""
    monkeypatch.setattr(v1_items, "LIST_LENGTH", 2)
    entry = item("a", variations=[variation("a", "z")])
    first = applied(MODIFY, entry, view=view_of(item("a"), variations={"a": ["u", "v", "w"]}, complete=False))
    assert (first.cascade, first.links_removed) == (["u", "v"], [link("a", "u"), link("a", "v")])
    assert (first.outcomes, first.chunk_ends, puts(first), written(first)) == ("", False, {}, {})
    last = applied(MODIFY, entry, view=view_of(item("a"), variations={"a": ["w"]}))
    assert (last.cascade, list(written(last)), last.chunk_ends) == (["w"], ["z"], True)
