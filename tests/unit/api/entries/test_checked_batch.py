"""Promises about bodies: every byte kept, every entry found, everything else refused."""

from __future__ import annotations

import json
import random
import tracemalloc
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.entries import checked_batch
from api.entries import chunks as cutting
from api.entries.checked_batch import parse_batch
from api.entries.chunks import CHUNK_BYTES, CHUNK_ENTRIES
from api.entries.depth import MAX_DEPTH
from api.entries.json_body import parse_json
from api.entries.rules import PROBLEMS_PER_ENTRY, EntryRules
from api.errors import Invalid, TooLarge
from shared.model import Chunk, Kind, Operation

ENTRY = b'{"id": "a", "name": "b"}'


def parse(body: bytes, *, operation: Operation = Operation.PUT, max_entries: int = 10_000) -> list[Chunk]:
    return parse_batch(body, kind=Kind.ITEMS, operation=operation, max_entries=max_entries)


def refusal_of(body: bytes, *, max_entries: int = 10_000) -> str:
    with pytest.raises(Invalid) as caught:
        parse(body, max_entries=max_entries)
    return caught.value.message


def body_of(*entries: bytes) -> bytes:
    return b'{"items":[' + b",".join(entries) + b"]}"


def with_data(members: bytes) -> bytes:
    return b'{"id": "a", "name": "b", "data": {' + members + b"}}"


# --- chunks ----------------------------------------------------------------------------------------------------------

BLANKS = st.text(" \t\r\n", max_size=3).map(str.encode)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
ITEMS = st.builds(
    lambda name, data, indent: json.dumps({"id": name, "name": "x", "data": {"d": data}}, indent=indent).encode(),
    st.sampled_from(["a", "b", "c", "é", '"]},{"']),
    VALUES,
    st.sampled_from([None, 1]),
)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    entries=st.lists(ITEMS, min_size=1, max_size=12),
    blanks=st.lists(BLANKS, min_size=4, max_size=4),
    even=st.booleans(),
    seed=st.integers(),
    most=st.integers(1, 5),
    most_bytes=st.integers(50, 500),
)
def test_chunks_joined_are_the_body_and_their_bounds_are_the_entries(
    entries: list[bytes], blanks: list[bytes], even: bool, seed: int, most: int, most_bytes: int
) -> None:
    choose = random.Random(seed)
    commas = [b", " if even else choose.choice(blanks) + b"," + choose.choice(blanks) for _ in entries[1:]] + [b""]
    inner = b"".join(entry + comma for entry, comma in zip(entries, commas, strict=True))
    body = blanks[0] + b'{"items"' + blanks[1] + b":[" + blanks[2] + inner + b"]" + blanks[3] + b"}" + blanks[0]
    with mock.patch.multiple(cutting, CHUNK_ENTRIES=most, CHUNK_BYTES=most_bytes):
        chunks = parse(body)

    assert b"".join(chunk.text for chunk in chunks) == body
    assert [entry for chunk in chunks for entry in chunk.entries()] == entries
    ids = [entry_id for chunk in chunks for entry_id in chunk.ids]
    assert ids == [json.loads(entry)["id"] for entry in entries]
    for chunk in chunks:
        assert len(chunk) == 1 or (len(chunk) <= most and len(chunk.text) <= most_bytes)
    superseded = [index in chunk.superseded for chunk in chunks for index in range(len(chunk))]
    assert superseded == [entry_id in ids[place + 1 :] for place, entry_id in enumerate(ids)]
    assert all(chunk.superseded == sorted(chunk.superseded) for chunk in chunks)


def test_a_chunk_ends_where_the_next_entry_would_make_it_too_big() -> None:
    small = [b'{"id": "%d", "name": "b"}' % index for index in range(2 * CHUNK_ENTRIES + 1)]
    assert [len(chunk) for chunk in parse(body_of(*small))] == [CHUNK_ENTRIES, CHUNK_ENTRIES, 1]
    large = [b'{"id": "%d", "name": "b", "data": {"x": "%s"}}' % (index, b"x" * 150_000) for index in range(30)]
    chunks = parse(body_of(*large))
    assert [len(chunk) for chunk in chunks] == [13, 13, 4]
    assert all(len(chunk.text) <= CHUNK_BYTES for chunk in chunks)


