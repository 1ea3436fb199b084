"""Field statistics: what the items of a section have, as counted after the catalogue changed."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import jsonschema_rs
import pytest

from shared.catalog.field_stats import FieldStatistics
from shared.keys import COUNTER
from shared.model import Kind
from tests.support.ingress import READER_TOKEN, Ingress
from tests.support.rig import ACME, Rig
from tests.test_conventions import ROOT
from workers.count import field_counter
from workers.count.field_counter import FieldCounter

PATH = "/v1/items_fields_stats"
#: The public description, where it lies beside the project.
PUBLIC = ROOT.parent / "shared" / "data" / "constructor-openapi.json"

SHIRT = {"id": "a", "name": "A", "data": {"brand": "acme", "price": 17.5, "facets": {"color": ["red"]}}}
SHOE = {"id": "b", "name": "B", "data": {"brand": "bolt", "price": "free"}}


@pytest.fixture
def counted(rig: Rig, ingress: Ingress) -> Ingress:
    """An ingress with two items that are counted."""
    rig.put(SHIRT, SHOE)
    rig.drain()
    rig.count_fields()
    return ingress


def names(ingress: Ingress, **query: Any) -> list[str]:
    return [field["name"] for field in ingress.get(PATH, **query)["items_fields_stats"]]


def test_a_reader_sees_presence_type_and_examples(counted: Ingress) -> None:
    answer = counted.get(PATH, token=READER_TOKEN)
    fields = {field.pop("name"): field for field in answer["items_fields_stats"]}
    assert answer["total_count"] == 3
    assert (answer["items_total"], answer["items_counted"], answer["is_current"]) == (2, 2, True)
    moment = answer["counted_at"]
    times = {"created_at": moment, "updated_at": moment}
    assert fields == {
        "brand": {"percentage_presence": 1, "type": "string", "example_items": ["acme", "bolt"], **times},
        "color": {"percentage_presence": 0.5, "type": "array", "example_items": ['["red"]'], **times},
        "price": {"percentage_presence": 1, "type": "mixed", "example_items": ["17.5", "free"], **times},
    }


def test_one_field_is_read_by_its_name(rig: Rig, counted: Ingress) -> None:
    """Whatever it is called; 404 if no item has it."""
    assert counted.get(f"{PATH}/color")["percentage_presence"] == 0.5
    missing = counted.send("GET", f"{PATH}/size")
    assert (missing.status_code, missing.json["message"]) == (
        404, "no item of section 'Products' has a field 'size' (counted " + counted.get(PATH)["counted_at"] + ")",
    )  # fmt: skip
    rig.put({"id": "c", "name": "C", "data": {"a/b c%": 1}})
    rig.drain()
    rig.count_fields()
    assert counted.get(f"{PATH}/a%2Fb%20c%25")["name"] == "a/b c%"


def test_the_list_is_filtered_sorted_and_paged(counted: Ingress) -> None:
    assert names(counted) == ["brand", "color", "price"]
    assert names(counted, sort_order="descending") == ["price", "color", "brand"]
    assert names(counted, sort_by="percentage_presence") == ["color", "brand", "price"]
    assert names(counted, sort_by="percentage_presence", sort_order="descending") == ["brand", "price", "color"]
    assert names(counted, num_results_per_page=2, page=2) == ["price"]
    assert names(counted, offset=1, num_results_per_page=1) == ["color"]
    assert names(counted, **{"filters[name]": "price"}) == ["price"]
    assert names(counted, **{"filters[name]": "pri"}) == []
    assert names(counted, section="Content") == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            {"sort_by": "type"},
            "sort_by: value is not a valid enumeration member; permitted: 'name', 'percentage_presence'",
        ),
        ({"page": 1, "offset": 1}, "offset, page are mutually exclusive"),
        ({"num_results_per_page": 1001}, "num_results_per_page: ensure this value is less than or equal to 1000"),
        ({"filters[color_of_item]": "red"}, "filters[color_of_item]: extra fields not permitted"),
        ({"filters[name]": ""}, "filters[name]: ensure this value has at least 1 characters"),
    ],
)
def test_what_is_not_understood_is_refused(ingress: Ingress, query: dict[str, Any], message: str) -> None:
    answer = ingress.send("GET", PATH, **query)
    assert (answer.status_code, answer.json["message"]) == (400, message)


def test_it_says_that_nothing_was_counted_yet_and_that_something_has_changed(rig: Rig, ingress: Ingress) -> None:
    """Before the first count there is nothing; after a commit the last count stays, marked as not current."""
    before = ingress.get(PATH)
    assert (before["items_fields_stats"], before["counted_at"], before["is_current"]) == ([], None, True)
    rig.put(SHIRT)
    rig.drain()
    assert ingress.get(PATH)["is_current"] is False
    rig.count_fields()
    rig.clock.advance(60_000)
    rig.patch({"id": "a", "data": {"brand": None, "size": "m"}})
    rig.drain()
    assert (ingress.get(PATH)["is_current"], names(ingress)) == (False, ["brand", "color", "price"])
    rig.count_fields()
    fields = {field["name"]: field for field in ingress.get(PATH)["items_fields_stats"]}
    assert set(fields) == {"color", "price", "size"}
    assert fields["color"]["created_at"] < fields["size"]["created_at"] == fields["color"]["updated_at"]


def test_an_emptied_section_has_no_fields_any_more(rig: Rig, counted: Ingress) -> None:
    rig.delete({"id": "a"}, {"id": "b"}, force=True)
    rig.drain()
    rig.count_fields()
    assert (names(counted), counted.get(PATH)["items_total"]) == ([], 0)


def test_pages_of_a_big_section_are_counted_once_each(rig: Rig, ingress: Ingress) -> None:
    """Sections apart, variations not at all."""
    rig.put(*({"id": f"i{number:04}", "name": "I", "data": {"x": 1}} for number in range(230)))
    rig.put({"id": "w", "name": "W", "data": {"y": 1}}, section="Content")
    rig.put({"id": "v", "item_id": "i0000", "name": "V", "data": {"z": 1}}, kind=Kind.VARIATIONS)
    rig.drain()
    rig.count_fields()
    assert [(ingress.get(PATH)[name], names(ingress)) for name in ("items_counted", "items_total")] == [
        (230, ["x"])
    ] * 2
    assert names(ingress, section="Content") == ["y"]


def test_a_sample_says_that_it_is_one(rig: Rig, ingress: Ingress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks from all over the ids."""
    monkeypatch.setattr(field_counter, "EXACT_ITEMS", 100)
    monkeypatch.setattr(field_counter, "SAMPLE_BLOCKS", 4)
    monkeypatch.setattr(field_counter, "BLOCK_ITEMS", 10)
    rig.put(*({"id": f"i{number:03}", "name": "I", "data": {f"f{number // 50}": 1}} for number in range(200)))
    rig.drain()
    rig.count_fields()
    answer = ingress.get(PATH)
    assert (answer["items_total"], answer["items_counted"]) == (200, 40)
    presences = {field["name"]: field["percentage_presence"] for field in answer["items_fields_stats"]}
    assert presences == dict.fromkeys(("f0", "f1", "f2", "f3"), 0.25)


