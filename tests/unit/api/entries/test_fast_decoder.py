"""The promise of the fast path: what it takes, marshmallow takes too, with the same id."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import EXCLUDE, ValidationError, validate, validates_schema
from msgspec import Raw

from api.entries.fast_decoder import FastPath
from api.entries.rules import EntryRules
from api.schemas import entries, fields
from api.schemas.base import Strict
from shared.model import Kind, OnMissing, Operation

BATCHES = [(*batch, on_missing) for batch in entries.ENTRY_SCHEMAS for on_missing in OnMissing]
RULES = {batch: (entries.entry_schema(*batch)(), batch[0]) for batch in BATCHES}
FAST = {batch: FastPath(schema) for batch, (schema, _) in RULES.items()}
JUDGES = {batch: EntryRules(schema, kind) for batch, (schema, kind) in RULES.items()}

ITEM_PUT = (Kind.ITEMS, Operation.PUT, OnMissing.FAIL)
ITEM_PATCH = (Kind.ITEMS, Operation.PATCH, OnMissing.FAIL)


def accepts(raw: str, batch: Any = ITEM_PUT) -> bool:
    return FAST[batch].accept(Raw(raw.encode()))


# --- texts of entries ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Literal:
    """JSON to be written as it stands."""

    text: str


#: More digits than Python reads.
ENDLESS = Literal("endless")


def spelled(text: str, choose: Any) -> str:
    """Write a string as JSON, each character plainly or as an escape."""
    out = []
    for char in text:
        how = choose.random()
        if how < 0.1 and ord(char) < 0x10000:
            out.append(f"\\u{ord(char):04x}" if how < 0.05 else f"\\u{ord(char):04X}")
        else:
            out.append(json.dumps(char, ensure_ascii=how < 0.2)[1:-1])
    return '"' + "".join(out) + '"'


def written(value: Any, choose: Any) -> str:
    """Write a value as JSON in one of the many ways there are.  A list of pairs is an object."""
    blank = choose.choice(["", "", " ", "\n\t"])
    match value:
        case Literal():
            return "9" * 5000 if value is ENDLESS else value.text
        case str():
            return spelled(value, choose)
        case tuple():
            members = [f"{written(key, choose)}{blank}:{blank}{written(each, choose)}" for key, each in value]
            return "{" + blank + f",{blank}".join(members) + blank + "}"
        case list():
            return "[" + blank + f"{blank},".join(written(each, choose) for each in value) + blank + "]"
        case _:
            return json.dumps(value)


EDGES = ["", "a", "Shoe 7", "-", "_ -", "👟", "é" * 250, "é" * 251, "n" * 100, "n" * 101, "s" * 201, "d" * 4001]
TEXTS = st.sampled_from(EDGES) | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
NUMBERS = st.sampled_from(
    [
        *map(Literal, ["0", "-0", "-1", "-2", "1337.0", "1337.5", "1e3", "5e8", "0.1", "1E-1", "1e16"]),
        *map(Literal, ["500000000", "500000001", "500000000.0", "5.000000001e8", "9223372036854775808"]),
        *map(Literal, ["1e400", "-1e400", "1e-400", "123456789012345678901234567890"]),
        ENDLESS,
    ]
)
ESCAPES = st.sampled_from([Literal(f'"{text}"') for text in (r"\ud800", r"\udc00x", r"\ud83d\ude00", r"\u0000", r"\q")])
SCALARS = TEXTS | NUMBERS | ESCAPES | st.booleans() | st.none()
DATA_KEYS = [
    *["keywords", "url", "facets", "group_ids", "description", "active", "is_default", "__cnstrc_release_time"],
    *["keywords:add", "group_ids:remove", "sizes:add", "sizes:remove", ":add"],
]
KEYS = st.sampled_from(DATA_KEYS)
ANYTHING = SCALARS | st.lists(SCALARS, max_size=2) | st.lists(st.tuples(KEYS, SCALARS), max_size=2).map(tuple)
MOMENTS = st.from_regex(
    r"(2024-02-29|0001-01-01|9999-12-31)[Tt ](00|23|24):00:(00|59|60)(\.[0-9]{1,9})?([Zz]|[+-](00|23|24):?(00|59))?",
    fullmatch=True,
)
TEXT_LISTS = st.lists(TEXTS, max_size=2)
LIKELY: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(["keywords", "group_ids", "keywords:add", "group_ids:remove"], TEXT_LISTS),
    **dict.fromkeys(["sizes:add", "sizes:remove", ":add"], st.lists(SCALARS, max_size=2)),
    **dict.fromkeys(["url", "description", "id", "name", "item_id"], TEXTS),
    "parent_ids": TEXT_LISTS,
    **dict.fromkeys(["active", "is_default"], st.booleans()),
    "suggested_score": NUMBERS,
    "facets": st.lists(st.tuples(TEXTS, SCALARS | st.lists(SCALARS, max_size=2)), max_size=2).map(tuple),
    "__cnstrc_release_time": MOMENTS,
}


#: An entry that is wrong in one place finds more than one that is wrong everywhere.
GOOD: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(["id", "name", "item_id", "url", "description"], st.sampled_from(["a", "Shoe 7", "é" * 250])),
    **dict.fromkeys(["keywords", "group_ids", "keywords:add", "group_ids:remove", "parent_ids"], st.just(["a"])),
    **dict.fromkeys(["sizes:add", "sizes:remove", ":add"], st.just([])),
    **dict.fromkeys(["add", "x:adds", "price", ""], ANYTHING),
    "facets": st.just((("size", ["s", Literal("41")]), ("color", "red"))),
    "__cnstrc_release_time": st.just("2024-02-29t23:59:59.5z"),
}
FREE_KEYS = ["add", "x:adds", "price", "", *DATA_KEYS]


@st.composite
def members(draw: Any, keys: list[str], *, always: list[str]) -> tuple[tuple[str, Any], ...]:
    chosen = always + draw(st.lists(st.sampled_from(keys), max_size=4)) if keys else always
    wild = draw(st.integers(-2, len(chosen) - 1))
    pairs = []
    for place, key in enumerate(chosen):
        good = GOOD.get(key, LIKELY.get(key, ANYTHING))
        pairs.append((key, draw(LIKELY.get(key, ANYTHING) | ANYTHING if place == wild else good)))
    return tuple(pairs)


GOOD["data"] = LIKELY["data"] = members(FREE_KEYS, always=[])


@st.composite
def entries_of_batches(draw: Any) -> tuple[Any, Any]:
    """An entry, mostly of a batch's own fields, and the batch."""
    batch = draw(st.sampled_from(BATCHES))
    schema, _ = RULES[batch]
    own = list(schema.fields)
    required = [name for name, field in schema.fields.items() if field.required]
    missing = draw(st.sampled_from([None] * 9 + required))
    optional = ["data"] * 3 + own if "data" in own else []
    foreign = draw(st.sampled_from([[]] * 9 + [["price"], ["item_id"], ["data"]]))
    return draw(members(optional + foreign, always=[name for name in required if name != missing])), batch