def test_of_entries_with_one_id_the_last_supersedes_the_others_across_chunks() -> None:
    with mock.patch.object(cutting, "CHUNK_ENTRIES", 2):
        chunks = parse(body_of(*[b'{"id": "%s", "name": "x"}' % name for name in (b"a", b"b", b"a", b"a", b"\\u0062")]))
    assert [chunk.superseded for chunk in chunks] == [[0, 1], [0], []]
    assert [chunk.ids for chunk in chunks] == [["a", "b"], ["a", "a"], ["b"]]


def test_parents_are_the_item_ids_of_variations_and_nothing_for_items() -> None:
    def parents(kind: Kind, operation: Operation, *entries: bytes) -> list[str | None] | None:
        body = b'{"%s": [%s]}' % (kind.encode(), b",".join(entries))
        [chunk] = parse_batch(body, kind=kind, operation=operation, max_entries=9)
        return chunk.parents

    plain, child = b'{"id": "a"}', b'{"id": "b", "item_id": "p"}'
    slow_child = b'{"id": "c", "item_id": "q", "name": "-- 7"}'
    assert parents(Kind.VARIATIONS, Operation.PUT, child, slow_child) == ["p", "q"]
    assert parents(Kind.VARIATIONS, Operation.PATCH, plain, child) == [None, "p"]
    assert parents(Kind.VARIATIONS, Operation.DELETE, plain, plain) == [None, None]
    assert parents(Kind.ITEMS, Operation.DELETE, plain) is None


def test_good_entries_never_cost_a_visit_to_marshmallow() -> None:
    wide = with_data(b'"x": [' + b"[]," * 99 + b"{}]")
    with mock.patch.object(EntryRules, "judge", side_effect=AssertionError("slow")):
        parse(body_of(ENTRY, wide, with_data(b'"facets": {"a": [1, 2.5, "b"]}'), b'{"id": "\\u0062", "name": "(b)"}'))


# --- bodies that are no batch ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "body: not valid JSON: input data was truncated"),
        (b'{"items": [' + ENTRY, "body: not valid JSON: input data was truncated"),
        (b'{"items": [' + ENTRY + b",]}", "body: not valid JSON: trailing comma in array (byte 36)"),
        (body_of(ENTRY) + b"x", "body: not valid JSON: trailing characters (byte 37)"),
        (b"\xef\xbb\xbf" + body_of(ENTRY), "body: not valid JSON: invalid character (byte 0)"),
        (b'{"items": [NaN]}', "body: not valid JSON: invalid character (byte 11)"),
        (b'{"items": [{"id": "\xff"}]}', "body: not valid UTF-8 (byte 19)"),
        (b'{"items": [{"id": "\xed\xa0\x80"}]}', "body: not valid UTF-8 (byte 19)"),
    ],
)
def test_what_is_not_json_in_utf8_is_refused_with_the_place(body: bytes, message: str) -> None:
    assert refusal_of(body) == message


@pytest.mark.parametrize("escape", [b"\\ud800", b"\\udc00", b"\\ud800\\ud800", b"\\uDBFF and more", b"\\ud800\\n"])
def test_a_lone_surrogate_is_never_stored(escape: bytes) -> None:
    for entry in (
        b'{"id": "%s", "name": "b"}' % escape,
        with_data(b'"x": "%s"' % escape),
        with_data(b'"%s": 1' % escape),
    ):
        assert refusal_of(body_of(entry)).startswith("body: not valid JSON")


@pytest.mark.parametrize(
    "body",
    [
        b'{"items": [%(e)s], "items": [%(e)s]}',
        b'{"items": [%(e)s, %(e)s], "items": [%(e)s]}',
        b'{"items": [%(e)s], "items": [%(e)s, %(e)s]}',
        b'{"items": [], "items": [%(e)s]}',
        b'{"items": null, "items": [%(e)s]}',
        b'{"items": [%(e)s], "\\u0069tems": [%(e)s]}',
    ],
)
def test_a_repeated_member_is_refused_not_guessed_at(body: bytes) -> None:
    assert refusal_of(body % {b"e": ENTRY}) == "items: this member occurs more than once"


def test_the_member_may_be_spelled_with_escapes() -> None:
    [chunk] = parse(b'{"\\u0069tems": [' + ENTRY + b"]}")
    assert chunk.entries() == [ENTRY]


def test_unknown_members_of_the_body_are_refused_by_name() -> None:
    assert refusal_of(b'{"force": true, "items": [%s]}' % ENTRY) == "force: extra fields not permitted"
    assert refusal_of(b'{"`a` - at `$.b`": 1}') == ("items: field required; `a` - at `$.b`: extra fields not permitted")


