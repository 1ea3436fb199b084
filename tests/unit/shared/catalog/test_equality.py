"""JSON is the same if only its white space and the order of its members differ; numbers and texts are what was sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.catalog.equality import same, same_each
from tests.support import generated, laws


@st.composite
def respelled(draw: st.DrawFn, value: Any) -> str:
    """Write a value with other white space, and its members in another order."""
    blank = draw(st.sampled_from(["", " ", "\n", "\r", "\t", " \t\r\n"]))
    if isinstance(value, dict):
        members = draw(st.permutations(list(value.items())))
        inside = [f"{blank}{json.dumps(name)}{blank}:{draw(respelled(member))}" for name, member in members]
        return "{" + ",".join(inside) + blank + "}"
    if isinstance(value, list):
        return "[" + blank + ",".join([draw(respelled(member)) + blank for member in value]) + "]"
    return value.text if isinstance(value, laws.Number) else json.dumps(value)


@given(st.data())
def test_white_space_and_the_order_of_members_do_not_count(data: st.DataObject) -> None:
    value = laws.read_json(data.draw(generated.VALUES).encode())
    one, other = (data.draw(respelled(value)).encode() for _ in range(2))
    assert same(one, other)


@given(one=generated.VALUES, other=generated.VALUES)
@example(one="11", other="1")
@example(one='{"a":12}', other='{"a":21}')
@example(one='{"a":[1,2]}', other='{"a":[2,1]}')
@example(one='{"a":"b"}', other='{"b":"a"}')
@example(one='{"a":" b"}', other='{"a":"b "}')
@example(one='["x", 1]', other='["x",1.0]')
def test_everything_else_counts(one: str, other: str) -> None:
    """The characters of numbers and texts, the order of elements, which member has which value."""
    assert same(one.encode(), other.encode()) == (laws.read_json(one.encode()) == laws.read_json(other.encode()))


@pytest.mark.parametrize("lead", ["", "007"])
@pytest.mark.parametrize("blank", ["", " ", "\n", "\r", "\t"])
def test_many_are_compared_pair_by_pair(lead: str, blank: str) -> None:
    """Whatever the others are like, and whichever digits stand before the first of a pair."""
    texts = [f'{{"id":{blank}{number},"price":{number % 3}}}'.encode() for number in range(12)]
    turned = [f'{{"price":{number % 3},"id":{number}}}'.encode() for number in range(12)]
    others = [f'{{"id":{number},"price":{number % 3 + 1}}}'.encode() for number in range(12)]
    for first, second, third in ((texts, turned, others), (others, texts, turned), (turned, others, texts)):
        mixed = [[first, second, third][number % 3][number] for number in range(12)]
        expected = [json.loads(one) == json.loads(other) for one, other in zip(texts, mixed, strict=True)]
        stamped = [lead.encode() + one for one in texts]
        assert same_each(stamped, mixed, lead=len(lead)) == expected
        changing = [str(number).zfill(len(lead)).encode()[: len(lead)] + one for number, one in enumerate(texts)]
        assert same_each(changing, mixed, lead=len(lead)) == expected
