"""What PATCHes that are all alike make of what is stored: the same as one by one, or they are left to that."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support import generated
from workers.merging import decode_fields, encode_fields, merge
from workers.splicing import AT_ONCE, splice

#: Names that meet each other, and lie in each other's way.
NAMES = ["id", "price", "data", "rice", "a b", "f0"]
_SMALL = st.sampled_from(["1", "12", "1.5", '"1"', '"price"', '{"price":1}', '{"price": 12, "f0": 1}', '["price",1]'])
_MEMBERS = st.lists(st.tuples(st.sampled_from(NAMES), _SMALL | generated.VALUES), min_size=2, max_size=5)


def spelled(members: list[tuple[str, str]], colon: str = ":", comma: str = ",") -> str:
    return "{" + comma.join(f'"{name}"{colon}{value}' for name, value in members) + "}"


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, str]:
    """A stored entry, spelled in one way or another, and one that is sent, mostly with fields that the other has."""
    marks = draw(st.sampled_from([":", ": ", " :"])), draw(st.sampled_from([",", ", ", " ,\n"]))
    top = [member for member in draw(_MEMBERS) if member[0] != "data"]
    data = draw(_MEMBERS)
    stored = draw(st.permutations([*top, ("data", spelled(data, *marks))])) if draw(st.booleans()) else top

    def changed(members: list[tuple[str, str]]) -> list[tuple[str, str]]:
        kept = (
            draw(st.lists(st.sampled_from(members), min_size=1, unique_by=lambda member: member[0])) if members else []
        )
        return [(name, draw(_SMALL | st.just(value))) for name, value in kept]

    sent = changed(top)
    if draw(st.booleans()):
        sent.append(("data", spelled(changed(data))))
    return spelled(stored, *marks), spelled(sent)


def merged(stored: str, sent: str) -> bytes:
    """Merge one by one, spelled without spaces."""
    fields = decode_fields(stored.encode())
    merge(fields, decode_fields(sent.encode()))
    return respelled(encode_fields(fields))


def respelled(entry: bytes) -> bytes:
    fields = decode_fields(entry)
    plain = {name: decode_fields(value) if name == "data" else value for name, value in fields.items()}
    return encode_fields(plain)


def spliced(stored: str, sent: str) -> bytes | None:
    values = splice([stored.encode()], [sent.encode()])
    return None if values is None else values[0]


@given(pairs())
@example(('{"f0":{"price":1},"price":1}', '{"price":2}'))
@example(('{"f0":{"price":12},"price":1}', '{"price":2}'))
@example(('{"data":{"x":{"price":1},"price":1}}', '{"data":{"price":2}}'))
@example(('{"price":1,"price":1}', '{"price":2}'))
@example(('{"price":{"f0":1},"f0":1}', '{"f0":2,"price":{"f0":1}}'))
@example(('{"x\\"price":1,"price":1}', '{"price":2}'))
@example(('{"pric\\u0065":1,"f0":{"price":1}}', '{"price":2}'))
@example(('{"price":1,"data":{"price":1}}', '{"price":2,"data":{"price":3}}'))
def test_it_is_what_merging_makes_or_nothing(pair: tuple[str, str]) -> None:
    """The same members with the same values, byte for byte, in the same order."""
    stored, sent = pair
    after = spliced(stored, sent)
    if after is not None:
        assert respelled(after) == merged(stored, sent)
        if respelled(after) == respelled(stored.encode()):
            assert after == stored.encode()


@given(number=generated.NUMBERS, other=generated.NUMBERS, colon=st.sampled_from([":", ": "]))
def test_all_but_what_was_sent_keeps_its_bytes(number: str, other: str, colon: str) -> None:
    stored = (
        f'{{"id" :"1" , "kept"{colon}{number},"data"{colon}{{"price"{colon}{number}, "also":"\\u00e9\\n{number}"}}}}'
    )
    assert (
        spliced(stored, f'{{"id":"1","data":{{"price":{other}}}}}')
        == (
            f'{{"id" :"1" , "kept"{colon}{number},"data"{colon}{{"price"{colon}{other}, "also":"\\u00e9\\n{number}"}}}}'
        ).encode()
    )


def test_many_are_merged_each_for_itself() -> None:
    """More than are taken in hand together; some of them do not change."""
    count = 2 * AT_ONCE + 1
    stored = [b'{"id":"%d","data":{"x":[],"price":%d}}' % (number, number) for number in range(count)]
    sent = [b'{"id":"%d","data":{"price":%d}}' % (number, number - number % 2) for number in range(count)]
    after = [b'{"id":"%d","data":{"x":[],"price":%d}}' % (number, number - number % 2) for number in range(count)]
    assert splice(stored, sent) == after


@pytest.mark.parametrize(
    "sent",
    [
        '{"price":null}',
        '{"data":null}',
        '{"data":{"price":null}}',
        '{"data":{"tags:add":["x"]}}',
        '{"data":{"tags:remove":["x"]}}',
        '{"new":1}',
        '{"data":{"new":1}}',
        '{"data":1}',
    ],
)
def test_what_is_more_than_to_replace_is_left_to_others(sent: str) -> None:
    assert spliced('{"price":1,"data":{"price":1,"tags":[]}}', sent) is None


def test_where_one_is_different_all_are_left_to_others() -> None:
    stored = [b'{"price":1,"name":"a"}'] * 2
    assert splice(stored, [b'{"price":2}', b'{"name":"b"}']) is None
    assert splice(stored, [b'{"price":2}', b'{"price":2,"name":"b"}']) is None
