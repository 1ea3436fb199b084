"""Item groups become a tree."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.v1.group_tree import GroupTree


def tree_of(**parents: list[str]) -> GroupTree:
    return GroupTree(
        {
            group_id: json.dumps({"id": group_id, "name": group_id.upper(), "parent_ids": above}).encode()
            for group_id, above in parents.items()
        }
    )


def shape(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    return {node["id"]: shape(node["children"]) for node in nodes}


def shape_of(tree: GroupTree) -> dict[str, Any]:
    text, count = tree.write(tree.roots())
    assert count == len(tree)
    return shape(json.loads(text))


def test_a_group_lies_below_its_parent() -> None:
    assert shape_of(tree_of(b=["a"], a=[], c=["b"], d=["a"])) == {"a": {"b": {"c": {}}, "d": {}}}


def test_a_group_whose_parent_is_not_there_lies_at_the_top() -> None:
    """Until the parent arrives."""
    assert shape_of(tree_of(b=["a"])) == {"b": {}}
    assert shape_of(tree_of(b=["a"], a=[])) == {"a": {"b": {}}}


def test_of_several_parents_the_first_that_is_there_counts() -> None:
    """A group under each of them would make a tree of a few groups endlessly big."""
    assert shape_of(tree_of(a=[], b=[], c=["x", "b", "a"])) == {"a": {}, "b": {"c": {}}}


def test_a_circle_is_cut_at_the_first_id() -> None:
    """Those below a circle stay below it."""
    assert shape_of(tree_of(c=["b"], b=["d"], d=["c"], a=["d"])) == {"b": {"c": {"d": {"a": {}}}}}
    assert shape_of(tree_of(a=["a"])) == {"a": {}}


def test_the_shape_of_a_group() -> None:
    tree = GroupTree({"g": b'{"id": "g", "name": "G\xc3\xa9", "data": {"n": 19.90}}', "h": b'{"id":"h","name":"H"}'})
    text, _ = tree.write(tree.roots())
    assert text.decode() == (
        '[{"id":"g","name":"Gé","data":{"n": 19.90},"children":[]},{"id":"h","name":"H","data":{},"children":[]}]'
    )


def test_no_groups() -> None:
    tree = GroupTree({})
    assert tree.write(tree.roots()) == (b"[]", 0)


def test_a_chain_as_long_as_there_are_groups_is_written() -> None:
    """Without recursion, and not in quadratic time."""
    tree = tree_of(**{f"g{number:05}": [f"g{number - 1:05}"] for number in range(20_000)})
    text, count = tree.write(tree.roots())
    assert (count, text.count(b'"id"')) == (20_000, 20_000)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefghxy"), max_size=3)))
def test_every_group_stands_exactly_once(parents: dict[str, list[str]]) -> None:
    """Whatever the parents say."""
    tree = tree_of(**parents)
    text, count = tree.write(tree.roots())
    assert count == len(parents)
    assert sorted(json.dumps(json.loads(text)).count(f'"id": "{group_id}"') for group_id in parents) == [1] * count
