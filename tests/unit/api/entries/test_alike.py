"""Entries that are much alike are read together: each as it was sent, or none of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import Raw

from api.entries.alike import MAP_NAMES, MEMBERS, SAMPLE, SHAPES, SURPRISES, AlikeReader, Map, Shape

FACETS = ("data", "facets")
OBJECTS = {"data": {"url": str, "facets": dict[str, list[str]]}}
#: Of so many only some are looked at first.
MANY = 3 * SAMPLE
#: One of those that are not.
UNSEEN = MANY - 2


@pytest.fixture
def reader() -> AlikeReader:
    """It has met no entries yet."""
    top = {"id": str, "name": str | None, "item_id": str, "score": int | None}
    maps = {FACETS: Map(str, list[str])}
    return AlikeReader(top, OBJECTS, maps, required=["id", "name"], wanted=["id", "item_id", "name"])


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[Raw]:
    """The entries that are looked at for their members."""
    found: list[Raw] = []
    of = Shape.of

    def noting(raw: Raw, *how: Any) -> Shape:
        found.append(raw)
        return of(raw, *how)

    monkeypatch.setattr(Shape, "of", noting)
    return found


def entry(number: int, data: Any = None, **members: Any) -> dict[str, Any]:
    return {"id": f"i{number}", "name": "N", **members, "data": {"url": "u", **(data or {})}}


def raws(entries: Sequence[Any]) -> list[Raw]:
    return [Raw(one if isinstance(one, bytes) else json.dumps(one, ensure_ascii=False).encode()) for one in entries]


def columns(entries: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [one.get(name) for one in entries] for name in ("id", "item_id", "name")}


def shape(*entries: Any) -> Shape:
    first, *others = (Shape.of(raw, OBJECTS, [FACETS]) for raw in raws(entries))
    for one in others:
        first = first.joined(one)
    return first


@pytest.mark.parametrize(
    "special",
    [
        {},
        {"item_id": "p"},
        {"score": 1},
        {"score": None},
        {"name": None},
        {"data": {"price": 1, "größe": [{"x": 1}]}},
        {"data": {"facets": {"Size": ["M"], "Color": []}}},
        {"data": {"name": "of its own", "id": 1}},
    ],
)
@pytest.mark.parametrize("every", [1, 2, MANY - 2, MANY])
def test_each_is_read_as_it_was_sent(reader: AlikeReader, special: dict[str, Any], every: int) -> None:
    """What some have, and others have not; also where only one has it, and when such were read before."""
    plain = [entry(number) for number in range(MANY)]
    mixed = [entry(number, **(special if number % every == every - 1 else {})) for number in range(MANY)]
    for entries in (mixed, plain, mixed, mixed[::-1], mixed):
        assert reader.read(raws(entries)) == columns(entries)


def test_what_nobody_has_is_none_of_each(reader: AlikeReader) -> None:
    """Also of those that come behind one which is like no other."""
    entries = [entry(number, {f"m{number // 10}": 1}) for number in range(MANY)]
    assert reader.read(raws(entries)) == columns(entries)
    assert reader.read(raws([{**one, "item_id": "p"} for one in entries])) is not None


@pytest.mark.parametrize("place", [0, UNSEEN])
@pytest.mark.parametrize(
    "other",
    [
        b"5",
        {"id": 5, "name": "N", "data": {"url": "u"}},
        {"name": "N", "data": {"url": "u"}},
        {"id": "a", "data": {"url": "u"}},
        {"id": "a", "name": "N"},
        {"id": "a", "name": "N", "data": None},
        entry(1, unknown=1),
        entry(1, {"url": 5}),
        entry(1, {"facets": {"Size": "M"}}),
        entry(1, {"facets": []}),
        entry(1, {"tags:add": ["x"]}),
        entry(1, {"tags:remove": ["x"]}),
        b'{"id":"a","name":"N","name":"N","data":{"url":"u"}}',
        b'{"id":"a","name":"N","data":{"url":"u","url":"u"}}',
        b'{"id":"a","name":"N","data":{"url":"u","own":1,"own":2}}',
        b'{"id":"a","name":"N","data":{"url":"u"},"data":{"url":"u"}}',
        b'{"id":"a","name":"N","data":{"url":"u","\\u0075rl":"u"}}',
        b'{"id":"a","name":"N","data":{"url":"u","gr\\u00f6\\u00dfe":1,"gr\xc3\xb6\xc3\x9fe":2}}',
        b'{"id":"a","name":"N","data":{"url":"u","a\\"b":1}}',
    ],
)
def test_one_that_is_not_as_it_may_be_is_read_by_nobody_here(reader: AlikeReader, other: Any, place: int) -> None:
    """It breaks a rule, has a member twice, edits a list, or has a name that cannot be counted."""
    entries: list[Any] = [entry(number) for number in range(MANY)]
    bad = [*entries[:place], other, *entries[place + 1 :]]
    assert reader.read(raws(bad)) is None
    assert reader.read(raws(entries)) == columns(entries)
    assert reader.read(raws(bad)) is None


@pytest.mark.parametrize(
    ("times", "members", "taken"),
    [(SURPRISES - 1, 1, True), (SURPRISES, 1, False), (1, MEMBERS - 4, True), (1, MEMBERS - 3, False)],
)
def test_they_may_surprise_a_few_times(reader: AlikeReader, times: int, members: int, taken: bool) -> None:
    """One after the other has members of its own; if more have, or too many, they differ too much."""
    own = {number: {f"m{number}-{one}": 1 for one in range(members)} for number in range(1, times + 1)}
    entries = raws([entry(number, own.get(number)) for number in range(40 * SAMPLE)])
    assert (reader.read(entries) is not None) is taken


def test_facets_may_have_other_names_each_time(reader: AlikeReader) -> None:
    """That is one surprise, not many."""
    entries = [entry(number, {"facets": {f"f{number}": ["x"]}}) for number in range(MANY)]
    same = [entry(number, {"facets": {"Size": ["M"]}}) for number in range(MANY)]
    late = same[:UNSEEN] + entries[UNSEEN:]
    for batch in (entries, same, late, entries, late):
        assert reader.read(raws(batch)) == columns(batch)


def test_what_was_learned_is_used_again(reader: AlikeReader, looked_at: list[Raw]) -> None:
    """Of a batch that begins as another did, only the first entry is looked at: for each of so many beginnings."""
    batches = [
        raws([entry(number, {f"b{beginning}": 1} if number % 2 == 0 else {}) for number in range(MANY)])
        for beginning in range(SHAPES)
    ]
    for _ in range(2):
        looked_at.clear()
        assert all(reader.read(batch) for batch in batches)
    assert looked_at == [batch[0] for batch in batches]


def test_some_here_and_there_are_looked_at_first(reader: AlikeReader, looked_at: list[Raw]) -> None:
    """However many there are; the first is looked at twice."""
    for size in (1, SAMPLE, 100 * SAMPLE):
        looked_at.clear()
        assert reader.read(raws([entry(number, {f"of {size}": 1}) for number in range(size)]))
        assert min(size, SAMPLE) / 2 < len(looked_at) <= SAMPLE + 1


def test_a_shape_has_the_members_of_all_its_entries() -> None:
    """And apart from these those that only some have."""
    both = shape(entry(1, {"x": 1}), entry(2, {"y": 1}, item_id="p"))
    assert both.all == {("", "id"), ("", "name"), ("", "data"), ("data", "url")}
    assert both.some == {("", "item_id"), ("data", "x"), ("data", "y")}


def test_the_names_of_a_map_are_learned_unless_they_are_many_or_new() -> None:
    """Many names, or ever other ones, would take a decoder each time."""

    def facets(names: Sequence[str]) -> dict[str, Any]:
        return entry(1, {"facets": {name: ["x"] for name in names}})

    def learned(of: Shape) -> Any:
        return dict(of.maps).get(FACETS, "nothing")

    few = [f"f{number}" for number in range(MAP_NAMES)]
    assert learned(shape(entry(1))) == "nothing"
    assert learned(shape(facets(few[:2]), facets(few[1:]), entry(1))) == set(few)
    assert learned(shape(entry(1), facets(few))) == set(few)
    assert learned(shape(facets(few), facets(["more"]))) is None
    assert learned(shape(facets([*few, "more"]), facets(few))) is None
    assert learned(shape(facets(few), facets([*few, "more"]))) is None
    assert learned(shape(entry(1, {"facets": []}))) is None
    assert learned(shape(facets(few)).surprised_by(shape(facets(few[:2]), entry(1)))) == set(few)
    assert learned(shape(entry(1)).surprised_by(shape(facets(few)))) == set(few)
    assert learned(shape(facets(few[:1])).surprised_by(shape(facets(few[:2])))) is None
