"""What is counted of the fields of items."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.catalog.field_stats import FieldStats
from workers.count import presence_tally
from workers.count.presence_tally import PresenceTally


def tallied(*datas: Any) -> dict[str, FieldStats]:
    """The fields of items with such data, by name."""
    tally = PresenceTally()
    tally.add(data if isinstance(data, bytes) else json.dumps({"id": "a", "data": data}).encode() for data in datas)
    return {field.name: field for field in tally.result({}, 1)}


def test_a_field_has_the_one_type_of_its_values_or_mixed() -> None:
    """A null is no value; whole numbers and others are of one type."""
    values: dict[str, Any] = {"s": "x", "n": 1, "a": [], "o": {}, "b": True, "m": 1, "nothing": None}
    found = tallied(values, {"n": 1.5, "m": "x", "s": None})
    assert {name: (field.type.value, field.items) for name, field in found.items()} == {
        "s": ("string", 1), "n": ("number", 2), "a": ("array", 1), "o": ("object", 1), "b": ("boolean", 1),
        "m": ("mixed", 2),
    }  # fmt: skip


def test_members_of_facets_and_metadata_are_fields_like_those_of_data() -> None:
    """An item that has one in both places has it once; what is no object is a field itself."""
    found = tallied(
        {"facets": {"color": ["red"], "size": "m"}, "metadata": {"brand": "acme"}, "color": "blue"},
        {"metadata": "text"},
    )
    assert {name: (field.type.value, field.items) for name, field in found.items()} == {
        "color": ("string", 1), "size": ("string", 1), "brand": ("string", 1), "metadata": ("string", 1),
    }  # fmt: skip


def test_examples_are_a_few_different_values_as_they_were_sent() -> None:
    """Numbers keep their digits; empty values are no examples, long ones are cut."""
    digits = tallied(b'{"id":"a","data":{"price":17.50,"big":123456789012345678901234567890,"list":[1.10,"x"]}}')
    assert digits["price"].examples == ["17.50"]
    assert digits["big"].examples == ["123456789012345678901234567890"]
    assert digits["list"].examples == ['[1.10,"x"]']
    found = tallied({"x": ""}, *({"x": str(number % 7)} for number in range(30)), {"long": "é" * 300})
    assert found["x"].examples == ["0", "1", "2", "3", "4"]
    assert found["long"].examples == ["é" * 100 + "…"]


def test_items_without_data_are_counted() -> None:
    tally = PresenceTally()
    tally.add([b'{"id":"a"}', b'{"id":"b","data":null}', b'{"id":"c","data":{"x":1}}'])
    assert tally.items == 3
    assert [field.items for field in tally.result({}, 1)] == [1]


@pytest.mark.parametrize("great", ["9" * 5_000, "1e99999999999999999999"])
def test_a_number_too_great_for_python_counts_as_any_other(great: str) -> None:
    found = tallied('{"id":"a","data":{"x":%s,"y":"z","list":[%s]}}'.replace("%s", great).encode())
    assert {name: field.type for name, field in found.items()} == {"x": "number", "y": "string", "list": "array"}


def test_a_field_found_before_keeps_its_moment() -> None:
    tally = PresenceTally()
    tally.add([b'{"id":"a","data":{"old":1,"new":1}}'])
    assert {field.name: field.created_ms for field in tally.result({"old": 7, "gone": 6}, 9)} == {"old": 7, "new": 9}


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of too many fields the most present ones; a name that is empty, or longer than the contract allows, is none."""
    monkeypatch.setattr(presence_tally, "MOST_FIELDS", 2)
    assert set(tallied({"a": 1, "b": 1, "c": 1}, {"b": 1, "c": 1})) == {"b", "c"}
    assert set(tallied({"x" * 300: 1, "x" * 301: 1, "": 1})) == {"x" * 300}
    monkeypatch.setattr(presence_tally, "MOST_TALLIED", 2)
    assert {name: field.items for name, field in tallied({"a": 1, "b": 1}, {"c": 1, "a": 1}).items()} == {
        "a": 2,
        "b": 1,
    }
    monkeypatch.setattr(presence_tally, "MOST_BYTES", 250)
    assert set(tallied({"a": "x" * 100, "b": "x" * 100}, {"a": "y" * 100})) == {"a"}
