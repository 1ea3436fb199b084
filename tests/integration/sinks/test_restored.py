"""A destination that is not as it was left is brought up to date, or what differs is found and mended."""

from __future__ import annotations

import pytest

from shared.model import Kind
from shared.sinks.mapping import Column, ColumnType, Mapping
from tests.support.batches import items, variations
from tests.support.file_sink import FilesRig
from tests.support.sinks import NAME, PUBLIC, DeliveryRig

PRICED = Mapping(items=(Column("name", path=("name",)), Column("price", ColumnType.NUMBER, ("data", "price"))))


def deliver_some(sink: DeliveryRig) -> None:
    """Deliver some entries."""
    sink.rig.put(*items("a", "b", "c"))
    sink.rig.put(*variations("a", "v1", "v2"), kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.add()
    sink.settle()


def deliver_more(sink: DeliveryRig) -> None:
    """Deliver what becomes of them: changed, gone, moved, new."""
    sink.rig.delete({"id": "b"})
    sink.rig.put({"id": "a", "name": "Newer"}, {"id": "d", "name": "D"})
    sink.rig.delete({"id": "v1"}, kind=Kind.VARIATIONS)
    sink.rig.put(*variations("c", "v2", "v3"), kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.settle()
    sink.check()


@pytest.mark.parametrize("holder", ["one", "two"])
def test_one_restored_from_an_older_backup_goes_on_from_its_own_position(any_sink: DeliveryRig, holder: str) -> None:
    """Its position goes back with it, whether the same worker finds that or another."""
    sink = any_sink
    deliver_some(sink)
    before, restore = (sink.position(), sink.rows(), sink.rows(Kind.VARIATIONS)), sink.backup()
    deliver_more(sink)
    restore()
    assert (sink.position(), sink.rows(), sink.rows(Kind.VARIATIONS)) == before
    delivered = sink.state().entries
    if holder == "two":
        sink.turns = sink.worker(holder)
    sink.settle()
    sink.check()
    assert 0 < sink.state().entries - delivered <= 6, "what has changed since, not all anew"
    assert [found.wrong for found in sink.verify()] == [0, 0]


def test_older_entries_that_were_restored_without_their_position_are_found_and_mended(any_sink: DeliveryRig) -> None:
    sink = any_sink
    deliver_some(sink)
    kept = {kind: sink.raw(kind) for kind in PUBLIC}
    deliver_more(sink)
    for kind, rows in kept.items():
        there = sink.raw(kind)
        for entry_id in {*rows, *there}:
            if rows.get(entry_id) != there.get(entry_id):
                sink.write_raw(kind, entry_id, rows.get(entry_id))
    for repair in (False, True):
        of_items, of_variations = sink.verify(repair=repair)
        assert (of_items.stale, of_items.missing, of_items.extra) == (["a"], ["d"], ["b"])
        assert (of_variations.stale, of_variations.missing, of_variations.extra) == (["v2"], ["v3"], ["v1"])
    sink.check()
    sink.settle()
    assert [found.wrong for found in sink.verify()] == [0, 0]


def test_a_verification_finds_and_mends_what_somebody_changed(any_sink: DeliveryRig) -> None:
    """A body, a column, what is missing, what is too much, on any page; it leaves dead letters alone."""
    sink = any_sink
    sink.rig.put(*items(*(f"i{number:04d}" for number in range(1200))))
    sink.rig.put(*variations("i0001", "v1"), kind=Kind.VARIATIONS)
    sink.rig.put({"id": "dead", "name": "Dead", "data": {"price": "cheap"}})
    last = sink.rig.put(b'{"id": "i0002", "name": "B", "data": {"price": 1.50}}')
    sink.rig.drain()
    sink.add(PRICED)
    sink.settle()
    assert [found.wrong for found in sink.verify()] == [0, 0]
    rows = sink.raw()
    sink.write_raw(Kind.ITEMS, "i0500", rows["i0500"] | {"body": rows["i0501"]["body"]})
    sink.write_raw(Kind.ITEMS, "i1199", rows["i1199"] | {"name": "Mine"})
    sink.write_raw(Kind.ITEMS, "zzz", rows["i0001"] | {"id": "zzz"})
    sink.write_raw(Kind.ITEMS, "i0700", None)
    sink.write_raw(Kind.VARIATIONS, "v1", None)
    for repair in (False, True):
        of_items, of_variations = sink.verify(repair=repair)
        assert (of_items.stale, of_items.missing, of_items.extra) == (["i0500", "i1199"], ["i0700"], ["zzz"])
        assert (of_items.compared, of_items.task_id) == (1201, last)
        assert of_variations.missing == ["v1"]
    sink.settle()
    assert [found.wrong for found in sink.verify()] == [0, 0]
    assert sink.columns()["i0002"] == {"name": "B", "price": 1.5}
    assert set(sink.catalogue()) - set(sink.rows()) == {"dead"}
    assert sink.rows(Kind.VARIATIONS) == sink.catalogue(Kind.VARIATIONS)


def test_a_verification_leaves_what_was_a_dead_letter_a_moment_ago(any_sink: DeliveryRig) -> None:
    sink = any_sink
    sink.rig.put({"id": "a", "name": "A"})
    sink.rig.drain()
    sink.add()
    sink.settle()
    assert [found.wrong for found in sink.verify(repair=True, dead=[(Kind.ITEMS, "a")])] == [0, 0]
    sink.check()


def test_entries_of_a_backup_whose_changes_are_no_longer_kept_are_copied_anew(any_sink: DeliveryRig) -> None:
    sink = any_sink
    deliver_some(sink)
    restore = sink.backup()
    deliver_more(sink)
    sink.rig.clock.advance(10_000)
    later = sink.rig.with_settings(payload_retention_s=0, task_retention_s=1)
    later.retention().retire(now_ms=sink.rig.clock(), limit=1000)
    restore()
    assert sink.turn() == "delivered"
    assert sink.state().phase == "behind"
    sink.settle()
    sink.check()
    assert sink.there() == sink.known()
    assert sink.sinks.get(NAME.name).mapping.kinds == tuple(PUBLIC)


@pytest.mark.parametrize("lost", list(PUBLIC))
@pytest.mark.parametrize("holder", ["one", "two"])
def test_what_somebody_removed_is_made_anew_and_readers_keep_the_rest(
    any_sink: DeliveryRig, lost: Kind, holder: str
) -> None:
    """Until then nothing counts as built, and nothing is left over in the end."""
    sink = any_sink
    sink.rig.put(*items(*(f"i{number:04d}" for number in range(2500))))
    sink.rig.put(*variations("i0001", "v1"), kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.add()
    sink.settle()
    [rest] = {*PUBLIC} - {lost}
    kept = sink.rows(rest)
    sink.lose(lost)
    if holder == "two":
        sink.turns = sink.worker(holder)
    sink.rig.put(*items("new"))
    sink.rig.put(*variations("new", "v2"), kind=Kind.VARIATIONS)
    sink.rig.drain()
    assert sink.turn(budget_s=0) in ("delivered", "lost")
    assert sink.turn(budget_s=0) == "delivered"
    assert (sink.state().phase, sink.state().live_task_id) == ("copying", 0)
    if not isinstance(sink, FilesRig):
        # Readers of files find them by the ledger, which names whole copies only.
        assert {*kept} <= {*sink.rows(rest)}
    sink.settle()
    sink.check()
    assert sink.there() == sink.known()
