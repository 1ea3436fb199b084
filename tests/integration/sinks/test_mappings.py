"""What a mapping says is what readers see, in every destination."""

from __future__ import annotations

from typing import Any

import pytest

from shared.model import Kind
from shared.sinks.destination import CopyChange
from shared.sinks.mapping import Mapping, Variations
from shared.sinks.mapping_file import parse_mapping
from tests.support.batches import items, variations
from tests.support.sink_stand_ins import delivering
from tests.support.sinks import NAME, DeliveryRig, LedgerRig

ITEMS = {
    "title": "name",
    "price": {"from": "data.price", "type": "number"},
    "colors": {"from": "data.facets.color", "type": "texts"},
    "weight": {"from": ["data", "net.weight"], "type": "integer"},
    "sold": {"from": "data.sold", "type": "boolean"},
    "since": {"from": "data.since", "type": "time"},
    "more": {"from": "data.more", "type": "json"},
    "shop": {"value": "berlin"},
    "rank": {"value": 3},
}
WHOLE = parse_mapping({"items": ITEMS, "variations": {"size": "data.facets.size"}})
DATA = {
    "price": [19.90], "facets": {"color": "red"}, "net.weight": "12", "sold": "TRUE",
    "since": "2026-01-02T03:04:05+01:00", "more": {"x": [1]},
}  # fmt: skip
CONSTANT = {"shop": "berlin", "rank": 3}
COLUMNS = CONSTANT | {
    "title": "A", "price": 19.9, "colors": ["red"], "weight": 12, "sold": True, "since": 1767319445, "more": {"x": [1]},
}  # fmt: skip
#: Ids that a path, a file name or a filter would read as something else.
STRANGE = [
    ".", "..", "a.b", "ü/x", "x y", "x,y", "`,]", "a&b=c?d#e", "-1", "&&", "*", "x" * 400, "%2E", "[1]", "'; --", "a:b",
]  # fmt: skip