def nested(levels: int) -> bytes:
    """An entry of so many levels, of which it is the first and its data the second."""
    return with_data(b'"x": ' + b"[" * (levels - 2) + b"]" * (levels - 2))


def test_an_entry_may_be_64_levels_deep_and_no_more() -> None:
    assert parse(body_of(nested(MAX_DEPTH)))
    wanted = "items[1]: ensure this value is nested at most 64 levels deep"
    assert refusal_of(body_of(ENTRY, nested(MAX_DEPTH + 1))) == wanted
    assert refusal_of(body_of(ENTRY, nested(500))) == wanted


@pytest.mark.parametrize("neighbour", [ENTRY, nested(MAX_DEPTH // 2), nested(MAX_DEPTH)])
def test_too_deep_an_entry_is_found_wherever_it_is(neighbour: bytes) -> None:
    for place in range(9):
        entries = [neighbour] * 9
        entries[place] = nested(MAX_DEPTH + 1)
        wanted = f"items[{place}]: ensure this value is nested at most 64 levels deep"
        assert refusal_of(body_of(*entries)) == wanted


def test_brackets_that_do_not_nest_are_not_counted() -> None:
    assert parse(body_of(with_data(b'"x": [%s], "y": "%s", "z\\"{": "\\\\"' % (b"[]," * 99 + b"{}", b"[{" * 99))))


@pytest.mark.parametrize("start", [b'{"a":', b'{"items":[', b'{"items":[{"data":{"x":[', b'{"x":['])
def test_no_depth_breaks_the_parser(start: bytes) -> None:
    assert refusal_of(start + b"[" * 200_000) == "body: ensure this value is nested at most 64 levels deep"


def test_a_long_body_of_too_many_entries_is_refused_before_they_are_all_read() -> None:
    flood = b'{"items":[' + b"{}," * 2_000_000 + b"{}]}"
    tracemalloc.start()
    try:
        assert refusal_of(flood, max_entries=100) == "items: ensure this value has at most 100 items"
        assert tracemalloc.get_traced_memory()[1] < 2 * len(flood)
    finally:
        tracemalloc.stop()


def test_a_long_body_is_read_like_a_short_one() -> None:
    entries = [b'{"id": "%d", "name": "b", "data": {"x": "%s"}}' % (index, b"x" * 150_000) for index in range(30)]
    chunks = parse(body_of(*entries), max_entries=30)
    assert [entry for chunk in chunks for entry in chunk.entries()] == entries
    assert refusal_of(body_of(*entries), max_entries=29) == "items: ensure this value has at most 29 items"
    assert refusal_of(body_of(*entries, b"null"), max_entries=31) == "items[30]: value is not a valid dict"


def test_an_entry_of_a_megabyte_is_refused_unread() -> None:
    padded = ENTRY[:-1] + b" " * 1_000_000 + b"}"
    assert refusal_of(body_of(padded)) == "items[0]: ensure this value has at most 1000000 bytes of JSON"
    assert refusal_of(body_of(b'"' + b"x" * 1_000_000 + b'"')) == "items[0]: value is not a valid dict"


def test_a_flood_of_problems_makes_no_flood_of_answers() -> None:
    entry = b'{"id": "a", "name": "b"%s}' % b"".join(b', "x%d": 1' % index for index in range(1000))
    with pytest.raises(Invalid) as caught:
        parse(body_of(entry, entry))
    assert len(caught.value.errors) == 2 * PROBLEMS_PER_ENTRY
    with mock.patch.object(checked_batch, "MAX_PROBLEMS", 7), pytest.raises(Invalid) as caught:
        parse(body_of(entry))
    assert len(caught.value.errors) == 7


def test_numbers_stay_as_they_were_written() -> None:
    entry = with_data(b'"a": 1e400, "b": 19.90, "c": 123456789012345678901234567890, "d": [], "e": {}, "f": -0.0')
    [chunk] = parse(body_of(entry))
    assert chunk.entries() == [entry]


def test_a_small_body_is_decoded_whole_and_a_long_one_is_not() -> None:
    assert parse_json(b'{"status": "CANCELED"}') == {"status": "CANCELED"}
    with pytest.raises(TooLarge):
        parse_json(b" " * 1_000_001)
    for bad in (b"", b"[" * 100_000, b"1e400", b'"\xff"'):
        with pytest.raises(Invalid):
            parse_json(bad)
