"""What is reserved for a chunk, by what is in it; that it is enough is measured in the integration tests."""

from __future__ import annotations

from array import array
from dataclasses import replace
from typing import Any

import pytest

from shared.model import Chunk, Kind, OnMissing, Operation, Skipped
from shared.partition.growth import LEAN_RECORD_BYTES, RECORD_BYTES, growth_of
from tests.support.batches import Entry, make_batch, make_chunks, named


def growth(operation: Operation, entries: list[Entry], *, lean: bool = False, **facts: Any) -> int:
    batch, _ = make_batch(operation, entries, **facts)
    return growth_of(batch, make_chunks(entries, kind=batch.kind)[0], lean=lean)


def sized(length: int, entry_id: str = "a", **members: str) -> bytes:
    """An entry of so many bytes, most of them blanks."""
    text = ",".join(f'"{name}":"{value}"' for name, value in {"id": entry_id, **members}.items()).encode()
    return b"{%b}" % text.ljust(length - 2)


def records(count: int, id_bytes: int) -> int:
    """What members of hashes and sorted sets take; of the bytes of their ids, eight sevenths."""
    return count * RECORD_BYTES + id_bytes * 8 // 7


#: Bytes of an entry: those of its value, whose length is rounded up to four steps in each power of two.
VALUES = {
    12: 32, 13: 48, 44: 64, 45: 80, 108: 128, 109: 160, 140: 160, 141: 192, 236: 256, 237: 320, 1004: 1024, 1005: 1280,
    16_364: 16_384, 16_383: 20_480, 16_384: 20_480, 20_461: 24_576, 300_000: 327_680,
}  # fmt: skip


@pytest.mark.parametrize(("length", "taken"), VALUES.items())
def test_a_value_is_rounded_up_as_allocations_are(length: int, taken: int) -> None:
    """The same beside one that is longer than most."""
    assert growth(Operation.PUT, [sized(length)]) == taken + records(2, 2)
    both = taken + VALUES[300_000] + records(4, 4)
    assert growth(Operation.PUT, [sized(length), sized(300_000, "b")]) == both


def test_what_is_written_has_its_record_and_its_place_in_the_index() -> None:
    """Which take less in a store that is known to be lean; ids count by their bytes."""
    sent = [sized(44, "a"), sized(44, "bcd")]
    for kind in (Kind.ITEMS, Kind.ITEM_GROUPS):
        assert growth(Operation.PUT, sent, kind=kind) == 2 * 64 + records(4, 8)
        lean = growth(Operation.PUT, sent, kind=kind, lean=True)
        assert growth(Operation.PUT, sent, kind=kind) - lean == 4 * (RECORD_BYTES - LEAN_RECORD_BYTES)
    assert growth(Operation.PUT, [sized(44, "貓貓")]) == growth(Operation.PUT, [sized(44, "sixsix")])


def test_a_chunk_without_entries_takes_nothing() -> None:
    batch, _ = make_batch(Operation.REPLACE, [], kind=Kind.ITEM_GROUPS)
    assert growth_of(batch, Chunk(b'{"item_groups":[]}', [], array("I"))) == 0


def test_a_patch_is_kept_beside_an_entry_and_in_no_index_unless_it_creates() -> None:
    sent = [sized(44, "a"), sized(44, "b")]
    for on_missing in (OnMissing.FAIL, OnMissing.IGNORE):
        assert growth(Operation.PATCH, sent, on_missing=on_missing) == 2 * 64 + records(2, 2)
    assert growth(Operation.PATCH, sent, on_missing=OnMissing.CREATE) == growth(Operation.PUT, sent)


def test_a_variation_has_a_link_and_its_item_is_touched() -> None:
    """Each item once; as many as there are variations, where none is named."""
    sent = [sized(44, "a", item_id="ij"), sized(44, "b", item_id="ij"), sized(44, "c", item_id="k")]
    put = growth(Operation.PUT, sent, kind=Kind.VARIATIONS)
    assert put == 3 * 64 + records(2 * 3 + 3 + 2, 2 * 3 + 3 + len("ijijk") + len("ijk"))
    unnamed = growth(Operation.PATCH, [sized(44, "a"), sized(44, "b")], kind=Kind.VARIATIONS)
    assert unnamed == 2 * 64 + records(2 + 2 + 2, 2 + 2)


@pytest.mark.parametrize("operation", [Operation.CREATE, Operation.MODIFY, Operation.AMEND])
def test_variations_within_an_item_count_as_those_sent_alone(operation: Operation) -> None:
    """Each has a record, a place in the index and a link, and what a value has beside its text; the item is touched."""
    alone, none = b'{"id":"ab"}', b'{"id":"ab","variations":null}'
    for entry in (alone, none):
        assert growth(operation, [entry]) == pytest.approx(
            growth(Operation.PUT, [entry]) + records(0, len("ab")), abs=1
        )
    whole = b'{"id":"ab","variations":[{"id":"v"},{"id":"wxy"}]}'
    more = growth(operation, [alone, whole]) - growth(Operation.PUT, [alone, whole])
    twice = growth(operation, [whole, whole, alone]) - growth(Operation.PUT, [whole, whole, alone])
    assert twice == pytest.approx(2 * more, abs=4)
    assert more == pytest.approx(2 * 36 + records(3 * 2 + 1, 3 * len("vwxy") + 4 * len("ab")), abs=1)


def test_a_delete_takes_its_outcomes_and_its_warnings() -> None:
    """Each of the first hundred of a kind, with its id as it is written in JSON, twice."""
    assert growth(Operation.DELETE, named("a", "b", "c")) == 3
    assert growth(Operation.DELETE, named("ab", "é", "ab", "é", "c")) == 5 + 2 * 150 + 2 * (
        len("'ab'") + len(r"'\xe9'")
    )
    assert growth(Operation.DELETE, named(*["ab"] * 150)) == 150 + 100 * (150 + 2 * 4)
    batch, _ = make_batch(Operation.DELETE, named("a", "b"))
    [chunk] = make_chunks(named("a", "b"))
    left_out = replace(chunk, skipped=[Skipped(0, None, "bad"), Skipped(1, "id", "bad")])
    assert growth_of(batch, left_out) == 2 + 2 * 150 + 2 * (len("'bad'") + len("'idbad'"))
    many = replace(chunk, skipped=[Skipped(0, None, "bad")] * 150)
    assert growth_of(batch, many) == 2 + 100 * (150 + 2 * 5)
