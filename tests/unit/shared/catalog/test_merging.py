"""PATCHes merge into stored entries by the contract's rules."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.catalog.merging import NO_PATCH, decode_fields, encode_fields, lay_over, merge, without_nulls
from shared.errors import TaskFailed
from tests.support import generated, laws

NAMES = ["a", "b", "c"]


def merged(stored: str, sent: str) -> tuple[str, bool]:
    fields = decode_fields(stored.encode())
    changed = merge(fields, decode_fields(sent.encode()))
    return encode_fields(fields).decode(), changed


def patch_data(stored: Any, sent: Any) -> Any:
    text, _ = merged(json.dumps({"id": "1", "data": stored}), json.dumps({"id": "1", "data": sent}))
    return json.loads(text)["data"]


@given(number=generated.NUMBERS, other=generated.NUMBERS)
def test_numbers_pass_byte_for_byte(number: str, other: str) -> None:
    """Neither those that a PATCH leaves alone nor those it sends are ever read as numbers."""
    stored = f'{{"id":"1","suggested_score":{number},"data":{{"kept":{number},"list":[{number}],"gone":1}}}}'
    sent = f'{{"id":"1","data":{{"new":{other},"list:add":["x"],"gone":null}}}}'
    text, _ = merged(stored, sent)
    assert text == (
        f'{{"id":"1","suggested_score":{number},"data":{{"kept":{number},"list":[{number},"x"],"new":{other}}}}}'
    )


@given(stored=generated.objects(NAMES), sent=generated.objects(NAMES, edits=True))
def test_data_is_merged_as_the_contract_says(stored: str, sent: str) -> None:
    """Key by key, one level; null removes; lists are edited by JSON equality: against a model of its own."""
    before, change = f'{{"id":"1","data":{stored}}}', f'{{"id":"1","data":{sent}}}'
    try:
        expected = laws.patched(laws.read_json(before), laws.read_json(change))
    except laws.Unapplicable:
        with pytest.raises(TaskFailed, match="needs a list under"):
            merged(before, change)
        return
    text, changed = merged(before, change)
    assert laws.read_json(text) == expected
    if not changed:
        assert laws.read_json(text) == laws.read_json(before)


@given(stored=generated.objects(NAMES), sent=generated.objects(NAMES, edits=True))
def test_the_same_patch_again_changes_nothing(stored: str, sent: str) -> None:
    """What is UNCHANGED can be told by the bytes."""
    try:
        once, _ = merged(f'{{"id":"1","data":{stored}}}', f'{{"id":"1","data":{sent}}}')
    except TaskFailed:
        return
    assert merged(once, f'{{"id":"1","data":{sent}}}') == (once, False)


@pytest.mark.parametrize(
    ("before", "edit", "elements", "after"),
    [
        ([1], "add", [1.0, True, "1"], [1, True, "1"]),
        ([{"a": 1, "b": 2}], "add", [{"b": 2, "a": 1}], [{"a": 1, "b": 2}]),
        ([[1, 2]], "add", [[2, 1]], [[1, 2], [2, 1]]),
        ([None, False], "add", [0, None], [None, False, 0]),
        (["x"], "add", ["y", "y"], ["x", "y"]),
        (None, "add", ["x"], ["x"]),
        ([1, True, 1, "1"], "remove", [1.0], [True, "1"]),
        (["x"], "remove", ["x"], []),
        ([{"a": []}], "remove", [{"a": {}}], [{"a": []}]),
        (["keeps", "keeps"], "add", ["keeps"], ["keeps", "keeps"]),
    ],
)
def test_lists_are_edited_by_json_equality(before: Any, edit: str, elements: Any, after: Any) -> None:
    """1 is 1.0, true is not 1, objects have no order, and what is added is not there twice."""
    stored = {} if before is None else {"tags": before}
    assert patch_data(stored, {f"tags:{edit}": elements})["tags"] == after


@pytest.mark.parametrize(
    ("stored", "added"),
    [
        ("[1e400]", "[1e400]"),
        ("[1]", "[1e400, [1e400]]"),
        ("[1e400]", "[1]"),
        ("[12345678901234567890123]", "[12345678901234567890124]"),
        ("[0.1]", "[0.1000000000000000055]"),
        ("[1e99999999999999999999]", "[1, 1e99999999999999999999, 1e-99999999999999999999]"),
        ("[]", f"[{'9' * 5_000}, {'8' * 5_000}, {'9' * 5_000}]"),
    ],
)
def test_list_edits_tell_numbers_apart_however_great(stored: str, added: str) -> None:
    """Such a number fails nothing, and only equal ones are equal."""
    text, _ = merged(f'{{"id":"1","data":{{"n":{stored}}}}}', f'{{"id":"1","data":{{"n:add":{added}}}}}')
    before, sent = laws.read_json(f'{{"data":{{"n":{stored}}}}}'), laws.read_json(f'{{"data":{{"n:add":{added}}}}}')
    assert laws.read_json(text)["data"] == laws.patched(before, sent)["data"]


def test_a_missing_list_counts_as_empty() -> None:
    """Nothing is made of a list that nothing was added to."""
    assert patch_data({"a": 1}, {"tags:remove": ["x"], "more:add": []}) == {"a": 1}


@pytest.mark.parametrize("other", ["x", 1, {"a": 1}, True])
def test_an_edit_of_something_else_than_a_list_fails_the_task(other: Any) -> None:
    """The failure names the key."""
    with pytest.raises(TaskFailed, match=r"data\.tags:add needs a list under 'tags'"):
        patch_data({"tags": other}, {"tags:add": ["x"]})


def test_top_level_fields_replace_and_null_removes() -> None:
    text, changed = merged(
        '{"id":"1","name":"old","suggested_score":3}', '{"id":"1","name":"new","suggested_score":null}'
    )
    assert (json.loads(text), changed) == ({"id": "1", "name": "new"}, True)


@pytest.mark.parametrize("sent", ['{"name":"new","data":{"a":1}}', '{"data":{"a":1},"name":"new"}'])
def test_one_field_that_changes_is_a_change(sent: str) -> None:
    """Also where the others stay as they are."""
    assert merged('{"name":"old","data":{"a":1}}', sent) == ('{"name":"new","data":{"a":1}}', True)


def test_only_the_end_of_a_name_says_that_it_is_an_edit() -> None:
    """All before it is the name, colons too."""
    stored = {"add": 1, "a:b": ["x"], "add:a": 1}
    assert patch_data(stored, {"add": 2, "remove": 3, "a:b:add": ["y"], "add:a": 4, "a:b:remove": ["x"]}) == {
        "add": 2, "a:b": ["y"], "add:a": 4, "remove": 3,
    }  # fmt: skip


def test_a_patch_beside_an_entry_is_laid_over_it() -> None:
    """An empty one leaves every byte as it is."""
    entry = b'{"id": "1", "name": "A", "data": {"x": 1, "y": 2}}'
    assert lay_over(entry, NO_PATCH) is entry
    over = lay_over(entry, b'{"name":null,"data":{"y":null,"z":3}}')
    assert json.loads(over) == {"id": "1", "data": {"x": 1, "z": 3}}


def test_data_that_is_not_there_yet_begins_empty() -> None:
    """As in RFC 7396, where the target of a merge that is no object becomes one."""
    assert json.loads(merged('{"id":"1"}', '{"id":"1","data":{"a":1,"b":null}}')[0])["data"] == {"a": 1}


def test_null_removes_data_whole() -> None:
    assert json.loads(merged('{"id":"1","data":{"a":1}}', '{"id":"1","data":null}')[0]) == {"id": "1"}


def test_nested_objects_are_replaced_whole() -> None:
    """One level, no deeper; nulls further in are values."""
    assert patch_data({"a": {"x": 1, "y": 2}}, {"a": {"x": None}}) == {"a": {"x": None}}


@given(entry=generated.objects(["id", "name", "suggested_score", "data"]))
def test_a_put_loses_its_nulls_and_nothing_else(entry: str) -> None:
    """Without one its very bytes are kept; nulls below the top are values."""
    kept = without_nulls(entry.encode())
    expected = {name: value for name, value in laws.read_json(entry).items() if value is not None}
    assert laws.read_json(kept) == expected
    if len(expected) == len(laws.read_json(entry)):
        assert kept == entry.encode()


@given(st.data())
def test_equal_values_are_found_however_they_are_spelled(data: st.DataObject) -> None:
    """Adding what is there, in any spelling that our own comparison calls the same, adds nothing."""
    value = data.draw(generated.VALUES)
    again = data.draw(generated.VALUES)
    text, _ = merged(f'{{"id":"1","data":{{"l":[{value}]}}}}', f'{{"id":"1","data":{{"l:add":[{again}]}}}}')
    equal = laws.same(laws.read_json(value), laws.read_json(again))
    assert len(laws.read_json(text)["data"]["l"]) == (1 if equal else 2)
