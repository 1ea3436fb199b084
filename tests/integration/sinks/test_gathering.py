"""What a sink has to get is read a little at a time, however long the entries are."""

from __future__ import annotations

import pytest

from shared.catalog import changed_entries
from shared.catalog.changed_entries import Place, read_changed, read_changed_in_parts
from shared.model import Kind
from tests.support.batches import items, variations
from tests.support.rig import ACME, Rig
from tests.support.sinks import DeliveryRig

ITEMS, VARIATIONS = Place(Kind.ITEMS, "Products"), Place(Kind.VARIATIONS, "Products")
MOST = 1000


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changed_entries, "MOST_BYTES", MOST)


@pytest.fixture
def long_entries(rig: Rig) -> dict[Place, list[str]]:
    """Ten items of 300 bytes, one of them PATCHed, and one of 5,000; variations; names of what is not there."""
    rig.put(*items(*(f"i{number}" for number in range(10)), data={"text": "x" * 260}))
    rig.put(*items("long", data={"text": "x" * 5000}))
    rig.drain()
    rig.patch({"id": "i3", "data": {"price": 3}})
    rig.put(*variations("i1", "v1", "v2"), kind=Kind.VARIATIONS)
    rig.drain()
    return {ITEMS: [*(f"i{number}" for number in range(5)), "gone", "long", "i9"], VARIATIONS: ["v2", "none", "v1"]}


@pytest.mark.usefixtures("small_parts")
def test_no_part_is_longer_than_allowed_but_for_one_long_entry(rig: Rig, long_entries: dict[Place, list[str]]) -> None:
    """And the parts together are all that was asked for, once, in order."""
    asked: dict[Place, list[str]] = {ITEMS: [], VARIATIONS: []}
    parts = list(read_changed_in_parts(rig.client, ACME, long_entries))
    for ids, found in parts:
        lengths = [len(entry.body) for some in found.entries.values() for entry in some.values()]
        assert sum(lengths) <= MOST or len(lengths) == 1
        for place, some in ids.items():
            asked[place] += some
            assert set(found.entries[place]) <= set(some)
    assert asked == long_entries
    assert len(parts) > 3


def test_the_entries_are_the_same_in_one_part_or_in_many(
    rig: Rig, long_entries: dict[Place, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read_changed(rig.client, ACME, long_entries)
    assert sorted(whole.entries[ITEMS]) == ["i0", "i1", "i2", "i3", "i4", "i9", "long"]
    assert b'"price"' in whole.entries[ITEMS]["i3"].body
    for most in (0, 1, MOST, 10**9):
        monkeypatch.setattr(changed_entries, "MOST_BYTES", most)
        assert read_changed(rig.client, ACME, long_entries) == whole


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("any_sink", ["postgres"], indirect=True)
def test_long_entries_are_delivered_whole(any_sink: DeliveryRig) -> None:
    sink = any_sink
    sink.add()
    sink.settle()
    sink.rig.put(*items(*(f"i{number:03d}" for number in range(300)), data={"text": "x" * 400}))
    sink.rig.delete(*({"id": f"i{number:03d}"} for number in range(0, 300, 7)), force=True)
    sink.rig.put(*variations("i001", *(f"v{number}" for number in range(20))), kind=Kind.VARIATIONS)
    sink.rig.drain()
    sink.settle()
    sink.check()