def test_columns_are_renamed_flattened_constant_and_of_every_type(any_sink: DeliveryRig) -> None:
    sink = any_sink
    sink.rig.put({"id": "a", "name": "A", "data": DATA}, {"id": "bare", "name": "Bare"})
    sink.rig.put({"id": "v", "item_id": "a", "data": {"facets": {"size": ["L"]}}}, kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.add(WHOLE)
    sink.settle()
    sink.check()
    assert sink.columns() == {"a": COLUMNS, "bare": CONSTANT | {"title": "Bare"}}
    assert sink.columns(Kind.VARIATIONS) == {"v": {"size": "L"}}
    # What an entry has no longer is gone.
    sink.rig.put({"id": "a", "name": "Other"})
    sink.rig.put({"id": "v", "item_id": "a"}, kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.settle()
    assert sink.columns()["a"] == CONSTANT | {"title": "Other"}
    assert sink.columns(Kind.VARIATIONS) == {"v": {}}
    assert [found.wrong for found in sink.verify()] == [0, 0]


def test_ids_of_every_kind_are_delivered_compared_and_deleted(any_sink: DeliveryRig) -> None:
    sink = any_sink
    sink.rig.put(*({"id": one, "name": one, "data": DATA} for one in ["a", *STRANGE]))
    sink.rig.drain()
    sink.add(WHOLE)
    sink.settle()
    sink.check()
    assert [found.wrong for found in sink.verify()] == [0, 0]
    sink.rig.patch(*({"id": one, "name": f"Other {one}"} for one in STRANGE))
    sink.rig.drain()
    sink.settle()
    sink.check()
    sink.rig.delete(*({"id": one} for one in STRANGE), force=True)
    sink.rig.drain()
    sink.settle()
    assert list(sink.rows()) == ["a"]
    assert [found.wrong for found in sink.verify()] == [0, 0]


@pytest.mark.parametrize("any_sink", ["opensearch", "typesense"], indirect=True)
def test_what_is_put_into_others_has_its_columns_too(any_sink: LedgerRig) -> None:
    """As the guide says; a table has whole bodies there."""
    sink = any_sink
    sink.rig.put({"id": "a", "name": "A", "data": DATA})
    sink.rig.put({"id": "v", "item_id": "a", "data": {"facets": {"size": "L"}}}, kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.add(Mapping(WHOLE.items, WHOLE.variations, Variations.NESTED))
    sink.settle()
    [inside] = sink.raw()["a"]["variations"]
    assert (inside["id"], inside["size"]) == ("v", "L")
    sink.sinks.remap(NAME.name, Mapping(WHOLE.items, WHOLE.variations, Variations.FLAT))
    sink.settle()
    item = sink.raw(Kind.VARIATIONS)["v"]["item"]
    assert {name: item[name] for name in CONSTANT} == CONSTANT
    assert (item["id"], item["title"], item["colors"]) == ("a", "A", ["red"])


def test_another_mapping_leaves_nothing_of_a_kind_that_it_has_not(any_sink: DeliveryRig) -> None:
    sink = any_sink
    sink.rig.put(*items("a"))
    sink.rig.put(*variations("a", "v"), kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.add()
    sink.settle()
    assert sink.kinds() == [Kind.ITEMS, Kind.VARIATIONS]
    sink.sinks.remap(NAME.name, parse_mapping({"items": ITEMS, "mode": "none"}))
    sink.settle()
    assert sink.kinds() == [Kind.ITEMS]
    sink.sinks.remap(NAME.name, WHOLE)
    sink.settle()
    assert sink.kinds() == [Kind.ITEMS, Kind.VARIATIONS]
    sink.check()


def filled(sink: DeliveryRig) -> None:
    """Store more than one delivery of a copy takes."""
    sink.rig.put(*items(*(f"i{number:04d}" for number in range(2500))))
    sink.rig.put(*variations("i0001", "v"), kind=Kind.VARIATIONS)
    sink.rig.drain()


@pytest.mark.parametrize("live", [False, True])
def test_a_mapping_that_is_changed_while_all_is_copied_is_what_readers_get(any_sink: DeliveryRig, live: bool) -> None:
    """In the middle of a turn, with a copy that is live or none; nothing is left of the one that was not wanted."""
    sink = any_sink
    filled(sink)
    sink.add()
    if live:
        sink.settle()
        sink.sinks.resync(NAME.name)
    wanted = parse_mapping({"items": ITEMS, "mode": "none"})

    def change_first(real: Any, change: CopyChange) -> Any:
        if sink.sinks.get(NAME.name).mapping != wanted:
            sink.sinks.remap(NAME.name, wanted)
        return real(change)

    sink.turns = sink.worker(connect=delivering(change_first))
    for _ in range(10):
        assert sink.turn(budget_s=0) in ("delivered", "lost")
        if sink.state().phase == "live" and sink.state().version == sink.sinks.get(NAME.name).version:
            break
    sink.settle()
    sink.check()
    assert sink.columns()["i0001"] == CONSTANT | {"title": "Item i0001"}
    assert sink.there() == sink.known()


def test_a_sink_that_is_removed_while_it_copies_is_given_up_and_can_be_added_again(any_sink: DeliveryRig) -> None:
    """In the middle of a turn: that ends at once, and nothing is recorded of it."""
    sink = any_sink
    filled(sink)
    sink.add()
    delivered = list[CopyChange]()

    def remove_first(real: Any, change: CopyChange) -> Any:
        sink.sinks.remove(NAME.name)
        delivered.append(change)
        return real(change)

    sink.turns = sink.worker(connect=delivering(remove_first))
    assert sink.turn() == "lost"
    assert len(delivered) == 1
    assert (sink.turn(), sink.state().phase) == ("not owner", "")
    sink.turns = sink.worker("two")
    sink.add(take_over=True)
    sink.settle()
    sink.check()
    assert sink.there() == sink.known()
