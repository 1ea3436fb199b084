"""Nested groups of V1 become entries, or are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api.errors import Invalid, TooLarge
from api.v1.group_bodies import read_change, read_nested


def entries_of(*groups: Any) -> list[dict[str, Any]]:
    chunk = read_nested(json.dumps({"item_groups": groups}).encode())
    found = [json.loads(entry) for entry in chunk.entries()]
    assert [entry["id"] for entry in found] == chunk.ids
    return found


def refusal_of(*groups: Any) -> str:
    with pytest.raises(Invalid) as caught:
        entries_of(*groups)
    return caught.value.message


def change_of(group_id: str, body: Any) -> tuple[dict[str, Any], bool]:
    chunk, has_name = read_change(json.dumps(body).encode(), group_id)
    return json.loads(chunk.entry(0)), has_name


def refusal_of_change(group_id: str, body: Any) -> str:
    with pytest.raises(Invalid) as caught:
        change_of(group_id, body)
    return caught.value.message


def group(group_id: str, *children: Any, **fields: Any) -> dict[str, Any]:
    return {"id": group_id, "name": group_id.upper(), **fields, **({"children": children} if children else {})}


def test_the_place_of_a_group_tells_its_parent() -> None:
    """Parents come before their children, in the order they were sent."""
    assert entries_of(group("a", group("b", group("c")), group("d")), group("e", parent_id="x")) == [
        {"id": "a", "name": "A"},
        {"id": "b", "name": "B", "parent_ids": ["a"]},
        {"id": "c", "name": "C", "parent_ids": ["b"]},
        {"id": "d", "name": "D", "parent_ids": ["a"]},
        {"id": "e", "name": "E", "parent_ids": ["x"]},
    ]


def test_a_place_counts_more_than_a_parent_id() -> None:
    assert entries_of(group("a", group("b", parent_id="x")))[1]["parent_ids"] == ["a"]


def test_null_says_that_there_is_no_parent_and_no_child() -> None:
    """In an upsert it takes a group to the top; without it the group stays where it is."""
    assert entries_of(group("a", parent_id=None, children=None), group("b", children=[])) == [
        {"id": "a", "name": "A", "parent_ids": None},
        {"id": "b", "name": "B"},
    ]


def test_data_is_kept_byte_for_byte() -> None:
    body = b'{"item_groups": [{"id":"a","name":"A", "children": [{"id": "b", "name": "B", "data": {"n" : 19.90}}]}]}'
    assert b'"data":{"n" : 19.90}' in read_nested(body).text


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["a"], "item_groups[0]: value is not a valid dict"),
        ([{"id": "a"}], "item_groups[0].name: field required"),
        ([group("a", {"id": "b"})], "item_groups[0].children[0].name: field required"),
        ([group("a", 7)], "item_groups[0].children[0]: value is not a valid dict"),
        ([group("a", children="b")], "item_groups[0].children: value is not a valid list"),
        ([group("x" * 201)], "item_groups[0].id: ensure this value has at most 200 characters"),
        ([group("a", parent_id=7)], "item_groups[0].parent_id: str type expected"),
        ([group("a", parent_ids=["b"])], "item_groups[0].parent_ids: extra fields not permitted"),
        ([group("a", data=[])], "item_groups[0].data: value is not a valid dict"),
        (
            [group("a", group("b", group("a")))],
            "item_groups[0].children[0].children[0].id: a group cannot lie below itself",
        ),
        ([group("a", parent_id="a")], "item_groups[0].parent_id: a group cannot lie below itself"),
        (
            [{"id": "a", "children": [{"name": "B"}]}, {"id": "", "name": "E"}],
            "item_groups[0].name: field required; item_groups[0].children[0].id: field required; "
            "item_groups[1].id: ensure this value has at least 1 characters",
        ),
    ],
)
def test_what_is_wrong_is_said_where_it_is(groups: list[Any], message: str) -> None:
    """On every level, in the words of V2."""
    assert refusal_of(*groups) == message


def test_groups_of_all_levels_count() -> None:
    """The clients speak of 1,000 groups a call."""
    most = [group(f"a{number}", group(f"b{number}")) for number in range(500)]
    assert len(entries_of(*most)) == 1000
    too_many = "item_groups: ensure this value has at most 1000 items"
    assert refusal_of(*most, group("c")) == too_many
    assert refusal_of(*(group(f"a{number}") for number in range(1001))) == too_many


def test_groups_lie_within_each_other_up_to_a_depth() -> None:
    nested = group("g0")
    for number in range(1, 40):
        nested = group(f"g{number}", nested)
    assert refusal_of(nested) == "item_groups[0]: ensure this value is nested at most 64 levels deep"


def test_a_call_makes_one_chunk() -> None:
    """So a REPLACE is seen whole or not at all."""
    with pytest.raises(TooLarge):
        entries_of(*(group(f"g{number}", data={"x": "x" * 4_900}) for number in range(500)))


# -- one group --------------------------------------------------------------------------------------------------------


def test_what_changes_in_one_group() -> None:
    """Its id stands in the path, and may stand in the body too."""
    assert change_of("g", {"name": "G"}) == ({"id": "g", "name": "G"}, True)
    assert change_of("g", {"id": "g", "data": {"n": 1}}) == ({"id": "g", "data": {"n": 1}}, False)
    assert change_of("g", {"parent_id": "p"}) == ({"id": "g", "parent_ids": ["p"]}, False)
    assert change_of("g", {"parent_id": None})[0] == {"id": "g", "parent_ids": None}
    assert change_of("a/b c", {})[0] == {"id": "a/b c"}


@pytest.mark.parametrize(
    ("group_id", "body", "message"),
    [
        ("g", [], "body: value is not a valid dict"),
        ("g", {"id": "h"}, "id: differs from the id in the path"),
        ("g", {"parent_id": "g"}, "parent_id: a group cannot lie below itself"),
        ("g", {"children": []}, "children: extra fields not permitted"),
        ("g", {"name": None}, "name: none is not an allowed value"),
        ("x" * 201, {"name": "X"}, "id: ensure this value has at most 200 characters"),
    ],
)
def test_a_bad_change_is_refused(group_id: str, body: Any, message: str) -> None:
    assert refusal_of_change(group_id, body) == message