def plainly_decoded(text: str) -> Any:
    """Decode with another parser than ours.  Raises ValueError for no JSON, or for a lone surrogate."""

    def checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        json.dumps(pairs, ensure_ascii=False).encode()
        return dict(pairs)

    return json.loads(
        text, parse_int=lambda digits: int(digits) if len(digits) < 4000 else math.inf, object_pairs_hook=checked
    )


def is_storable(text: str) -> bool:
    try:
        plainly_decoded(text)
    except ValueError:
        return False
    return True


@settings(max_examples=200, derandomize=True, deadline=None)
@given(sent=entries_of_batches(), choose=st.randoms(use_true_random=False))
def test_whatever_the_fast_path_takes_marshmallow_takes_with_the_same_id(sent: Any, choose: Any) -> None:
    entry, batch = sent
    text = written(entry, choose)
    raw = Raw(text.encode())
    fast = FAST[batch]
    try:
        accepted = fast.accept(raw)
        read = fast.read([raw])
    except msgspec.DecodeError:
        assert not is_storable(text), "a body that is not is refused before anything comes here"
        return
    assert accepted or read.doubtful == {0}, "reading many is no less strict than one"
    if accepted:
        schema, _ = RULES[batch]
        loaded = schema.load(plainly_decoded(text))
        assert JUDGES[batch].judge(raw)["id"] == loaded["id"]
        if not read.doubtful:
            assert read.ids == [loaded["id"]]
            assert read.parents in (None, [loaded.get("item_id")])


