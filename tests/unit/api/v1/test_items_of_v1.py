"""Items of V1 become entries of V2, or are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from api.entries.chunks import build_body, cut_into_chunks
from api.errors import Invalid
from api.v1.item_bodies import read_items
from shared.model import Operation

CREATE, MODIFY, AMEND, DELETE = Operation.CREATE, Operation.MODIFY, Operation.AMEND, Operation.DELETE


def read(operation: Operation, *items: Any, section: str = "Products") -> Any:
    raw = [Raw(one if isinstance(one, bytes) else json.dumps(one).encode()) for one in items]
    return read_items(raw, operation, section)


def entry_of(item: Any, operation: Operation = CREATE) -> dict[str, Any]:
    whole = read(operation, item)
    [entry] = map(json.loads, whole.entries)
    assert whole.ids == [entry["id"]]
    return dict(entry)


def refusal_of(item: Any, operation: Operation = CREATE, **how: Any) -> str:
    with pytest.raises(Invalid) as caught:
        read(operation, item, **how)
    return caught.value.message


def test_everything_of_v1_has_its_place() -> None:
    item = {
        "item_name": "Labradoodle",
        "id": "L1",
        "section": "Products",
        "suggested_score": 360,
        "keywords": ["poodle"],
        "url": "http://x",
        "image_url": "http://y",
        "description": "A crossbreed",
        "facets": {"Personality": ["Friendly"]},
        "group_ids": ["23"],
        "metadata": {"animal": "dog", "is_default": True},
    }
    assert entry_of(item) == {
        "id": "L1",
        "name": "Labradoodle",
        "suggested_score": 360,
        "data": {
            "animal": "dog",
            "is_default": True,
            "keywords": ["poodle"],
            "url": "http://x",
            "image_url": "http://y",
            "description": "A crossbreed",
            "facets": {"Personality": ["Friendly"]},
            "group_ids": ["23"],
        },
    }


def test_without_an_id_the_name_is_the_id() -> None:
    assert entry_of({"item_name": "Poodle"}) == {"id": "Poodle", "name": "Poodle"}
    assert entry_of({"item_name": "Poodle", "id": None}) == {"id": "Poodle", "name": "Poodle"}
    assert entry_of({"item_name": "Poodle", "url": "u"}, AMEND) == {"id": "Poodle", "data": {"url": "u"}}
    assert entry_of({"item_name": "Poodle"}, DELETE) == {"id": "Poodle"}


def test_variations_come_with_their_item() -> None:
    variations = [
        {"id": "v", "facets": {"Color": ["Brown"]}, "suggested_score": 100, "metadata": {"is_default": True}},
        {"id": "w", "item_name": "Black Labradoodle", "url": None},
    ]
    assert entry_of({"item_name": "L", "id": "1", "variations": variations})["variations"] == [
        {
            "id": "v",
            "suggested_score": 100,
            "data": {"is_default": True, "facets": {"Color": ["Brown"]}},
            "item_id": "1",
        },
        {"id": "w", "name": "Black Labradoodle", "item_id": "1"},
    ]
    assert read(CREATE, {"item_name": "L", "variations": variations}, {"item_name": "M"}).weights == [3, 1]


def test_none_sent_and_an_empty_list_differ() -> None:
    assert entry_of({"item_name": "L", "variations": []})["variations"] == []
    for nothing in ({"item_name": "L"}, {"item_name": "L", "variations": None}):
        assert "variations" not in entry_of(nothing)


def test_null_is_absent_but_in_a_patch() -> None:
    item = {"item_name": "L", "url": None, "suggested_score": None, "metadata": {"a": None}}
    assert entry_of(item) == {"id": "L", "name": "L", "data": {"a": None}}
    assert entry_of(item, AMEND) == {"id": "L", "suggested_score": None, "data": {"a": None, "url": None}}


def test_a_field_counts_more_than_metadata_of_its_name() -> None:
    assert entry_of({"item_name": "L", "url": "u", "metadata": {"url": "v"}})["data"] == {"url": "u"}


def test_numbers_stay_as_they_are_spelled() -> None:
    body = (
        b'{"item_name": "L", "suggested_score": 1e3, "facets": {"size": 41.50}, "metadata": {"n": 19.90, "m": 1e400}}'
    )
    [entry] = read(CREATE, body).entries
    assert entry == (
        b'{"id":"L","suggested_score":1e3,"data":{"n":19.90,"m":1e400,"facets":{"size": 41.50}},"name":"L"}'
    )


def test_a_put_may_give_an_item_another_name() -> None:
    """Which needs an id, since without one the name is what it is known by."""
    assert entry_of({"item_name": "L", "id": "1", "new_item_name": "M"}, MODIFY) == {"id": "1", "name": "M"}
    assert refusal_of({"item_name": "L", "new_item_name": "M"}, MODIFY) == (
        "items[0].new_item_name: requires an id: without one the item_name identifies the item"
    )


def test_a_delete_takes_whatever_was_added() -> None:
    """Clients send the whole item."""
    item = {"item_name": "L", "id": "1", "url": 7, "variations": "x", "new_item_name": "M", "section": "Products"}
    assert entry_of(item, DELETE) == {"id": "1"}


@pytest.mark.parametrize("operation", [CREATE, MODIFY, AMEND])
@pytest.mark.parametrize(
    ("item", "message"),
    [
        ([], "items[0]: value is not a valid dict"),
        ({}, "items[0].item_name: field required"),
        ({"id": "1"}, "items[0].item_name: field required"),
        ({"item_name": "-"}, "items[0].item_name: ensure this value has at least one alphanumeric character"),
        ({"item_name": "x" * 251}, "items[0].item_name: ensure this value has at most 250 characters"),
        ({"item_name": "L", "id": ""}, "items[0].id: ensure this value has at least 1 characters"),
        ({"item_name": None}, "items[0].item_name: none is not an allowed value"),
        ({"item_name": "L", "suggested_score": "7"}, "items[0].suggested_score: value is not a valid integer"),
        ({"item_name": "L", "price": 7}, "items[0].price: extra fields not permitted"),
        ({"item_name": "L", "keywords": "k"}, "items[0].keywords: value is not a valid list"),
        ({"item_name": "L", "metadata": []}, "items[0].metadata: value is not a valid dict"),
        ({"item_name": "L", "metadata": {"a:add": []}}, "items[0].metadata.a:add: list edits are not permitted in V1"),
        ({"item_name": "L", "section": "Other"}, "items[0].section: differs from the section of the call"),
        ({"item_name": "L", "variations": "v"}, "items[0].variations: value is not a valid list"),
        ({"item_name": "L", "variations": [7]}, "items[0].variations[0]: value is not a valid dict"),
        ({"item_name": "L", "variations": [{"id": "v"}, {}]}, "items[0].variations[1].id: field required"),
        (
            {"item_name": "L", "variations": [{"id": "v", "item_id": "L"}]},
            "items[0].variations[0].item_id: extra fields not permitted",
        ),
        (
            {"item_name": "L", "variations": [{"id": str(number)} for number in range(1001)]},
            "items[0].variations: ensure this value has at most 1000 items",
        ),
    ],
)
def test_what_is_wrong_is_said_where_it_is(operation: Operation, item: Any, message: str) -> None:
    assert refusal_of(item, operation) == message


def test_a_delete_needs_to_know_of_what() -> None:
    assert refusal_of({"url": "u"}, DELETE) == "items[0].item_name: field required"
    assert refusal_of({"item_name": ""}, DELETE) == "items[0].item_name: ensure this value has at least 1 characters"
    assert refusal_of({"id": "x" * 251}, DELETE) == "items[0].id: ensure this value has at most 250 characters"


def test_another_name_is_for_a_put_alone() -> None:
    item = {"item_name": "L", "id": "1", "new_item_name": "M"}
    for operation in (CREATE, AMEND):
        assert refusal_of(item, operation) == "items[0].new_item_name: extra fields not permitted"


def test_what_is_put_together_may_not_grow_too_long() -> None:
    """Each member on its own was short enough."""
    item = {"item_name": "L", "url": "u" * 150_000, "metadata": {"x": "x" * 150_000}}
    assert refusal_of(item) == "items[0]: ensure this value has at most 200000 bytes of JSON"
    within = {"item_name": "L", "variations": [{"id": "v", **{k: v for k, v in item.items() if k != "item_name"}}]}
    assert refusal_of(within) == "items[0]: ensure this value has at most 200000 bytes of JSON"
    assert refusal_of({"item_name": "L", "variations": [{"id": "v", "url": "u" * 2_000_000}]}) == (
        "items[0]: ensure this value has at most 2000000 bytes of JSON"
    )


def test_a_chunk_counts_variations_too() -> None:
    """So that one commit never writes more than it should."""
    whole = read(
        CREATE, *({"item_name": f"i{n}", "variations": [{"id": f"v{n}-{m}"} for m in range(300)]} for n in range(7))
    )
    text, bounds = build_body("items", whole.entries)
    chunks = cut_into_chunks(text, bounds, whole.ids, None, weights=whole.weights)
    assert [len(chunk) for chunk in chunks] == [3, 3, 1]
    assert b"".join(chunk.text for chunk in chunks) == text
    assert [chunk.entries() for chunk in chunks] == [whole.entries[:3], whole.entries[3:6], whole.entries[6:]]
    assert json.loads(text)["items"][6]["id"] == "i6"
