"""An id may hold any character, and comes back as it was sent."""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest

from tests.acceptance.customer import Customer

IDS = [
    "a b", " lead", "trail ", " ", "a/b", "/lead", "//lead", "trail/", "a//b", ".", "..", "../..", "a/../b",
    "%", "%2F", "%252F", "a%2fb", "%00", "100%", "a+b", "a?b=c", "a#b", "a&b=c", "id=1", ";", "*", "$", "{}", "[0]",
    '"', 'q"q', "'", "\\", "C:\\x", "<b>", "line\nbreak", "\n", "\r\n", "\t", "\0", "nul\0mid", "\x01", "\x1b[0m",
    "\x7f", "é", "e\u0301", "日本語", "🙂", "👩‍👩‍👧", "\u200b", "\ufeff", "\u2028", "\u202eabc", "\uffff", "\U0010ffff",
    "null", "v2/items", "https://shop.example/p?id=1#top", "x" * 250, "🙂" * 250,
]  # fmt: skip


def some_ids(count: int) -> list[str]:
    """Ids of any characters at all, the same in each run."""
    draw = random.Random(2)
    found = set()
    while len(found) < count:
        points = [draw.randrange(1, sys.maxunicode) for _ in range(draw.randrange(1, 40))]
        found.add("".join(chr(point) for point in points if not 0xD800 <= point < 0xE000) or "x")
    return sorted(found)


@pytest.mark.parametrize("kind", ["items", "variations"])
def test_any_id_round_trips_through_put_get_one_list_and_delete(kind: str, customer: Customer) -> None:
    ids = IDS + some_ids(100)
    extra = {} if kind == "items" else {"item_id": "the / item"}
    customer.done(customer.put(*({"id": id_, "name": "A", **extra, "data": {"same": id_}} for id_ in ids), kind=kind))

    listed = [entry_id for entry_id, _ in customer.entries(kind)]
    assert listed == sorted(ids, key=lambda id_: id_.encode())
    for entry_id in ids:
        one = customer.entry(entry_id, kind).ok()
        assert (one["id"], one["data"]) == (entry_id, {"same": entry_id})
        named = customer.call("GET", f"/v2/{kind}", id=entry_id).ok()
        assert ([entry["id"] for entry in named[kind]], named["total_count"]) == ([entry_id], 1)

    *gone, kept = ids
    customer.done(customer.delete(*({"id": entry_id} for entry_id in gone), kind=kind, force=True))
    assert [entry_id for entry_id, _ in customer.entries(kind)] == [kept]
    assert customer.entry(gone[0], kind).refused(404)
    customer.check_laws()


def test_a_variation_finds_its_item_whatever_the_id(customer: Customer) -> None:
    customer.put(*({"id": id_, "name": "A"} for id_ in IDS))
    customer.done(customer.put(*({"id": f"v{i}", "item_id": id_} for i, id_ in enumerate(IDS)), kind="variations"))
    for i, id_ in enumerate(IDS):
        found = customer.call("GET", "/v2/variations", item_id=id_).ok()
        assert [entry["id"] for entry in found["variations"]] == [f"v{i}"]
    task = customer.done(customer.delete(*({"id": id_} for id_ in IDS), force=True))
    assert task["result"]["changelog"]["sections"]["Products"]["variations_deleted"] == len(IDS)
    customer.check_laws()


def test_a_section_may_have_any_name_and_keeps_to_itself(customer: Customer) -> None:
    sections = ["a b", "a/b", "%2F", "é", "🙂", "\n", "\0", "日" * 100, "Products"]
    for number, section in enumerate(sections):
        customer.put({"id": "same", "name": f"A {number}"}, section=section)
    customer.wait_all_ended()
    for number, section in enumerate(sections):
        assert customer.entry("same", section=section).ok()["name"] == f"A {number}"
    customer.check_laws()


def test_what_is_stored_is_what_was_sent_byte_for_byte(customer: Customer) -> None:
    data = (
        rb'{"big": 123456789012345678901234567890, "huge": 1e999, "price": 19.90, "zero": -0, "none": [], "empty": {},'
        rb' "text": "\u00e9\/\ud83d\ude42", "deep": [[{"a": [1.0, 1.10, 1E+2]}]], "null": null}'
    )
    entry = b'{ "id":"a",\n  "name" : "A", "suggested_score": 1337.0,  "data": %s}' % data
    customer.done(customer.put(entry))
    assert customer.entries() == [("a", entry)]
    assert data in customer.entry("a").body


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"data": {"tags:add": ["b", "c"]}}, {"tags": ["a", "b", "c"], "price": 19.90}),
        ({"data": {"tags:remove": ["a", "x"], "price": None}}, {"tags": ["b"]}),
        ({"data": {"tags": ["z"], "more": {"x": 1}}}, {"tags": ["z"], "price": 19.90, "more": {"x": 1}}),
        ({"data": None}, {}),
    ],
)
def test_a_patch_changes_what_it_names_and_nothing_else(
    changed: dict[str, Any], expected: dict[str, Any], customer: Customer
) -> None:
    customer.put({"id": "a", "name": "A", "suggested_score": 7, "data": {"tags": ["a", "b"], "price": 19.90}})
    customer.done(customer.patch({"id": "a", **changed}))
    item = customer.entry("a").ok()
    assert item.get("data") == expected
    assert (item["name"], item["suggested_score"]) == ("A", 7)
    customer.check_laws()