@settings(max_examples=80, derandomize=True, deadline=None)
@given(sent=entries_of_batches(), choose=st.randoms(use_true_random=False))
def test_a_batch_is_judged_as_marshmallow_alone_would(sent: Any, choose: Any) -> None:
    entry, batch = sent
    raw = Raw(written(entry, choose).encode())
    rules = JUDGES[batch]
    try:
        checked = rules.check([raw], "items")
    except msgspec.DecodeError:
        return
    try:
        loaded = rules.judge(raw)
    except ValidationError:
        assert checked.problems
    else:
        assert not checked.problems
        assert checked.ids == [loaded["id"]]
        assert checked.parents in (None, [loaded.get("item_id")])


@settings(max_examples=100, derandomize=True, deadline=None)
@given(moment=MOMENTS)
def test_a_moment_that_the_fast_path_reads_marshmallow_reads(moment: str) -> None:
    text = json.dumps({"id": "a", "name": "b", "data": {"__cnstrc_release_time": moment}})
    if accepts(text):
        entries.ItemPut().load(json.loads(text))


# --- single promises -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", BATCHES)
def test_usual_entries_take_the_fast_path(batch: Any) -> None:
    kind, operation, _ = batch
    entry: dict[str, Any] = {"id": "a"}
    if operation is not Operation.DELETE:
        facets = {"size": [41, 42.5], "color": "red"}
        known = {"url": "https://x", "keywords": ["k"], "group_ids": [], "facets": facets, "active": True}
        when = {"__cnstrc_release_time": "2026-05-01T08:00:00Z"}
        entry |= {"name": "é", "suggested_score": 1337.0, "data": {**known, **when, "price": 19.9, "more": [{}]}}
        entry |= {"item_id": "b"} if kind is Kind.VARIATIONS else {}
    if kind is Kind.ITEM_GROUPS and operation is not Operation.DELETE:
        entry = {"id": "a", "name": "é", "parent_ids": ["b"], "data": {"price": 19.9, "more": [{}]}}
    assert accepts(json.dumps(entry), batch)


def test_list_edits_take_the_fast_path_in_a_patch() -> None:
    assert accepts('{"id": "a", "data": {"keywords:add": ["a"], "sizes:remove": [1]}}', ITEM_PATCH)


def with_data(members: str) -> str:
    return '{"id": "a", "name": "b", "data": {' + members + "}}"


@pytest.mark.parametrize(
    "key", ["sizes:add", "sizes\\u003aadd", "sizes\\u003Aadd", "sizes:\\u0061dd", "sizes:r\\u0065move", ":\\u0072emove"]
)
def test_no_spelling_hides_an_edit_key(key: str) -> None:
    entry = with_data(f'"{key}": []')
    assert not accepts(entry)
    assert FAST[ITEM_PUT].read([Raw(entry.encode())]).doubtful == {0}
    assert accepts(entry, ITEM_PATCH)
    assert not accepts(with_data(f'"{key}": 5'), ITEM_PATCH)


#: What each of these has instead of a value is no JSON, or cannot be stored as UTF-8.
NO_JSON = [
    *[
        '"\\ud800"',
        '"\\udc00"',
        '"\\ud800\\ud800"',
        '"\\ud800 and more"',
        '"\\q"',
        '"\\u12"',
        '"\\uZZZZ"',
        '"\x01"',
        '"\n"',
    ],
    *["NaN", "Infinity", "-", "01", "1.", ".5", "1e", "+1", "nul", "[1,]", '{"a":1,}', "{1:2}", "\x0c1", "'a'"],
]