def test_only_one_worker_counts_at_a_time(rig: Rig) -> None:
    """Another takes over when it has been silent for a while; what is counted is not counted again."""
    rig.put(SHIRT)
    rig.drain()
    statistics = FieldStatistics(rig.client, ACME)
    rig.client.set(COUNTER, "somebody", px=60_000)
    rig.count_fields()
    assert statistics.last("Products").stats is None
    rig.client.delete(COUNTER)
    rig.count_fields()
    first = statistics.last("Products")
    rig.clock.advance(1000)
    rig.count_fields()
    assert statistics.last("Products") == first


def test_one_catalog_that_cannot_be_counted_does_not_keep_others(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again after its next commit only."""
    for catalog_key in ("broken", "whole"):
        rig.put(SHIRT, catalog_key=catalog_key)
        rig.drain(catalog_key)
    rig.client.hset(rig.keys("broken").entries(Kind.ITEMS, "Products", 0), "a", "0000000000001not JSON")
    counter = FieldCounter(rig.client, holder="counter", clock=rig.clock, stop=threading.Event(), share=1.0)
    counter.once()
    assert FieldStatistics(rig.client, "whole").last("Products").is_current
    assert FieldStatistics(rig.client, "broken").last("Products").stats is None
    tried: list[str] = []
    monkeypatch.setattr(counter, "_count", lambda catalog_key, as_of: tried.append(catalog_key))
    counter.once()
    assert tried == []


class _Pauses(threading.Event):
    """Notes how long it would have waited."""

    waited_s = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.waited_s += timeout or 0.0
        return self.is_set()


def test_counting_takes_its_share_of_the_time_however_small_catalogs_are(rig: Rig) -> None:
    for number in range(50):
        rig.put(SHIRT, catalog_key=f"small-{number}")
        rig.drain(f"small-{number}")
    pauses = _Pauses()
    counter = FieldCounter(rig.client, holder="counter", clock=rig.clock, stop=pauses, share=0.05)
    began = time.monotonic()
    counter.once()
    worked_s = time.monotonic() - began
    assert FieldStatistics(rig.client, "small-49").last("Products").is_current
    assert worked_s / (worked_s + pauses.waited_s) < 0.08


def test_a_catalog_that_was_deleted_meanwhile_leaves_nothing_behind(rig: Rig, counted: Ingress) -> None:
    stats = FieldStatistics(rig.client, ACME).last("Products").stats
    assert stats is not None
    FieldStatistics(rig.client, "gone").keep("Products", stats)
    assert rig.client.exists(rig.keys("gone").field_stats) == 0


def test_it_can_be_switched_off(rig: Rig, store_server: Any) -> None:
    off = Ingress(rig.with_settings(field_stats="off"), store_server.url)
    assert [off.send("GET", path).status_code for path in (PATH, f"{PATH}/color")] == [404, 404]


@pytest.mark.skipif(not PUBLIC.exists(), reason="the public description is not here")
def test_answers_are_as_the_public_description_says(counted: Ingress) -> None:
    document = json.loads(PUBLIC.read_text())
    for path, asked in ((PATH, PATH), (f"{PATH}/{{name}}", f"{PATH}/color")):
        schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        validator = jsonschema_rs.validator_for({**schema, "components": document["components"]}, validate_formats=True)
        validator.validate(counted.get(asked))
