"""What every destination promises, tried with each of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from shared.model import Kind
from shared.sinks.destination import DestinationAway, check_sink
from shared.sinks.mapping import Column, ColumnType, Mapping, Variations
from shared.sinks.search.opensearch import OpenSearch
from shared.sinks.search.typesense import Typesense
from shared.sinks.sink_lease import SinkLease
from shared.sinks.sinks import BadSink
from shared.sinks.verify import NotSettled
from tests.support.batches import items, variations
from tests.support.sink_faults import run_with_faults
from tests.support.sinks import NAME, DeliveryRig
from tests.support.store_server import StoreServer

#: Columns of every type within others.
COLUMNS = (
    Column("name", path=("name",)),
    Column("price", ColumnType.NUMBER, ("data", "price")),
    Column("tags", ColumnType.TEXTS, ("data", "tags")),
    Column("since", ColumnType.TIME, ("data", "since")),
    Column("more", ColumnType.JSON, ("data", "more")),
    Column("shop", value="berlin"),
)
DATA = {"price": 19.90, "tags": ["a", "b"], "since": "2026-01-31T12:00:00Z", "more": {"x": [1]}}
#: Ids that filters, paths and file names may trip over.
STRANGE = ["a b", "x,y", "`tick`", "ü", "a/b", "[1]", "x" * 100]

COMBINED = [Variations.NESTED, Variations.FLAT]


#: Files have each entry by itself, and names that nobody else has.
combining = pytest.mark.parametrize("any_sink", ["postgres", "opensearch", "typesense"], indirect=True)
named = combining


def test_a_new_sink_gets_the_whole_catalogue_and_then_its_changes(any_sink: DeliveryRig) -> None:
    sink = any_sink
    sink.rig.put(*items(*(f"i{number:02d}" for number in range(25))))
    sink.rig.put(*variations("i01", "v1", "v2"), kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.add()
    sink.settle()
    sink.check()
    sink.rig.put({"id": "new", "name": "A new one"})
    sink.rig.patch({"id": "i03", "name": "Another name"})
    sink.rig.delete({"id": "i01"})
    last = sink.rig.put(b'{"id": "more",\n "name": "More", "data": {"price": 19.90}}')
    sink.rig.drain()
    sink.settle()
    sink.check()
    assert sink.position() == (last, True)
    assert sink.find("Another") == ["i03"]
    assert "19.90" in sink.spelled("more")


def test_an_idle_sink_writes_nothing(any_sink: DeliveryRig) -> None:
    sink = any_sink
    sink.rig.put(*items("a", "b", "c"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    before = sink.stamp()
    sink.settle()
    assert sink.stamp() == before


def test_only_one_worker_delivers_and_another_goes_on_when_its_lease_is_over(any_sink: DeliveryRig) -> None:
    sink = any_sink
    sink.rig.put(*items("a"))
    sink.rig.drain()
    sink.add()
    first = SinkLease(sink.rig.client, sink.rig.settings, "one", NAME)
    assert first.hold() is not None
    assert sink.turn() == "not owner"
    sink.rig.client.delete(sink.rig.keys().sink_lease(NAME.name))
    sink.settle()
    sink.check()
    assert first.settle(None, release=True) == -1, "it is another's now"


def test_an_item_whose_variation_is_written_differs_in_nothing(any_sink: DeliveryRig) -> None:
    """Though it has changed: when it did is not compared."""
    any_sink.put_variation_later()
    assert [found.wrong for found in any_sink.verify()] == [0, 0]


def test_a_sink_whose_changes_are_no_longer_kept_copies_everything_anew(any_sink: DeliveryRig) -> None:
    sink = any_sink
    sink.rig.put(*items("a", "b"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    sink.sinks.pause(NAME.name)
    sink.rig.delete({"id": "a"})
    sink.rig.put({"id": "c", "name": "C"})
    sink.rig.drain()
    later = sink.rig.with_settings(payload_retention_s=0, task_retention_s=1)
    sink.rig.clock.advance(10_000)
    later.retention().retire(now_ms=sink.rig.clock(), limit=1000)
    assert sink.turn() == "delivered"
    assert "c" not in sink.rows(), "paused"
    sink.sinks.resume(NAME.name)
    assert sink.turn() == "delivered"
    assert sink.state().phase == "behind"
    sink.settle()
    sink.check()


def test_a_verification_compares_nothing_with_another_mapping(any_sink: DeliveryRig) -> None:
    sink = any_sink
    sink.rig.put(*items("a"))
    sink.rig.drain()
    sink.add()
    sink.settle()
    sink.sinks.remap(NAME.name, Mapping(items=(Column("price", ColumnType.INTEGER, ("data", "price")),)))
    with pytest.raises(NotSettled, match="products is being copied anew"):
        sink.verify(repair=True)
    sink.check()


def test_another_mapping_replaces_all_at_once_and_leaves_nothing_behind(any_sink: DeliveryRig) -> None:
    sink = any_sink
    sink.rig.put(*items(*(f"i{number:04d}" for number in range(2500)), data={"price": 3}))
    sink.rig.drain()
    sink.add()
    sink.settle()
    sink.sinks.remap(NAME.name, Mapping(items=COLUMNS, mode=Variations.NONE))
    assert sink.turn(budget_s=0) == "delivered"
    assert sink.state().phase == "copying"
    assert len(sink.rows()) == 2500, "the old one, as it was"
    # The first worker is gone; what changes meanwhile is not missed.
    sink.rig.delete({"id": "i0000"})
    sink.rig.put({"id": "i2400", "name": "Changed"}, {"id": "new", "name": "New"})
    sink.rig.drain()
    sink.turns = sink.worker("two")
    sink.settle()
    assert sink.rows() == sink.catalogue()
    assert [found.wrong for found in sink.verify()] == [0]
    assert sink.there() == sink.known()


@named
def test_what_no_sink_made_is_left_alone_unless_it_may_be_replaced(any_sink: DeliveryRig) -> None:
    sink = any_sink
    sink.occupy()
    sink.add()
    assert sink.turn() == "failed"
    assert "products already, which no sink made" in sink.state().error
    assert sink.is_occupied()
    sink.sinks.remove(NAME.name)
    sink.rig.put(*items("a"))
    sink.rig.drain()
    sink.add(take_over=True)
    sink.settle()
    sink.check()


@named
def test_what_comes_while_all_is_copied_is_left_alone(any_sink: DeliveryRig) -> None:
    """There is no switch while it is there."""
    sink = any_sink
    sink.rig.put(*items(*(f"i{number:04d}" for number in range(2500))))
    sink.rig.drain()
    sink.add()
    assert sink.turn(budget_s=0) == "delivered"
    sink.occupy()
    assert sink.turn() == "failed"
    assert "products already, which no sink made" in sink.state().error
    assert sink.is_occupied()
    sink.free()
    sink.sinks.resume(NAME.name)
    sink.settle()
    sink.check()


def test_workers_that_are_killed_paused_and_woken_late_leave_everything_right(
    any_sink: DeliveryRig, store_server: StoreServer
) -> None:
    any_sink.add()
    run_with_faults(any_sink, store_server.url, seed=7)
    # The emulator of OpenSearch, unlike the engine, lets late deletions create an index of the name of their gate.
    assert [name for name in any_sink.there() if "-w" not in name] == any_sink.known(), "nothing is left over"


def check_combined(sink: DeliveryRig, mode: Variations) -> None:
    """The copy is the catalogue, and what is put together is what the catalogue says."""
    sink.check()
    there, items_there = sink.catalogue(Kind.VARIATIONS), sink.catalogue()
    if mode is Variations.NESTED:
        wanted = {
            item_id: [one for one in sorted(there, key=str.encode) if there[one]["item_id"] == item_id]
            for item_id in items_there
        }
        assert sink.nested() == wanted
    else:
        assert sink.flat() == {
            one: items_there.get(entry["item_id"], {}).get("name") for one, entry in there.items()
        }  # fmt: skip


@combining
@pytest.mark.parametrize("mode", COMBINED)
def test_variations_follow_their_items_and_items_their_variations(any_sink: DeliveryRig, mode: Variations) -> None:
    sink = any_sink
    sink.rig.put(*items("a", "b"))
    sink.rig.put(*variations("a", "v1", "v2"), kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.add(Mapping(mode=mode))
    sink.settle()
    check_combined(sink, mode)
    sink.rig.put({"id": "v2", "item_id": "b"}, kind=Kind.VARIATIONS)
    sink.rig.put({"id": "b", "name": "Other"})
    sink.rig.put(*variations("a", "v3"), kind=Kind.VARIATIONS)
    sink.rig.delete({"id": "v1"}, kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.settle()
    check_combined(sink, mode)
    if mode is Variations.NESTED:
        assert sink.nested() == {"a": ["v3"], "b": ["v2"]}
    else:
        assert sink.flat() == {"v2": "Other", "v3": "Item a"}
    assert [found.wrong for found in sink.verify()] == [0, 0]


@combining
@pytest.mark.parametrize("mode", COMBINED)
def test_each_change_alone_reaches_what_it_is_put_into(any_sink: DeliveryRig, mode: Variations) -> None:
    sink = any_sink
    sink.add(Mapping(mode=mode))
    sink.settle()
    changes = [
        lambda: sink.rig.put(*variations("late", "v1"), kind=Kind.VARIATIONS),
        lambda: sink.rig.put(*items("late", "other")),
        lambda: sink.rig.put({"id": "v1", "item_id": "other"}, kind=Kind.VARIATIONS),
        lambda: sink.rig.put({"id": "other", "name": "Renamed"}),
        lambda: sink.rig.delete({"id": "v1"}, kind=Kind.VARIATIONS),
        lambda: sink.rig.put(*variations("other", "v2", "v3"), kind=Kind.VARIATIONS),
        lambda: sink.rig.delete({"id": "other"}),
    ]
    for change in changes:
        change()
        sink.rig.drain()
        sink.settle()
        check_combined(sink, mode)


@combining
@pytest.mark.parametrize("mode", COMBINED)
def test_columns_of_every_type_and_ids_of_every_kind_are_put_together(any_sink: DeliveryRig, mode: Variations) -> None:
    sink = any_sink
    sink.rig.put(*({"id": one, "name": f"Item {one}", "data": DATA} for one in STRANGE), {"id": "bare"})
    theirs = [{"id": f"v {one}", "item_id": one, "data": DATA} for one in STRANGE]
    sink.rig.put(*theirs, {"id": "v", "item_id": "bare"}, kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.add(Mapping(items=COLUMNS, variations=COLUMNS, mode=mode))
    sink.settle()
    sink.rig.patch(*({"id": one, "name": "Changed"} for one in STRANGE))
    sink.rig.drain()
    sink.settle()
    check_combined(sink, mode)


@combining
@pytest.mark.parametrize("mode", COMBINED)
def test_whatever_changes_at_once_is_put_together(any_sink: DeliveryRig, mode: Variations) -> None:
    sink, chance = any_sink, random.Random(5)
    sink.rig.put(*items(*(f"i{number}" for number in range(8))))
    sink.rig.drain()
    sink.add(Mapping(mode=mode))
    for _ in range(8):
        for _ in range(chance.randrange(1, 6)):
            some = [f"i{number}" for number in chance.sample(range(8), 3)]
            match chance.randrange(4):
                case 0:
                    sink.rig.put(*({"id": one, "name": f"Name {chance.random()}"} for one in some))
                case 1:
                    sink.rig.delete(*({"id": one} for one in some))
                case 2:
                    sink.rig.delete(*({"id": f"v{one}"} for one in some), kind=Kind.VARIATIONS)
                case _:
                    new = [{"id": f"v{one}", "item_id": f"i{chance.randrange(8)}"} for one in some]
                    sink.rig.put(*new, kind=Kind.VARIATIONS)
        sink.rig.drain()
        sink.settle()
        check_combined(sink, mode)


@pytest.mark.parametrize("any_sink", ["opensearch", "typesense"], indirect=True)
@pytest.mark.parametrize("mode", COMBINED)
@pytest.mark.parametrize("lost", [Kind.ITEMS, Kind.VARIATIONS])
def test_a_delivery_that_was_cut_off_is_put_together_by_the_next(
    any_sink: DeliveryRig, mode: Variations, lost: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever of it was written: also the item that a variation has left is known then."""
    sink = any_sink
    sink.rig.put(*items("a", "b"))
    sink.rig.put(*variations("a", "v1"), kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.add(Mapping(mode=mode))
    sink.settle()
    sink.rig.put({"id": "v1", "item_id": "b"}, kind=Kind.VARIATIONS)
    sink.rig.put({"id": "b", "name": "Other"})
    sink.rig.drain()
    with monkeypatch.context() as patch:
        for engine in (OpenSearch, Typesense):
            patch.setattr(engine, "write", _cut_before(lost, engine.write))
        assert sink.turn() == "failed"
    sink.rig.clock.advance(100_000)
    sink.settle()
    check_combined(sink, mode)


def _cut_before(lost: Kind, write: Callable[..., Any]) -> Callable[..., Any]:
    def cut(engine: Any, place: str, gate: str, number: int, kind: Kind, *what: Any) -> Any:
        if kind is lost:
            raise DestinationAway("cut off")
        return write(engine, place, gate, number, kind, *what)

    return cut


@pytest.mark.parametrize("mode", COMBINED)
def test_files_have_no_combined_variations_and_say_so(mode: Variations) -> None:
    with pytest.raises(BadSink, match=f"cannot have mode {mode}; use table or none"):
        check_sink("files+memory://feed", Mapping(mode=mode))
