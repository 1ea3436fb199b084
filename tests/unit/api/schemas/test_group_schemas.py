"""Promises about the rules of item groups and their wording."""

from __future__ import annotations

from typing import Any

import pytest

from shared.model import Kind, OnMissing, Operation
from tests.unit.api.schemas.test_schemas import refusal_of, refusal_of_entry

GROUPS = Kind.ITEM_GROUPS
GOOD = {"id": "g", "name": "Shoes"}
PUT, PATCH, DELETE = Operation.PUT, Operation.PATCH, Operation.DELETE


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"item_groups": None}, "item_groups: none is not an allowed value"),
        ({"item_groups": []}, "item_groups: ensure this value has at least 1 items"),
        ({"item_groups": "x"}, "item_groups: value is not a valid list"),
        ({}, "item_groups: field required"),
    ],
)
def test_a_body_without_groups_is_refused(body: Any, message: str) -> None:
    """The clients match these words."""
    assert refusal_of(body, kind=GROUPS) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id": ""}, "item_groups[0].id: ensure this value has at least 1 characters"),
        ({"id": "x" * 201}, "item_groups[0].id: ensure this value has at most 200 characters"),
        ({"name": "x" * 501}, "item_groups[0].name: ensure this value has at most 500 characters"),
        ({"parent_ids": "a"}, "item_groups[0].parent_ids: value is not a valid list"),
        ({"parent_ids": ["a", ""]}, "item_groups[0].parent_ids[1]: ensure this value has at least 1 characters"),
        ({"parent_id": "a"}, "item_groups[0].parent_id: extra fields not permitted"),
        ({"data": []}, "item_groups[0].data: value is not a valid dict"),
        ({"data": {"a": "x" * 5_000}}, "item_groups[0].data: ensure this value has at most 5000 bytes of JSON"),
        ({"data": {"a:add": []}}, "item_groups[0].data.a:add: list edits are not permitted in PUT"),
    ],
)
def test_a_group_that_breaks_a_rule_is_refused(fields: dict[str, Any], message: str) -> None:
    """In the words that items are refused with."""
    assert refusal_of_entry(GOOD | fields, kind=GROUPS) == message


@pytest.mark.parametrize(
    "fields", [{}, {"id": "x" * 200, "name": "-" * 500}, {"parent_ids": None, "data": None}, {"data": {"url": 7}}]
)
def test_a_good_group_is_taken(fields: dict[str, Any]) -> None:
    """Up to every bound; nothing inside its data is known."""
    assert refusal_of_entry(GOOD | fields, kind=GROUPS) == ""


def test_what_a_patch_and_a_delete_take() -> None:
    """Whether a group has to be made, for which it needs a name, shows later; a DELETE takes ids alone."""
    assert refusal_of_entry({"id": "g", "data": {"a:add": []}}, kind=GROUPS, operation=PATCH) == ""
    create = {"kind": GROUPS, "operation": PATCH, "on_missing": OnMissing.CREATE}
    assert refusal_of_entry({"id": "g"}, **create) == ""
    assert refusal_of_entry({"id": "g"}, kind=GROUPS, operation=DELETE) == ""
    extra = "item_groups[0].name: extra fields not permitted"
    assert refusal_of_entry(GOOD, kind=GROUPS, operation=DELETE) == extra