@pytest.mark.parametrize("value", NO_JSON)
def test_what_is_skipped_is_still_json(value: str) -> None:
    """The fast path rests on this; a parser that skips more lightly must not go unnoticed."""
    with pytest.raises(msgspec.DecodeError):
        accepts(with_data(f'"unknown": {value}'))


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 5000, "1234567890" * 5])
def test_a_number_that_python_cannot_hold_may_be_stored_but_is_no_score(number: str) -> None:
    assert accepts(with_data(f'"unknown": {number}'))
    assert not accepts('{"id": "a", "name": "b", "suggested_score": ' + number + "}")


def test_an_entry_longer_than_its_data_may_be_is_left_to_be_measured() -> None:
    assert not accepts(with_data(f'"x": "{"x" * entries.DATA_MAX_BYTES}"'))


def test_reading_many_goes_on_behind_an_entry_that_is_not_taken() -> None:
    texts = ['{"id": "a", "name": "x"}', "5", '{"id": "", "name": "x"}', '{"id": "d", "name": "-x"}', "[]"]
    read = FAST[ITEM_PUT].read([Raw(text.encode()) for text in texts])
    assert read.doubtful == {1, 2, 3, 4}
    assert read.ids[0] == "a"
    assert len(read.ids) == 5


@pytest.mark.parametrize("place", [0, 25, 39])
@pytest.mark.parametrize(
    "facets",
    [
        *['{"Size": ["M"], "Colour": "red"}', '{"Colour": 7}', "{}", "null", '{"Gr\\u00f6\\u00dfe": [1.5]}'],
        *['{"Size": {}}', '{"Size": [null]}', '{"Size": ["%s"]}' % ("s" * 201), '["Size"]', '"Size"'],
        *['{"%s": "M"}' % ("n" * 100), '{"%s": "M"}' % ("n" * 101), '{"%s": true}' % ("n" * 99)],
    ],
)
def test_facets_among_many_are_judged_as_those_of_one_alone(facets: str, place: int) -> None:
    """Also in the next batch, for which something was learned from this one."""
    usual = Raw(with_data('"facets": {"Size": ["M", 41], "Colour": "blue"}').encode())
    odd = Raw(with_data(f'"facets": {facets}').encode())
    rules = JUDGES[ITEM_PUT]
    entries = [usual] * 40
    entries[place] = odd
    alone = list(rules.check([odd], "items").problems)
    for batch, wrong in [
        (entries, [place] if alone else []),
        ([usual] * 40, []),
        ([odd] * 40, list(range(40)) if alone else []),
    ]:
        assert list(rules.check(batch, "items").problems) == wrong


class _Hooked(Strict):
    id = fields.Text(required=True)

    @validates_schema
    def never(self, data: Any, **_: Any) -> None: ...


class _Excluding(Strict):
    class Meta:
        unknown = EXCLUDE

    id = fields.Text(required=True)


class _Unknown(fields.Text):
    """A kind that nobody taught the fast path."""


@pytest.mark.parametrize(
    "schema",
    [
        _Hooked,
        _Excluding,
        Strict.from_dict({"id": _Unknown()}),
        Strict.from_dict({"id": fields.Text(validate=validate.OneOf(["a"]))}),
        Strict.from_dict({"id": fields.Text(validate=validate.Length(equal=3))}),
        Strict.from_dict({"id": fields.Text(load_default="x")}),
        Strict.from_dict({"id": fields.ListOf(fields.Text(), validate=validate.Length(max=3))}),
        Strict.from_dict({"id": fields.WholeNumber(validate=validate.Range(min=1, min_inclusive=False))}),
        Strict.from_dict({"id": fields.OneOrMany(fields.Text(allow_none=True))}),
        Strict.from_dict({"id": fields.TextOrNumber(fields.Text(allow_none=True))}),
        Strict.from_dict({"id": fields.ListOf(fields.OpenObject(entries.Data, max_bytes=9))}),
    ],
)
def test_a_rule_without_a_translation_is_an_error_at_once(schema: Any) -> None:
    with pytest.raises(TypeError, match="no fast path"):
        FastPath(schema())
