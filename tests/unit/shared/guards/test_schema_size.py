"""A schema that would take for ever, or much memory, is refused."""

from __future__ import annotations

from typing import Any

import pytest

from shared.guards.data_schema import DataSchema
from shared.guards.schema_size import BadSchema


def doubling(levels: int) -> dict[str, Any]:
    """Each definition refers to the next one twice."""
    steps = {f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(levels)}
    return {"$ref": "#/$defs/a0", "$defs": {**steps, f"a{levels}": {"type": "object"}}}


def chained(levels: int) -> dict[str, Any]:
    steps = {f"a{i}": {"$ref": f"#/$defs/a{i + 1}"} for i in range(levels)}
    return {"$ref": "#/$defs/a0", "$defs": {**steps, f"a{levels}": {}}}


@pytest.mark.parametrize(
    "schema",
    [
        doubling(40),
        chained(2_000),
        {"$ref": "#"},
        {"properties": {"a": {"$ref": "#/properties/a"}}},
        {"$ref": "#anchor"},
        {"$dynamicRef": "#node"},
        {"properties": {str(i): {"pattern": f"^{i}"} for i in range(101)}},
        {"patternProperties": {f"^{i}": {} for i in range(101)}},
        {"pattern": r"\p{L}{1000}"},
        {"pattern": "(a{1000}){1000}"},
    ],
)
def test_what_asks_for_too_much_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(BadSchema):
        DataSchema.of(schema)


def test_definitions_may_be_used_more_than_once() -> None:
    schema = DataSchema.of(
        doubling(5) | {"required": ["price"], "properties": {"sku": {"pattern": "^[A-Z]{2}-[0-9]+$"}}}
    )
    entries = [b'{"id":"a","data":{"price":1,"sku":"AB-1"}}', b'{"id":"b","data":{"price":1,"sku":"ab"}}']
    assert list(schema.problems(entries)) == [1]
