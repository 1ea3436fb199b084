"""A member that an entry has twice is found, in whatever company and spelling, by either engine."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from api.entries.fast_decoder import FastPath
from api.entries.repeated_members import REPEATED, RepeatedMembers, repeated_members
from api.entries.rules import rules_for
from api.schemas.entries import ItemPut
from shared.model import Kind, OnMissing, Operation
from tests.unit.api.entries.test_fast_decoder import FAST, ITEM_PUT

RULES = rules_for(Kind.ITEMS, Operation.PUT, OnMissing.FAIL)
PATCH_RULES = rules_for(Kind.ITEMS, Operation.PATCH, OnMissing.FAIL)

_NAMES = ["price", "größe", "url", "id", "a b", "x:y", "active"]
_VALUES = st.one_of(
    st.integers(), st.text(max_size=5), st.sampled_from(["price", "id", "data", "größe"]),
    st.dictionaries(st.sampled_from(_NAMES), st.integers(), max_size=3), st.none(),
)  # fmt: skip


def _value(name: str, drawn: Any) -> Any:
    return {"url": "u", "active": True}.get(name, drawn)


@st.composite
def _written(draw: st.DrawFn) -> tuple[str, bool]:
    """Draw an entry as text, and whether a member comes twice."""
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : "), ("\n,", "\t:\r")]))
    ascii_only = draw(st.booleans())

    def string(text: str) -> str:
        written = json.dumps(text, ensure_ascii=ascii_only)
        if draw(st.integers(0, 9)) == 0 and text and ord(text[0]) < 0x10000:
            written = f'"\\u{ord(text[0]):04x}' + json.dumps(text[1:], ensure_ascii=ascii_only)[1:]
        return written

    def written(pairs: list[tuple[str, str]]) -> str:
        return "{" + separators[0].join(f"{string(name)}{separators[1]}{value}" for name, value in pairs) + "}"

    names = draw(st.lists(st.sampled_from(_NAMES), max_size=6, unique=draw(st.integers(0, 3)) > 0))
    inside = [(name, json.dumps(_value(name, draw(_VALUES)), separators=separators)) for name in names]
    top = [("id", '"a"'), ("name", '"A"'), ("data", written(inside))]
    if draw(st.booleans()):
        top.append(("suggested_score", "1"))
    if draw(st.integers(0, 5)) == 0:
        top.append(draw(st.sampled_from(top)))
    top = draw(st.permutations(top))
    seen = [name for name, _ in top]
    return written(top), len(set(names)) < len(names) or len(set(seen)) < len(seen)


@given(st.lists(_written(), min_size=1, max_size=12), st.integers(1, 5))
@settings(deadline=None, max_examples=120)
def test_those_with_a_member_twice_are_refused_and_no_others(drawn: list[tuple[str, bool]], times: int) -> None:
    """Whatever the entries beside them are like, and those that were read before."""
    drawn = drawn * times
    entries = [Raw(text.encode()) for text, _ in drawn]
    checked = RULES.check(entries, "items")
    assert [i in checked.problems for i in range(len(entries))] == [repeated for _, repeated in drawn]
    assert all(REPEATED in problem.msg for found in checked.problems.values() for problem in found)
    assert [FAST[ITEM_PUT].accept(raw) for raw in entries] == [not repeated for _, repeated in drawn]


@pytest.mark.parametrize(
    ("entry", "loc"),
    [
        ('{"id": "a", "name": "A", "id": "b"}', "items[0].id"),
        ('{"id": "a", "name": "A", "data": {"t:add": [1]}, "data": {}}', "items[0].data"),
        ('{"id": "a", "name": "A", "data": {"x": 1, "\\u0078": 2}}', "items[0].data.x"),
        ('{"id": "a", "name": "A", "data": {"x": "' + "y" * 600_000 + '"}, "data": {}}', "items[0].data"),
    ],
)
def test_it_is_said_which(entry: str, loc: str) -> None:
    checked = RULES.check([Raw(entry.encode())], "items")
    assert [problem.loc for problem in checked.problems[0]] == [loc]


@pytest.mark.parametrize("beside", ['{"id":"b","data":null}', "5", "[" * 20_000 + "]" * 20_000])
def test_what_stands_beside_does_not_hide_it(beside: str) -> None:
    """In the entry itself, or in others of its batch."""
    twice = '{"id":"a","data":null,"name":"A","name":"B"}'
    checked = PATCH_RULES.check([Raw(beside.encode()), Raw(twice.encode())], "items")
    assert [problem.loc for problem in checked.problems[1]] == ["items[1].name"]


def test_all_members_that_come_twice_are_named() -> None:
    """At the top, and in data; what lies deeper is nobody's business."""
    twice = Raw(b'{"id":"a","id":"b","name":"A","data":{"x":1,"y":{"z":1,"z":2},"x":2}}')
    members = RepeatedMembers(ItemPut())
    assert members.of(twice) == ["id", "data.x"]
    assert members.among([Raw(b'{"id":"c","name":"C"}'), twice, Raw(b'{"data":{"x":1,"x":1}}')]) == [1, 2]


def test_usual_entries_are_not_read_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """That costs twenty times what checking them does."""
    usual = Raw(b'{ "id": "a", "name": "A", "data": {"url": "u", "list": [1, 2], "deep": {"x": {}}} }')
    monkeypatch.setattr("api.entries.repeated_members._exact", lambda _: pytest.fail("it was read exactly"))
    assert repeated_members(usual) == repeated_members(usual, {"data", "facets"}) == []
    monkeypatch.setattr("api.entries.repeated_members.repeated_members", lambda *_: pytest.fail("it was looked at"))
    assert RepeatedMembers(ItemPut()).among([usual, usual]) == []


def test_usual_batches_need_no_closer_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some entries lack a member that others have."""
    path = FAST[ITEM_PUT]
    monkeypatch.setattr(FastPath, "_read_loosely", lambda *_: pytest.fail("they were read one by one"))
    for separators in ((",", ":"), (", ", ": ")):
        entries = []
        for number in range(200):
            data = {"url": "https://shop.example/ü", "price": 1.5, "facets": {"Größe": ["M"]}, "deep": {"x": [number]}}
            for name in list(data)[: number % 3]:
                del data[name]
            entry = {"id": str(number), "name": "Schuh", "data": data}
            entries.append(Raw(json.dumps(entry, separators=separators).encode()))
        assert path.read(entries).doubtful == set()


def _feed(number: int, members: dict[str, Any]) -> Raw:
    data = {"url": "https://shop.example", "facets": {"Size": ["M"]}, **members}
    return Raw(json.dumps({"id": str(number), "name": "Schuh", "data": data}).encode())


def test_what_was_learned_from_others_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one feed has as a member may be a facet, or a text, of another, and feeds have ever other members."""
    path = FAST[ITEM_PUT]
    monkeypatch.setattr(FastPath, "_read_loosely", lambda *_: pytest.fail("they were read one by one"))
    branded = [_feed(number, {"brand": "B"} if number % 2 else {}) for number in range(40)]
    others = [_feed(number, {"facets": {"brand": ["B"]}}) for number in range(40)]
    texts = [_feed(number, {"url": "brand"}) for number in range(40)]
    changing = [
        [_feed(number, {f"m{turn}-{number % 15}": 1} if number else {}) for number in range(60)] for turn in range(6)
    ]
    for batch in (others, branded, others, texts, branded, texts, *changing, *changing, branded):
        assert path.read(batch).doubtful == set()
