"""Mapping files are checked with words that say where, and applied without changing a digit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.catalog.pages import StoredEntry
from shared.model import Kind
from shared.sinks.mapping import Unmappable, Variations, document
from shared.sinks.mapping_file import BadMapping, parse_mapping, read_mapping

WHOLE = """
items:
  name: name
  price: {from: data.price, type: number}
  colors: {from: data.facets.color, type: texts}
  weight: {from: [data, "net.weight"], type: integer}
  sold: {from: data.sold, type: boolean}
  since: {from: data.since, type: time}
  data: {from: data, type: json}
  shop: {value: berlin}
mode: nested
"""


def mapped(body: bytes, text: str = WHOLE) -> dict[str, Any]:
    made = document(parse_mapping(msgspec.yaml.decode(text)), Kind.ITEMS, StoredEntry("a", 0, body))
    columns: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(made.columns))
    return columns


def test_columns_are_picked_renamed_and_flattened(tmp_path: Path) -> None:
    (tmp_path / "mapping.yaml").write_text(WHOLE, encoding="utf-8")
    assert read_mapping(tmp_path / "mapping.yaml").mode is Variations.NESTED
    body = (
        b'{"id": "a", "name": "A", "data": {"price": [3], "facets": {"color": "red"}, "net.weight": "12",'
        b' "sold": "TRUE", "since": "2026-11-29T00:00:00Z"}}'
    )
    assert mapped(body) == {
        "name": "A", "price": 3, "colors": ["red"], "weight": 12, "sold": True, "since": "2026-11-29T00:00:00Z",
        "data": {
            "price": [3], "facets": {"color": "red"}, "net.weight": "12", "sold": "TRUE",
            "since": "2026-11-29T00:00:00Z",
        },
        "shop": "berlin",
    }  # fmt: skip


def test_what_is_missing_is_null() -> None:
    assert set(mapped(b'{"id": "a", "data": 3}', "items: {b: data.b, c: {from: c, type: number}}").values()) == {None}


def test_numbers_keep_their_digits() -> None:
    made = document(
        parse_mapping({"items": {"price": {"from": "price", "type": "number"}}}),
        Kind.ITEMS,
        StoredEntry("a", 0, b'{"price": 19.9000000000000000000000001}'),
    )
    assert msgspec.json.encode(made.columns) == b'{"price":19.9000000000000000000000001}'


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("number", b'"cheap"'),
        ("number", b"true"),
        ("integer", b"1.5"),
        ("integer", b"1e300"),
        ("integer", b'"1e999"'),
        ("integer", b"99999999999999999999"),
        ("boolean", b"1"),
        ("time", b'"2026-11-29T00:00:00"'),
        ("time", b"5"),
        ("text", b"{}"),
        ("texts", b"[{}]"),
    ],
)
def test_a_value_that_does_not_fit_is_named(type_: str, value: bytes) -> None:
    mapping = parse_mapping({"items": {"column": {"from": "field", "type": type_}}})
    with pytest.raises(Unmappable, match=f"^field cannot become the {type_} column column: it "):
        document(mapping, Kind.ITEMS, StoredEntry("a", 0, b'{"field": ' + value + b"}"))


@pytest.mark.parametrize("value", [b"1e999", b"[1e999]", b"9" * 5000])
@pytest.mark.parametrize("type_", ["text", "texts", "integer", "number", "boolean"])
def test_a_number_that_is_too_large_is_an_entry_that_does_not_fit(type_: str, value: bytes) -> None:
    mapping = parse_mapping({"items": {"column": {"from": "field", "type": type_}}})
    with pytest.raises(Unmappable, match=f"^field cannot become the {type_} column column: "):
        document(mapping, Kind.ITEMS, StoredEntry("a", 0, b'{"field": ' + value + b"}"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "the mapping: an object"),
        ({"item": {}}, "there is no 'item'; did you mean items?"),
        ({"items": {"a": {"from": "x", "typ": "text"}}}, "items.a: there is no 'typ'; did you mean type?"),
        ({"items": {"a": {"from": "x", "type": "float"}}}, "items.a.type: 'float' is none of text"),
        ({"items": {"a": {"from": "x", "value": 1}}}, "items.a: give either `from` or `value`"),
        ({"items": {"a": {"value": [1]}}}, "items.a.value: a constant is"),
        ({"items": {"a": {"value": "x", "type": "number"}}}, "items.a.value: this is text, not number"),
        ({"items": {"a": "x..y"}}, "items.a: a path is names"),
        ({"items": {"a b": "x"}}, "items.a b: a column's name"),
        ({"items": {"Body": "x"}}, "items.Body: every table has this column"),
        ({"items": {"a": "x", "A": "y"}}, "items.a: named twice"),
        ({"items": ["a"]}, "items: give columns by name"),
        ({"mode": "deep"}, "mode: 'deep' is none of table, nested, flat, none"),
        ({"mode": ["table"]}, "mode: ['table'] is none of table, nested, flat, none"),
        ({"items": {"a": {"from": "x", "type": ["text"]}}}, "items.a.type: ['text'] is none of text"),
    ],
)
def test_a_mistake_in_a_mapping_is_told_with_its_place(given: Any, words: str) -> None:
    with pytest.raises(BadMapping) as problem:
        parse_mapping(given)
    assert words in str(problem.value)


def test_a_file_that_is_no_yaml_or_json_is_told(tmp_path: Path) -> None:
    for name in ("mapping.yaml", "mapping.json"):
        (tmp_path / name).write_text("{a: [", encoding="utf-8")
        with pytest.raises(BadMapping, match=name):
            read_mapping(tmp_path / name)
