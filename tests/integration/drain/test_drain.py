"""The drain over mixed batches: whole or not at all, in order, slice by slice."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.model import Kind, OnMissing, Operation
from tests.support.batches import Entry, items, named, variations
from tests.support.rig import ACME, Rig
from workers.drain.drainer import Drained


def random_entry(chance: random.Random, kind: Kind, operation: Operation) -> Entry:
    entry: dict[str, Any] = {"id": f"{kind[0]}{chance.randrange(12)}"}
    if operation is Operation.DELETE:
        return entry
    if kind is Kind.VARIATIONS:
        entry["item_id"] = f"i{chance.randrange(12)}"
    if operation is Operation.PUT or chance.random() < 0.3:
        entry["name"] = f"Name {chance.randrange(100)}"
    if chance.random() < 0.7:
        edit = chance.choice(["", "", ":add", ":remove"]) if operation is Operation.PATCH else ""
        entry["data"] = {f"tags{edit}": chance.sample(["a", "b", 1, 1.0, True, None], 2)}
    if operation in V1_OF_ITEMS and chance.random() < 0.7:
        ids = chance.sample(range(12), chance.randrange(5))
        entry["variations"] = [{"id": f"v{one}", "item_id": entry["id"], "name": f"{len(ids)}"} for one in ids]
    return entry


#: These come in one chunk.
V1_OF_GROUPS = (Operation.ADD, Operation.UPSERT, Operation.REPLACE)
V1_OF_ITEMS = (Operation.CREATE, Operation.MODIFY, Operation.AMEND)


def send_at_random(rig: Rig, chance: random.Random, batches: int) -> None:
    """Batches of all operations on few ids, so that each meets what others left."""
    for _ in range(batches):
        kind = chance.choice(list(Kind))
        operation = chance.choice([Operation.PUT, Operation.PATCH, Operation.DELETE])
        if kind is not Kind.VARIATIONS and chance.random() < 0.5:
            operation = chance.choice(V1_OF_GROUPS if kind is Kind.ITEM_GROUPS else V1_OF_ITEMS)
        one_chunk = operation in V1_OF_GROUPS + V1_OF_ITEMS
        entries = [random_entry(chance, kind, operation) for _ in range(chance.randrange(1, 8))]
        if operation is Operation.DELETE:
            entries = list({entry["id"]: entry for entry in entries}.values())  # type: ignore[index]
        rig.send(
            operation,
            entries,
            kind=kind,
            on_missing=chance.choice(
                list(OnMissing)
                if operation in V1_OF_ITEMS
                else [OnMissing.FAIL, OnMissing.CREATE if one_chunk else OnMissing.IGNORE]
            ),
            chunk_entries=1000 if one_chunk else chance.choice([2, 1000]),
        )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("slice_s", [0.0, 60.0], ids=["slice by slice", "in one go"])
def test_mixed_batches_are_applied_in_order(rig: Rig, seed: int, slice_s: float) -> None:
    """However many share a round trip, the outcome is that of one after the other."""
    rig = rig.with_settings(slice_s=slice_s)
    send_at_random(rig, random.Random(seed), 60)
    assert rig.drain() is Drained.EMPTY
    rig.check_laws()


def test_sections_are_catalogues_of_their_own(rig: Rig) -> None:
    rig.put(*items("a", n=1), section="Products")
    rig.put(*items("a", n=2), section="Süßes: 50 %/100")
    rig.delete(*named("a"), section="Products")
    rig.drain()
    assert rig.bodies(section="Products") == {}
    assert list(rig.bodies(section="Süßes: 50 %/100")) == ["a"]
    rig.check_laws()


STRANGE_IDS = [" ", "a b", "a/b", '"', "'", "\\", "\n", "\0", "a:b", "003:abc:", "ä", "\U0001f9e6", "\xff", "%2F", "}{"]


def test_ids_may_hold_any_character(rig: Rig) -> None:
    """Of items and of variations, and the links between them; listed by the order of their bytes."""
    rig.put(*items(*STRANGE_IDS))
    for entry_id in STRANGE_IDS:
        rig.put(*variations(entry_id, f"v{entry_id}", entry_id), kind=Kind.VARIATIONS)
    rig.patch(*({"id": entry_id, "data": {"n": 1}} for entry_id in STRANGE_IDS))
    rig.drain()
    assert list(rig.bodies()) == sorted(STRANGE_IDS, key=str.encode)
    assert rig.catalog().variation_ids("Products", "a:b") == ["a:b", "va:b"]
    rig.check_laws()
    rig.delete(*named(*STRANGE_IDS[::2]))
    rig.drain()
    rig.check_laws()


def test_what_is_stored_is_what_was_sent(rig: Rig) -> None:
    """Byte for byte; a PATCH leaves alone what it does not name."""
    sent = b'{"id": "a",  "name":"x", "data":{"price":19.90,"big":123456789012345678901234567890,"l":[],"o":{}}}'
    rig.put(sent)
    rig.drain()
    assert rig.bodies() == {"a": sent}
    rig.patch(b'{"id":"a","data":{"new":1e2}}')
    rig.drain()
    merged = (
        b'{"id":"a","name":"x","data":{"price":19.90,"big":123456789012345678901234567890,"l":[],"o":{},"new":1e2}}'
    )
    assert rig.bodies() == {"a": merged}


def test_the_update_time_is_that_of_the_commit(rig: Rig) -> None:
    """And stays where a PATCH changed nothing."""
    rig.put(*items("a", "b"))
    rig.drain()
    first_ms = rig.clock()
    rig.clock.advance(5000)
    rig.patch({"id": "a", "name": "new"}, {"id": "b", "name": "Item b"})
    rig.drain()
    updated = {entry.id: entry.updated_ms for entry in rig.catalog().get(Kind.ITEMS, "Products", ["a", "b"])}
    assert updated == {"a": first_ms + 5000, "b": first_ms}


def test_the_report_says_what_became_of_each_entry(rig: Rig) -> None:
    """In the order in which they were sent, over all chunks."""
    rig.put(*items("a", "b", "a"), chunk_entries=2)
    rig.patch({"id": "x", "name": "n"}, {"id": "a", "name": "n"}, on_missing=OnMissing.CREATE)
    rig.patch({"id": "a", "name": "n"}, {"id": "y"}, {"id": "b", "name": "m"}, on_missing=OnMissing.IGNORE)
    rig.delete(*named("y", "a", "b"), chunk_entries=2)
    rig.drain()
    assert [rig.report(task_id) for task_id in range(1, 5)] == ["icc", "cu", "niu", "idd"]


# -- slices -----------------------------------------------------------------------------------------------------------


@dataclass
class WatchingBell:
    """Notes how the partition looked when it was rung for."""

    rig: Rig
    seen: list[tuple[int, int]] = field(default_factory=list)

    def ring(self, catalog_key: str) -> None:
        keys = self.rig.keys(catalog_key)
        self.seen.append((self.rig.client.exists(keys.lease), self.rig.client.exists(keys.rung)))


def test_a_spent_slice_gives_way(rig: Rig) -> None:
    """The partition is free and marked before the bell rings, or the job would find it taken; others come first."""
    rig.put(*items("a"))
    rig.clock.advance(10)
    rig.put(*items("b"), catalog_key="other")
    rig.client.delete(rig.keys("other").rung)
    rig.clock.advance(10)
    bell = rig.bell = WatchingBell(rig)  # type: ignore[assignment]
    assert rig.with_settings(slice_s=0.0).drainer().drain(ACME) is Drained.YIELDED
    assert bell.seen == [(0, 1)]
    assert rig.backlog.waiting(skip=0) == ["other", ACME]


def test_a_stopping_worker_ends_after_the_round_at_hand(rig: Rig) -> None:
    """What is left is given back and rung for."""
    rig.put(*items("a", "b"), chunk_entries=1)
    rig.delete(*named("a"))
    assert rig.drainer(stopping=lambda: True).drain(ACME) is Drained.YIELDED
    assert rig.statuses() == {1: "DONE", 2: "QUEUED"}
    assert rig.bell.rung == [ACME]
    assert rig.acquire().stalls == 0


def test_an_emptied_partition_is_not_rung_for(rig: Rig) -> None:
    rig.put(*items("a"))
    assert rig.drainer().drain(ACME) is Drained.EMPTY
    assert rig.bell.rung == []
    assert rig.backlog.waiting(skip=0) == []


def test_a_second_drain_finds_it_taken(rig: Rig) -> None:
    rig.put(*items("a"))
    rig.acquire()
    assert rig.drainer(holder="two").drain(ACME) is Drained.NOT_OWNER
    assert rig.statuses() == {1: "QUEUED"}


# -- check pass -------------------------------------------------------------------------------------------------------


def test_a_task_of_many_chunks_fails_whole(rig: Rig) -> None:
    """What is wrong with its last chunk is found before the first is applied."""
    rig.put(*items("a", "b", "c", "d"))
    rig.drain()
    before = rig.bodies()
    rig.patch(*({"id": entry_id, "name": "new"} for entry_id in ("a", "b", "c", "d", "missing")), chunk_entries=2)
    rig.drain()
    assert rig.bodies() == before
    assert rig.task(2).error == "IngestionError: items not found: 'missing'"
    assert rig.report(2) == "iiiim"
    rig.check_laws()


def test_a_bad_edit_in_a_late_chunk_fails_the_task_whole(rig: Rig) -> None:
    rig.put(*items("a", "b", "c"), {"id": "d", "name": "x", "data": {"tags": "text"}})
    rig.patch(*({"id": entry_id, "data": {"tags:add": ["x"]}} for entry_id in "abcd"), chunk_entries=2)
    rig.drain()
    assert rig.statuses() == {1: "DONE", 2: "FAILED"}
    rig.check_laws()


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("operation", [Operation.PUT, Operation.PATCH])
def test_an_id_in_several_chunks_has_its_last_effect_only(rig: Rig, kind: Kind, operation: Operation) -> None:
    """The earlier ones change nothing, warn and cannot even fail."""
    rig.put(*items("x", "y"))
    rig.put(*variations("x", "a", "b", "c", data={"n": 0}), kind=Kind.VARIATIONS)
    rig.put(*items("a", "b", "c", data={"n": 0}))
    rig.put(*items("a", "b", "c", data={"n": 0}), kind=Kind.ITEM_GROUPS)
    parent = {"item_id": "y"} if kind is Kind.VARIATIONS else {}
    entries: list[Entry] = [
        {"id": "a", "name": "one", "data": {"m": 1} if operation is Operation.PUT else {"n:add": [1]}, **parent},
        {"id": "b", "name": "two", **parent},
        {"id": "a", "name": "three", **parent},
        {"id": "c", "name": "four", **parent},
        {"id": "a", "name": "five", **parent},
    ]
    task_id = rig.send(operation, entries, kind=kind, chunk_entries=2)
    rig.drain()
    assert rig.report(task_id) == "iuiuu"
    rig.check_laws()


@pytest.mark.parametrize("kind", list(Kind))
def test_an_id_deleted_in_several_chunks_is_deleted_once(rig: Rig, kind: Kind) -> None:
    """By its last occurrence; the safeguard counts it once."""
    ids = [f"i{number:03}" for number in range(100)]
    rig.put(*items(*ids))
    rig.put(*variations("i000", *ids), kind=Kind.VARIATIONS)
    rig.put(*items(*ids), kind=Kind.ITEM_GROUPS)
    task_id = rig.delete(*named(*ids[:30], *ids[:30]), kind=kind, chunk_entries=30)
    rig.drain()
    assert rig.report(task_id) == 30 * "i" + 30 * "d"
    rig.check_laws()


# -- safeguard --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk_entries", [1000, 20], ids=["one chunk", "many chunks"])
@pytest.mark.parametrize(
    ("deleted", "force", "status"),
    [(60, False, "DONE"), (61, False, "FAILED"), (61, True, "DONE"), (120, True, "DONE")],
)
@pytest.mark.parametrize("kind", Kind)
def test_most_of_a_section_is_deleted_only_by_force(
    rig: Rig, kind: Kind, chunk_entries: int, deleted: int, force: bool, status: str
) -> None:
    """Counted over all chunks before the first is applied; ids that are not there do not count."""
    ids = [f"i{number:03}" for number in range(120)]
    rig.put(*(variations("x", *ids) if kind is Kind.VARIATIONS else items(*ids)), kind=kind)
    rig.delete(*named("unknown", *ids[:deleted], "neither"), kind=kind, force=force, chunk_entries=chunk_entries)
    rig.drain()
    assert rig.statuses() == {1: "DONE", 2: status}
    rig.check_laws()


@pytest.mark.parametrize("kind", Kind)
def test_tasks_behind_each_other_are_guarded_one_by_one(rig: Rig, kind: Kind) -> None:
    """Each by what the ones before it have left, although they share one look."""
    ids = [f"i{number:03}" for number in range(200)]
    made = variations("x", *ids) if kind is Kind.VARIATIONS else items(*ids)
    rig.put(*made, kind=kind)
    for first in range(0, 200, 50):
        rig.delete(*named(*ids[first : first + 50]), kind=kind)
    rig.delete(*named(*ids[:60]), kind=kind)
    rig.drain()
    # 50 of 200, 50 of 150, 50 of 100, and below the floor anything goes.
    assert list(rig.statuses().values()) == ["DONE"] * 6
    rig.put(*made, kind=kind)
    rig.delete(*named(*ids[:100]), kind=kind)
    rig.delete(*named(*ids[100:151]), kind=kind)
    rig.drain()
    assert list(rig.statuses().values())[6:] == ["DONE", "DONE", "FAILED"]
    rig.check_laws()


# -- cascade ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk_entries", [1000, 1], ids=["one chunk", "many chunks"])
@pytest.mark.parametrize("slice_s", [0.0, 60.0], ids=["slice by slice", "in one go"])
def test_more_variations_than_fit_a_commit_go_with_their_items(rig: Rig, chunk_entries: int, slice_s: float) -> None:
    """Page by page, counted exactly, and those of other items stay."""
    rig = rig.with_settings(slice_s=slice_s)
    rig.put(*items("a", "b", "c", "d"))
    for item_id, count in (("a", 1500), ("b", 999), ("c", 1001), ("d", 10)):
        rig.put(*variations(item_id, *(f"{item_id}{n}" for n in range(count))), kind=Kind.VARIATIONS)
    rig.delete(*named("a", "missing", "b", "c"), chunk_entries=chunk_entries)
    rig.drain()
    counts = rig.task(6).counts
    assert (counts["items_deleted"], counts["variations_deleted"]) == (3, 3500)
    assert rig.report(6) == "didd"
    assert len(rig.bodies(Kind.VARIATIONS)) == 10
    rig.check_laws()


def test_the_safeguard_looks_before_the_first_page(rig: Rig) -> None:
    """Once variations have gone, the task can only go on."""
    ids = [f"i{number:03}" for number in range(100)]
    rig.put(*items(*ids))
    rig.put(*variations("i000", *map(str, range(2100))), kind=Kind.VARIATIONS)
    rig.delete(*named(*ids[:51]))
    rig.delete(*named(*ids[:50]))
    rig.drain()
    assert rig.statuses() == {1: "DONE", 2: "DONE", 3: "FAILED", 4: "DONE"}
    assert rig.bodies(Kind.VARIATIONS) == {}
    rig.check_laws()


def test_an_item_deleted_twice_loses_its_variations_once(rig: Rig) -> None:
    """In two tasks that share one look."""
    rig.put(*items("a"))
    rig.put(*variations("a", "v", "w"), kind=Kind.VARIATIONS)
    rig.delete(*named("a"))
    rig.delete(*named("a"))
    rig.drain()
    assert [rig.task(task_id).counts["variations_deleted"] for task_id in (3, 4)] == [2, 0]
    rig.check_laws()


def test_a_superseded_entry_takes_no_place_in_a_page(rig: Rig) -> None:
    """Its item goes with a later chunk: that it has many variations must not hide those of its neighbour."""
    rig.put(*items("many", "few"))
    rig.put(*variations("many", *(f"m{number}" for number in range(1000))), kind=Kind.VARIATIONS)
    rig.put(*variations("few", "f"), kind=Kind.VARIATIONS)
    rig.delete(*named("many", "few", "many"), chunk_entries=2)
    rig.drain()
    assert rig.bodies(Kind.VARIATIONS) == {}
    rig.check_laws()


def test_a_variation_that_moved_goes_with_its_new_item(rig: Rig) -> None:
    rig.put(*items("a", "b"))
    rig.put(*variations("a", "v", "w"), kind=Kind.VARIATIONS)
    rig.patch({"id": "v", "item_id": "b"}, kind=Kind.VARIATIONS)
    rig.delete(*named("a"))
    rig.drain()
    assert list(rig.bodies(Kind.VARIATIONS)) == ["v"]
    rig.check_laws()


def test_a_patched_variation_whose_item_is_there_is_no_orphan(rig: Rig) -> None:
    rig.put(*items("a"))
    rig.put(*variations("a", "v"), kind=Kind.VARIATIONS)
    rig.patch({"id": "v", "name": "new"}, kind=Kind.VARIATIONS)
    rig.drain()
    rig.check_laws()


def test_a_patch_that_creates_stores_no_nulls(rig: Rig) -> None:
    rig.patch({"id": "a", "name": "x", "data": {"n": None, "m": 1}}, on_missing=OnMissing.CREATE)
    rig.drain()
    rig.check_laws()
