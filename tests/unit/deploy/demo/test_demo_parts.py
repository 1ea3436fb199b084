"""The demo's model and its reading of files: if these were wrong, its verdict would be worth nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.demo.__main__ import demo_environ
from deploy.demo.catalogue import DemoBatch, Entry, Model, generate
from deploy.demo.files import read_folder


def after(*batches: DemoBatch) -> Model:
    model = Model()
    for batch in batches:
        model.apply(batch)
    return model


def patched(data: Entry, patch: Entry) -> Entry:
    put = DemoBatch("PUT", "items", [{"id": "1", "name": "one", "data": data}])
    model = after(put, DemoBatch("PATCH", "items", [{"id": "1", "data": patch}]))
    changed: Entry = model.items["1"]["data"]
    return changed


@pytest.mark.parametrize(
    ("data", "patch", "expected"),
    [
        ({"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}),
        ({"a": 1, "b": 2}, {"b": None}, {"a": 1}),
        ({"a": {"x": 1}}, {"a": {"y": 2}}, {"a": {"y": 2}}),
        ({"tags": ["x"]}, {"tags:add": ["x", "y", "y"]}, {"tags": ["x", "y"]}),
        ({}, {"tags:add": ["y"]}, {"tags": ["y"]}),
        ({"tags": ["x", "y"]}, {"tags:remove": ["x", "z"]}, {"tags": ["y"]}),
    ],
)
def test_the_model_merges_as_the_contract_says(data: Entry, patch: Entry, expected: Entry) -> None:
    assert patched(data, patch) == expected


def test_deleting_an_item_deletes_its_variations() -> None:
    model = after(
        DemoBatch("PUT", "items", [{"id": "1", "name": "one"}, {"id": "2", "name": "two"}]),
        DemoBatch("PUT", "variations", [{"id": "v1", "item_id": "1"}, {"id": "v2", "item_id": "2"}]),
        DemoBatch("DELETE", "items", [{"id": "1"}, {"id": "unknown"}]),
    )
    assert set(model.items) == {"2"}
    assert set(model.variations) == {"v2"}


def test_the_generated_catalogue_is_the_same_every_time_and_has_all_rounds() -> None:
    batches = list(generate())
    assert batches == list(generate())
    assert sum(len(batch.entries) for batch in batches if (batch.method, batch.kind) == ("PUT", "items")) == 20_000
    assert {batch.method for batch in batches} == {"PUT", "PATCH", "DELETE"}
    assert max(len(batch.entries) for batch in batches) == 1_000
    assert any("tags:add" in batch.entries[0].get("data", {}) for batch in batches)


def test_a_csv_row_becomes_an_entry(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text(
        "id,item_name,suggested_score,group_ids,active,facet:Color,metadata:note,metadata:json:more,unknown\n"
        '1,One,7,a|b,TRUE,red|blue,hi,"{""n"": [1]}",ignored\n'
        "2,Two,,,,,,,\n",
        encoding="utf-8",
    )
    (tmp_path / "variations.csv").write_text("variation_id,item_id,item_name\nv,1,\n", encoding="utf-8")
    facets = {"Color": ["red", "blue"]}
    data = {"group_ids": ["a", "b"], "active": True, "facets": facets, "note": "hi", "more": {"n": [1]}}
    assert read_folder(tmp_path) == [
        DemoBatch("PUT", "items", [{"id": "1", "name": "One", "suggested_score": 7, "data": data}, _plain("2", "Two")]),
        DemoBatch("PUT", "variations", [{"id": "v", "item_id": "1", "data": {}}]),
    ]


def _plain(item_id: str, name: str) -> Entry:
    return {"id": item_id, "name": name, "data": {}}


def test_the_demo_never_writes_into_a_store_that_was_set_up_for_something_else(tmp_path: Path) -> None:
    given = {"SLUICE_REDIS_URL": "redis://prod", "SLUICE_CREDENTIALS": "k:t", "SLUICE_WORKERS": "2", "HOME": "/h"}
    environ = demo_environ(given, tmp_path)
    assert "SLUICE_REDIS_URL" not in environ
    assert "SLUICE_CREDENTIALS" not in environ
    assert environ["SLUICE_DATA_DIR"] == str(tmp_path)
    assert environ["SLUICE_WORKERS"] == "2"
    assert environ["HOME"] == "/h"
