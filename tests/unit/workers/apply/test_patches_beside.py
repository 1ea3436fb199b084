"""PATCHes of many long items are kept beside them, and later ones go by that alone as far as it is enough."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from shared.catalog.effects import Puts, View
from shared.errors import TaskFailed
from shared.limits import DATA_MAX_BYTES, GROUP_DATA_MAX_BYTES
from shared.model import Kind, OnMissing, Operation
from tests.support.batches import Entry, named
from tests.unit.workers.apply.test_applier import applied, batch_of, puts
from workers.apply.columns import FEWEST
from workers.apply.patches import PATCH_BYTES, TIMES_LONGER, Unseen, go_by_patches

IDS = [f"i{number:02}" for number in range(FEWEST)]


def patch(entry_id: str, **data: Any) -> bytes:
    return json.dumps({"id": entry_id, "data": data}, separators=(",", ":")).encode()


def long(entry_id: str, length: int = 1000, price: int = 0) -> bytes:
    """An item of so many bytes."""
    entry = {"id": entry_id, "name": "n", "data": {"price": price, "text": ""}}
    entry["data"]["text"] = "x" * (length - len(json.dumps(entry, separators=(",", ":"))))  # type: ignore[index]
    return json.dumps(entry, separators=(",", ":")).encode()


def sent(**data: Any) -> list[Entry]:
    """A PATCH of each item: the price is its number, that of the first one nought as before."""
    return [patch(entry_id, price=number, **data) for number, entry_id in enumerate(IDS)]


def test_of_long_items_only_the_patches_are_written() -> None:
    """The view has both; another PATCH is composed with the one before."""
    view = View(values={entry_id: long(entry_id) for entry_id in IDS})
    effects = applied(Operation.PATCH, sent(), view)
    assert (effects.outcomes, effects.puts, effects.items_updated) == ("n" + "u" * (FEWEST - 1), Puts(), FEWEST)
    assert effects.patches == Puts(IDS[1:], [patch(one, price=number) for number, one in enumerate(IDS)][1:])
    assert json.loads(view.values["i07"])["data"]["price"] == 7
    again = applied(Operation.PATCH, [patch(one, stock=1) for one in IDS], view)
    assert again.outcomes == "u" * FEWEST
    assert again.patches.values[7] == patch("i07", price=7, stock=1)
    assert view.patches["i07"] == patch("i07", price=7, stock=1)
    assert view.patches["i00"] == patch("i00", stock=1)


def test_what_was_patched_before_is_enough_for_the_same_fields() -> None:
    view = View(patches={entry_id: patch(entry_id, price=0) for entry_id in IDS})
    effects = applied(Operation.PATCH, sent(), view)
    assert (effects.outcomes, effects.puts) == ("n" + "u" * (FEWEST - 1), Puts())
    assert (effects.patches.ids, effects.patches.values[6]) == (IDS[1:], patch("i07", price=7))
    assert (view.patches["i07"], view.values) == (patch("i07", price=7), {})


def test_where_that_is_not_enough_it_is_said_which_have_to_be_read() -> None:
    """A field that was not PATCHed before, one that becomes too long, an edit of a list; the view stays as it was."""
    before = {entry_id: patch(entry_id, price=0) for entry_id in IDS}
    before["i05"] = patch("i05", stock=1)
    unread: list[tuple[list[Entry], list[str]]] = [
        (sent(), ["i05"]),
        (sent(stock=2), list(IDS)),
        ([patch(one, **{"price:add": [1]}) for one in IDS], IDS),
        ([patch(one, price="x" * PATCH_BYTES) if one == "i09" else patch(one, price=1) for one in IDS], ["i05", "i09"]),
    ]
    for entries, ids in unread:
        view = View(patches=dict(before))
        with pytest.raises(Unseen) as caught:
            applied(Operation.PATCH, entries, view)
        assert (caught.value.ids, view.patches) == (ids, before)


def test_some_may_be_known_by_their_patches_and_others_whole() -> None:
    """Each has its outcome in its place; if one of the others is not there, those known by patches have to be read."""
    some, rest = IDS[::2], IDS[1::2]
    view = View(patches={one: patch(one, price=0) for one in some}, values={one: long(one, price=3) for one in rest})
    effects = applied(Operation.PATCH, sent(), view)
    assert effects.outcomes == "".join("n" if number in (0, 3) else "u" for number in range(FEWEST))
    written = [(number, one) for number, one in enumerate(IDS) if number not in (0, 3)]
    expected = {one: patch(one, price=number) for number, one in written}
    assert dict(zip(effects.patches.ids, effects.patches.values, strict=True)) == expected
    assert effects.puts.ids == []
    view = View(patches={one: patch(one, price=0) for one in some}, values={one: long(one) for one in rest[1:]})
    with pytest.raises(Unseen) as caught:
        applied(Operation.PATCH, sent(), view)
    assert caught.value.ids == some


def test_short_items_and_long_patches_are_written_whole() -> None:
    """So is an item that might become longer than it may be by what is kept beside it."""
    enough, most = TIMES_LONGER * len(patch("i01", price=1)), DATA_MAX_BYTES - PATCH_BYTES
    values = {one: long(one) for one in IDS}
    values |= {"i01": long("i01", enough - 1), "i02": long("i02", enough), "i03": long("i03", most)}
    values |= {"i04": long("i04", most + 1), "i05": long("i05", 9_000), "i06": long("i06", 9_000)}
    frame = len(patch("i05", price=""))
    entries = sent()
    entries[5:7] = [
        patch("i05", price="x" * (PATCH_BYTES - frame)),
        patch("i06", price="x" * (PATCH_BYTES - frame + 1)),
    ]
    effects = applied(Operation.PATCH, entries, View(values=values))
    assert (effects.puts.ids, effects.puts.new) == (["i01", "i04", "i06"], [])
    assert set(IDS[1:]) - set(effects.patches.ids) == {"i01", "i04", "i06"}
    assert puts(effects)["i01"]["data"]["price"] == 1


@pytest.mark.parametrize("kind", [Kind.VARIATIONS, Kind.ITEM_GROUPS])
def test_only_items_have_anything_beside_them(kind: Kind) -> None:
    view = View(values={entry_id: long(entry_id) for entry_id in IDS})
    effects = applied(Operation.PATCH, sent(), view, kind=kind)
    assert (effects.puts.ids, effects.puts.new, effects.patches) == (IDS[1:], [], Puts())
    all_changed = applied(Operation.PATCH, [patch(one, price=99) for one in IDS], view, kind=kind)
    assert (all_changed.puts.ids, all_changed.puts.new, all_changed.outcomes) == (IDS, [], "u" * FEWEST)
    assert {one["data"]["price"] for one in puts(all_changed).values()} == {99}


def test_many_plain_patches_of_items_are_looked_for_beside_them() -> None:
    """Fewer are not worth it, and where some are left out it is for the whole chunk to say what becomes of them."""
    batch, chunk = batch_of(Operation.PATCH, sent())
    assert go_by_patches(batch, chunk)
    assert not go_by_patches(*batch_of(Operation.PATCH, sent()[1:]))
    assert not go_by_patches(*batch_of(Operation.PATCH, [*sent(), *sent()[:1]]))
    assert not go_by_patches(replace(batch, kind=Kind.VARIATIONS), chunk)
    assert not go_by_patches(replace(batch, operation=Operation.PUT), chunk)


@pytest.mark.parametrize(
    ("kind", "most"),
    [(Kind.ITEMS, DATA_MAX_BYTES), (Kind.VARIATIONS, DATA_MAX_BYTES), (Kind.ITEM_GROUPS, GROUP_DATA_MAX_BYTES)],
)
@pytest.mark.parametrize("many", [1, FEWEST])
def test_data_becomes_no_longer_than_it_may_be(kind: Kind, most: int, many: int) -> None:
    """Whether few are PATCHed or many."""
    frame = len('{"price":1,"text":""}')
    for length, refused in ((most, False), (most + 1, True)):
        values = {one: patch(one, price=1) for one in IDS[:many]}
        entries: list[Entry] = [patch(one, text="x") for one in IDS[:many]]
        entries[-1] = patch(IDS[many - 1], text="x" * (length - frame))
        if refused:
            with pytest.raises(TaskFailed, match=f"data would have {most + 1} bytes of JSON"):
                applied(Operation.PATCH, entries, View(values=values), kind=kind)
        else:
            assert applied(Operation.PATCH, entries, View(values=values), kind=kind).outcomes == "u" * many


def test_a_patch_tells_which_entries_it_creates() -> None:
    view = View(values={"there": b'{"id":"there"}'})
    entries = [*named("there"), {"id": "new", "name": "N"}, {"id": "there", "name": "T"}, {"id": "more", "name": "M"}]
    effects = applied(Operation.PATCH, entries, view, on_missing=OnMissing.CREATE)
    assert (effects.outcomes, effects.puts.new) == ("icuc", ["new", "more"])


@pytest.mark.parametrize("many", [1, FEWEST])
def test_an_entry_that_is_patched_twice_has_the_last_patch_alone(many: int) -> None:
    """Whether few are PATCHed or many."""
    view = View(values={entry_id: patch(entry_id, price=0) for entry_id in IDS[:many]})
    entries: list[Entry] = [patch("i00", price=1, stock=1), *(patch(one, price=2) for one in IDS[:many])]
    effects = applied(Operation.PATCH, entries, view)
    assert effects.outcomes == "i" + "u" * many
    assert [one["data"] for one in puts(effects).values()] == [{"price": 2}] * many
