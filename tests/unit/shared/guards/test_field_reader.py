"""Fields of entries are read whatever is in them."""

from __future__ import annotations

import pytest

from shared.guards.field_reader import can_be_read, empty_ones, numbers_of, read_columns

GREAT = "9" * 400


def column(*values: str, numeric: bool = False) -> list[object]:
    entries = [b'{"id":"a","data":{"x":%s}}' % value.encode() for value in values]
    [found] = read_columns(entries, ["data.x"], frozenset(() if numeric else {"data.x"}))
    return found


@pytest.mark.parametrize("numeric", [False, True])
def test_a_list_or_object_with_nothing_but_white_space_is_empty(numeric: bool) -> None:
    assert empty_ones(column("[ ]", "{\n  }", "[ 1 ]", '"   "', "[\n\n\n\n\n]", numeric=numeric)) == [0, 1, 4]


def test_numbers_too_great_to_be_divided_are_no_numbers() -> None:
    assert list(numbers_of(column("1", GREAT, "1e999", f'"{GREAT}"', numeric=True))) == [1, None, None, None]


@pytest.mark.parametrize("name", ['data.width 5"', "data.a\\b", "data.a\nb"])
def test_a_name_that_the_decoder_refuses_cannot_be_read(name: str) -> None:
    assert not can_be_read(name)
    with pytest.raises(ValueError, match="Renamed field names"):
        read_columns([b'{"id":"a"}'], [name], frozenset())
