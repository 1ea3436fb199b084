"""PATCHes merged together have the same result as one by one, or are left to that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.catalog.merging import composed, decode_fields, encode_fields, lay_over, merge
from tests.support import generated
from workers.apply import columns
from workers.apply.columns import AT_ONCE, COLUMNS, FEWEST, NAMES_LENGTH, SENT_COLUMNS, SURPRISES

#: Some of them special, or what the fields are called inside.
NAMES = ["id", "price", "rice", "a b", "f0", "é", "type"]
_SMALL = st.sampled_from(["1", "12", "1.0", '"1"', "null", '{"price":null}', '{"price": 12, "data": 1}', '["x",1]'])
_MEMBERS = st.lists(st.tuples(st.sampled_from(NAMES), _SMALL | generated.VALUES), max_size=5)


def merge_columns(stored: Sequence[bytes], sent: Sequence[bytes]) -> list[bytes] | None:
    return columns.merge_columns(stored, b"[%b]" % b",".join(sent), sent[0])


def spelled(members: Sequence[tuple[str, str]], colon: str = ":", comma: str = ",") -> str:
    return "{" + comma.join(f'"{name}"{colon}{value}' for name, value in members) + "}"


@st.composite
def entries(draw: st.DrawFn) -> str:
    """An entry, spelled in one way or another, with or without data."""
    marks = draw(st.sampled_from([":", ": ", " :"])), draw(st.sampled_from([",", ", ", " ,\n"]))
    members = draw(_MEMBERS)
    if draw(st.booleans()):
        members.append(("data", spelled(draw(_MEMBERS | _MEMBERS.map(lambda some: [*some, ("data", "1")])), *marks)))
    return spelled(draw(st.permutations(members)), *marks)


def merged(stored: str, sent: str) -> bytes | None:
    """Merge one by one; None if that changes nothing."""
    fields = decode_fields(stored.encode())
    return encode_fields(fields) if merge(fields, decode_fields(sent.encode())) else None


def members_of(entry: bytes) -> dict[str, Any]:
    """Its values, as the bytes they are; no order."""
    fields = decode_fields(entry)
    return {name: decode_fields(value) if name == "data" else value for name, value in fields.items()}


def together(stored: Sequence[str], sent: Sequence[str]) -> list[bytes] | None:
    """Merge them so often that they are many; returns the last of each."""
    after = merge_columns([one.encode() for one in stored] * FEWEST, [one.encode() for one in sent] * FEWEST)
    return None if after is None else after[-len(stored) :]


def names(entry: str) -> set[tuple[str, ...]]:
    """What an entry has, at the top and in its data."""
    fields = decode_fields(entry.encode())
    return {(name,) for name in fields} | {("data", name) for name in decode_fields(fields.get("data", b"{}"))}


def has_data(entry: str) -> bool:
    return "data" in decode_fields(entry.encode())


@given(pairs=st.lists(st.tuples(entries(), entries()), min_size=1, max_size=4))
@example(pairs=[('{"f0":{"price":1},"price":1}', '{"price":2}')])
@example(pairs=[('{"price":1,"price":1}', '{"price":2}')])
@example(pairs=[('{"pric\\u0065":1}', '{"price":2}')])
@example(pairs=[('{"price":1,"data":{"price":1}}', '{"price":2,"data":{"price":3}}')])
@example(pairs=[('{"id":1}', '{"data":{}}'), ('{"id":2,"data":{}}', '{"data":{"id":null}}')])
@example(pairs=[('{"id":1,"price":{"a":1,"b":2}}', '{"price":{"b":2,"a":1}}'), ('{"id":2}', '{"price":3}')])
@example(pairs=[('{"data":{"id":1}}', '{"data":{"id":2}}'), ('{"price":{"a":1,"b":2}}', '{"price":{"b":2,"a":1}}')])
def test_it_is_what_merging_makes(pairs: list[tuple[str, str]]) -> None:
    """The same members with the same values, byte for byte; and the entry as it was where nothing changes."""
    after = together(*zip(*pairs, strict=True))
    sending_data = [has_data(sent) for _, sent in pairs]
    if after is None:
        assert any(sending_data)
        assert not sending_data[0]
        return
    for (stored, sent), made in zip(pairs, after, strict=True):
        expected = merged(stored, sent)
        if expected is None:
            assert made == stored.encode()
        else:
            assert members_of(made) == members_of(expected)
        if not any(sending_data) and has_data(stored):
            assert decode_fields(made)["data"] == decode_fields(stored.encode())["data"]


@given(entry=entries(), first=entries(), second=entries())
def test_two_patches_composed_do_what_both_do_one_after_the_other(entry: str, first: str, second: str) -> None:
    both = lay_over(lay_over(entry.encode(), first.encode()), second.encode())
    assert members_of(lay_over(entry.encode(), composed(first.encode(), second.encode()))) == members_of(both)


@given(pairs=st.lists(st.tuples(entries(), entries()), min_size=1, max_size=4))
@example(pairs=[('{"id":1,"price":1,"data":{"price":null}}', '{"price":null,"data":{"price":1}}')])
def test_many_patches_are_composed_as_one_by_one(pairs: list[tuple[str, str]]) -> None:
    """An empty one stands for one that does not name all that is sent; where nothing changes it is the same object."""
    firsts, seconds = ([one.encode() for one in some] * FEWEST for some in zip(*pairs, strict=True))
    after = columns.compose_columns(firsts, b"[%b]" % b",".join(seconds), seconds[0])
    if after is None:
        assert any(has_data(second) for _, second in pairs)
        assert not has_data(pairs[0][1])
        return
    for first, second, made in zip(firsts, seconds, after, strict=True):
        if not made:
            assert not names(first.decode()) >= names(second.decode())
            continue
        assert names(first.decode()) >= names(second.decode())
        assert members_of(made) == members_of(composed(first, second))
        assert (made is first) == (members_of(made) == members_of(first))


@given(number=generated.NUMBERS, other=generated.NUMBERS)
def test_all_but_what_was_sent_keeps_its_bytes_and_its_place(number: str, other: str) -> None:
    stored = '{"id":"1","kept":{"a" :%s},"data":{"price":%s,"also":"\\u00e9\\n%s"}}'
    expected = (stored % (number, other, number)).encode()
    assert together([stored % (number, number, number)], [f'{{"id":"1","data":{{"price":{other}}}}}']) == [expected]


def test_many_are_merged_each_for_itself() -> None:
    """More than are taken in hand together; some of them do not change, some have a field of their own."""
    count = 2 * AT_ONCE + 1

    def entry(number: int, price: int) -> bytes:
        own = b"" if number % 3 else b',"own-%d":1' % (number % 17)
        return b'{"id":"%d","data":{"x":[],"price":%d%b}}' % (number, price, own)

    stored = [entry(number, number) for number in range(count)]
    sent = [b'{"id":"%d","data":{"price":%d}}' % (number, number - number % 2) for number in range(count)]
    after = merge_columns(stored, sent)
    assert after is not None
    assert [members_of(one) for one in after] == [
        members_of(entry(number, number - number % 2)) for number in range(count)
    ]
    assert after[::2] == stored[::2]


@pytest.mark.parametrize(("before", "value"), [("[1, 2]", "[1,2]"), ('{"a":1,"b":2}', '{"b":2,"a":1}')])
@pytest.mark.parametrize("where", ['{"id":"0","sizes":%s}', '{"id":"0","data":{"sizes":%s}}'])
def test_a_list_or_object_that_is_only_spelled_otherwise_is_no_change(where: str, before: str, value: str) -> None:
    """Though it is the only one among many entries."""
    plain = [where % number for number in range(1, FEWEST)]
    stored = [one.encode() for one in (where % before, *plain)]
    assert merge_columns(stored, [one.encode() for one in (where % value, *plain)]) == stored


@pytest.mark.parametrize(
    "sent",
    [
        '{"data":null}',
        '{"data":1}',
        '{"data":{"tags:add":["x"]}}',
        '{"data":{"tags:remove":["x"]}}',
        '{"a\\"b":1}',
        '{"data":{"a\\u0000":1}}',
        spelled([(f"field-{number}", "1") for number in range(SENT_COLUMNS + 1)]),
        spelled([("x" * NAMES_LENGTH, "1")]),
    ],
)
def test_what_is_more_than_to_set_and_to_remove_a_few_fields_is_left_to_others(sent: str) -> None:
    """Wherever it is among the others."""
    stored = ['{"price":1,"data":{"price":1,"tags":[]}}'] * 2
    assert together(stored, [sent, '{"price":2}']) is None
    assert together(stored, ['{"price":2}', sent]) is None


def test_where_one_by_one_is_faster_they_are_left_to_that() -> None:
    """They have many fields, they have other fields every time."""
    sent = [b'{"price":2}'] * (AT_ONCE * (SURPRISES + 2))
    wide = spelled([(f"field-{number}", "1") for number in range(COLUMNS)]).encode()
    assert merge_columns([wide] * FEWEST, sent[:FEWEST]) is None

    for surprises, given_up in ((SURPRISES, False), (SURPRISES + 1, True)):
        stored = [b'{"price":1,"own-%d":1}' % min(number // AT_ONCE, surprises) for number in range(len(sent))]
        assert (merge_columns(stored, sent) is None) is given_up
