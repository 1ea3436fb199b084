"""Bodies in lines, small ones, and those that are no batch: what is read, what is left out, and what is said of it."""

from __future__ import annotations

from unittest import mock

import pytest
from msgspec import Raw

from api.entries import checked_batch
from api.entries.checked_batch import CheckedBatch, check_batch, parse_batch
from api.entries.json_body import SMALL_BODY_BYTES, parse_json, text_of
from api.entries.ndjson_body import read_ndjson
from api.errors import Invalid, TooLarge
from shared.model import Form, Kind, OnInvalid, Operation

#: Blanks around lines, ends of both kinds, empty lines, one that is no JSON, and none at the end.
LINES = b'\n  {"id":"a"} \r\n\n\t{"id": "b"}\n{x \n"c"'


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[]", "body: value is not a valid dict"),
        (b"5", "body: value is not a valid dict"),
        (b"{}", "items: field required"),
        (b'{"items": null}', "items: none is not an allowed value"),
        (b'{"items": 5}', "items: value is not a valid list"),
        (b'{"items": []}', "items: ensure this value has at least 1 items"),
        (b'{"items": [{},{}], "x": 1}', "items: ensure this value has at most 1 items; x: extra fields not permitted"),
    ],
)
def test_a_body_that_is_no_batch_is_told_why(body: bytes, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_batch(body, kind=Kind.ITEMS, operation=Operation.PUT, max_entries=1)
    assert caught.value.message == message


def test_a_small_body_may_have_a_megabyte() -> None:
    assert parse_json(b"5".ljust(SMALL_BODY_BYTES)) == 5
    with pytest.raises(TooLarge) as caught:
        parse_json(b"5".ljust(SMALL_BODY_BYTES + 1))
    assert caught.value.message == "This request takes a body of at most 1000000 bytes"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b' {"a": 1, "b": 1, "a": 2, "b": 3}', "a: {0}; b: {0}"),
        (b"1e400", "body: a number is out of range"),
    ],
)
def test_a_small_body_that_cannot_be_read_is_told_why(body: bytes, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_json(body)
    assert caught.value.message == message.format("this member occurs more than once")


def test_only_a_text_has_a_text() -> None:
    """A number that is too large for Python is none."""
    sent = (b'"x\\u0041"', b'""', b"9" * 5_000, b"null", b"[]")
    assert [text_of(Raw(one)) for one in sent] == ["xA", "", None, None, None]


def test_each_line_is_an_entry_with_its_place_and_its_number() -> None:
    """One that is no JSON stands for an entry that is invalid, with the reason."""
    read = read_ndjson(LINES, "items", 4)
    assert read.text == LINES
    assert read.lines is not None
    assert list(read.lines) == [2, 4, 5, 6]
    places = zip(read.bounds[::2], read.bounds[1::2], strict=True)
    assert [LINES[first:past] for first, past in places] == [b'{"id":"a"}', b'{"id": "b"}', b"{x", b'"c"']
    assert list(map(bytes, read.entries)) == [b'{"id":"a"}', b'{"id": "b"}', b"null", b'"c"']
    assert read.broken == {2: "not valid JSON: expected '\"' (byte 1)"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (LINES, "items: ensure this value has at most 3 items"),
        (b" \r\n\n", "items: ensure this value has at least 1 items"),
    ],
)
def test_there_may_be_so_many_lines(body: bytes, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_ndjson(body, "items", 3)
    assert caught.value.message == message


def checked(*lines: bytes) -> CheckedBatch:
    return check_batch(
        b"\n".join(lines), kind=Kind.VARIATIONS, operation=Operation.PUT, form=Form.NDJSON, max_entries=9
    )


GOOD, LAST = b'{"id":"a","item_id":"p"}', b'{"id":"b","item_id":"q"}'
NO_ITEM, STRANGE = b'{"id":"a"}', b'{"id":"b","item_id":"p","x":1,"y":2}'


def test_problems_are_told_with_their_line() -> None:
    """And nothing of such a body is taken, unless it was said so."""
    batch = checked(GOOD, NO_ITEM, STRANGE, LAST, b"{x")
    assert list(map(str, batch.problems())) == [
        "variations[1].item_id: field required (line 2)",
        "variations[2].x: extra fields not permitted (line 3)",
        "variations[2].y: extra fields not permitted (line 3)",
        "variations[4]: not valid JSON: expected '\"' (byte 1) (line 5)",
    ]
    assert batch.valid == 2
    with pytest.raises(Invalid) as caught:
        batch.chunks(OnInvalid.REJECT)
    assert caught.value.errors == batch.problems()


def test_invalid_entries_may_be_left_out_each_with_its_reason() -> None:
    """They supersede no other of their id, and have no parent."""
    [chunk] = checked(GOOD, NO_ITEM, STRANGE, LAST).chunks(OnInvalid.SKIP)
    assert (chunk.ids, chunk.parents, chunk.superseded) == (["a", "", "", "b"], ["p", None, None, "q"], [])
    assert [(one.at, one.id) for one in chunk.skipped] == [(1, "a"), (2, "b")]
    assert [one.message for one in chunk.skipped] == [
        "variations[1].item_id: field required (line 2)",
        "variations[2].x: extra fields not permitted (line 3); variations[2].y: extra fields not permitted (line 3)",
    ]
    with mock.patch.object(checked_batch, "SKIPPED_MESSAGE_LENGTH", 10):
        [chunk] = checked(GOOD, NO_ITEM).chunks(OnInvalid.SKIP)
    assert [one.message for one in chunk.skipped] == ["variations"]


def test_one_that_is_refused_though_it_could_be_read_has_no_id_and_no_parent() -> None:
    """It has a member twice."""
    [chunk] = checked(GOOD, b'{"id":"b","item_id":"p","id":"b"}').chunks(OnInvalid.SKIP)
    assert (chunk.ids, chunk.parents) == (["a", ""], ["p", None])
    twice = b'{"items":[{"id":"a","name":"A"},{"id":"b","name":"B","id":"b"}]}'
    [chunk] = check_batch(twice, kind=Kind.ITEMS, operation=Operation.PUT, max_entries=9).chunks(OnInvalid.SKIP)
    assert (chunk.ids, chunk.parents) == (["a", ""], None)


def test_a_body_without_a_valid_entry_is_refused_whatever_was_said() -> None:
    with pytest.raises(Invalid):
        checked(NO_ITEM, STRANGE).chunks(OnInvalid.SKIP)
    [chunk] = checked(GOOD, LAST).chunks(OnInvalid.SKIP)
    assert (chunk.ids, chunk.skipped) == (["a", "b"], [])
