"""Exports as CSV: the columns of an upload, which makes the same catalogue of them again."""

from __future__ import annotations

import csv
import gzip
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.cli.main import sluice
from api.cli.remote.file_parts import parts_of
from shared.model import Kind
from tests.support.batches import items
from tests.support.files import MULTIPART, multipart
from tests.support.ingress import OTHER, Ingress
from tests.support.rig import ACME, Rig
from tests.support.store_server import StoreServer
from workers.export import exporter

SPECIAL = 'a "quoted", text\r\nof two lines; Götter 👕'


def export(ingress: Ingress, part: str = "items", **more: Any) -> bytes:
    """The text of an export of CSV."""
    wish = {"type": "catalog_export", "catalog_part": part, "format": "csv", **more}
    task_id = ingress.write("POST", "/v1/tasks", wish)
    ingress.rig.drain()
    task = ingress.get(f"/v1/tasks/{task_id}")
    assert (task["status"], task["format"]) == ("DONE", "csv"), task
    with ingress.app.test_client() as client:
        answer = client.get(task["result"]["url"], buffered=True)
    assert answer.headers["Content-Disposition"].endswith(".csv.gz")
    text = gzip.decompress(answer.data)
    assert len(list(csv.reader(io.StringIO(text.decode(), newline="")))) == task["result"]["count"] + 1
    return text


def upload_elsewhere(ingress: Ingress, kind: str, text: bytes) -> dict[str, Any]:
    """Sync another catalog with a file; returns its entries."""
    other = {"key": OTHER, "token": "tok-other"}
    task_id = ingress.write("PUT", "/v1/catalog", multipart({kind: text}), headers=MULTIPART, force=True, **other)
    ingress.rig.drain(OTHER)
    task = ingress.get(f"/v1/tasks/{task_id}", **other)
    assert task["status"] == "DONE", task
    assert [one["code"] for one in task["result"]["ingestion_warnings"] if one["code"] == "UNKNOWN_COLUMN"] == []
    return {id_: json.loads(body) for id_, body in ingress.rig.bodies(Kind(kind), catalog_key=OTHER).items()}


def test_a_value_goes_where_an_upload_reads_it_from(ingress: Ingress) -> None:
    """Texts, lists, flags and facets have the columns of the guide; only what does not fit there is written as JSON."""
    plain = {"url": "http://a", "keywords": ["x", "y"], "active": False, "is_default": True, "colour": SPECIAL}
    other = {"facets": {"Size": ["M", "L"]}, "price": 19.90, "json:odd": "text"}
    odd = {"keywords": [], "facets": {"Size": [7]}, "colour": " blank ", "url": ""}
    ingress.rig.put(
        {"id": "a", "name": "A", "suggested_score": 7, "data": plain | other}, {"id": "b", "name": "B", "data": odd}
    )
    rows = list(csv.DictReader(io.StringIO(export(ingress).decode(), newline="")))
    first, second = ({name: cell for name, cell in row.items() if cell} for row in rows)
    assert list(rows[0])[:3] == ["id", "item_name", "suggested_score"]
    assert first == {
        "id": "a", "item_name": "A", "suggested_score": "7", "url": "http://a", "keywords": "x|y", "active": "false",
        "metadata:is_default": "true", "facet:Size": "M|L", "metadata:colour": SPECIAL, "metadata:json:price": "19.9",
        "metadata:json:json:odd": '"text"',
    }  # fmt: skip
    assert second == {
        "id": "b", "item_name": "B", "metadata:json:keywords": "[]", "metadata:json:facets": '{"Size": [7]}',
        "metadata:json:colour": '" blank "', "metadata:json:url": '""',
    }  # fmt: skip


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_leaves = st.none() | st.booleans() | st.integers() | st.sampled_from([0.5, 19.9, 1e300]) | _texts
_values = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3), max_leaves=6
)
_names = _texts.map(str.strip).filter(lambda name: bool(name) and not name.endswith((":add", ":remove")))
_data = st.fixed_dictionaries(
    {},
    optional={
        "keywords": st.lists(_texts, max_size=3),
        "group_ids": st.lists(st.sampled_from(["g", "h|i", " "]), max_size=2),
        "description": _texts,
        "active": st.booleans(),
        "facets": st.dictionaries(_texts.filter(bool), st.lists(_texts | st.integers(), max_size=3), max_size=3),
    },
)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_is_exported_and_uploaded_is_the_same_catalogue(ingress: Ingress, data: st.DataObject) -> None:
    """Any entries that a PUT takes, with fields of any name and value: nothing but blanks around a name is lost."""
    found = [
        {"id": f"i{number}", "name": f"Item {number}", "data": data.draw(st.dictionaries(_names, _values, max_size=4))
         | data.draw(_data)}
        for number in range(data.draw(st.integers(1, 4)))
    ]  # fmt: skip
    answer = ingress.send("PUT", "/v2/items", {"items": found})
    if answer.status_code == 400:  # some value breaks a rule of its field
        return
    ingress.rig.drain()
    ids = {entry["id"] for entry in found}
    for stray in set(ingress.rig.bodies()) - ids:
        ingress.write("DELETE", "/v2/items", {"items": [{"id": stray}]})
    before = {id_: json.loads(body) for id_, body in ingress.rig.bodies().items() if id_ in ids}
    after = upload_elsewhere(ingress, "items", export(ingress))
    assert {id_: entry.get("data", {}) for id_, entry in after.items()} == {
        id_: entry.get("data", {}) for id_, entry in before.items()
    }


@pytest.mark.parametrize("kind", [Kind.VARIATIONS, Kind.ITEM_GROUPS])
def test_variations_and_item_groups_have_their_columns(ingress: Ingress, kind: Kind) -> None:
    made: dict[Kind, list[dict[str, Any]]] = {
        Kind.VARIATIONS: [
            {"id": "v", "item_id": "a", "data": {"price": 1.50}},
            {"id": "w", "item_id": "a", "name": "W"},
        ],
        Kind.ITEM_GROUPS: [
            {"id": "g", "name": "G", "parent_ids": []},
            {"id": "h", "name": "H", "parent_ids": ["g", "x"], "data": {"n": 1}},
        ],
    }
    ingress.rig.put(*made[kind], kind=kind)
    text = export(ingress, kind.value)
    head = b"variation_id,item_id,item_name," if kind is Kind.VARIATIONS else b"parent_ids,id,name,data\r\n"
    assert text.startswith(head)
    after = upload_elsewhere(ingress, kind.value, text)
    before = {id_: json.loads(body) for id_, body in ingress.rig.bodies(kind).items()}
    assert after == before


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"id": " a", "name": "A"}, "the id ' a' of item has blanks around it"),
        ({"id": "a", "name": "A", "data": {"x ": 1}}, "the field 'x ' of item 'a' cannot name a column"),
        ({"id": "a", "name": "A", "data": {f"{i}" + "x" * 990: 1 for i in range(110)}}, "too many different fields"),
    ],
)
def test_what_no_csv_file_can_have_fails_the_export(ingress: Ingress, entry: Any, said: str) -> None:
    """It would come back as something else; lines of JSON have it all."""
    ingress.rig.put(entry)
    wish = {"type": "catalog_export", "catalog_part": "items"}
    task_id = ingress.write("POST", "/v1/tasks", wish | {"format": "csv"})
    ingress.rig.drain()
    task = ingress.get(f"/v1/tasks/{task_id}")
    assert task["status"] == "FAILED"
    assert said in task["error"]["message"]
    assert task["error"]["message"].endswith("export with format=jsonl")
    again = ingress.write("POST", "/v1/tasks", wish)
    ingress.rig.drain()
    assert ingress.get(f"/v1/tasks/{again}")["result"]["count"] == 1


def test_items_with_variations_are_no_csv(ingress: Ingress) -> None:
    body = {"type": "catalog_export", "catalog_part": "items_with_variations", "format": "csv"}
    answer = ingress.send("POST", "/v1/tasks", body)
    assert answer.status_code == 400
    assert answer.json["message"].startswith("format: a CSV file has entries of one kind")


def test_a_row_may_set_a_field_by_one_of_two_columns(ingress: Ingress) -> None:
    """The plain one, or that of its JSON; both in one row cannot be meant."""
    rows = 'id,item_name,keywords,metadata:json:keywords\na,A,x|y,\nb,B,,"[""x|y""]"\n'
    after = upload_elsewhere(ingress, "items", rows.encode())
    assert [after[id_]["data"]["keywords"] for id_ in "ab"] == [["x", "y"], ["x|y"]]
    task_id = ingress.write("PUT", "/v1/catalog", multipart({"items": rows + "c,C,x,[]\n"}), headers=MULTIPART)
    ingress.rig.drain()
    assert ingress.get(f"/v1/tasks/{task_id}")["error"]["message"] == (
        "IngestionError: items.csv, line 4, column 'metadata:json:keywords': sets the same field as column 'keywords'"
    )


@pytest.fixture
def forty(rig: Rig, store_server: StoreServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ingress:
    """Forty items, of which the last one has a field of its own; pieces have ten."""
    monkeypatch.setattr(exporter, "PIECE_ENTRIES", 10)
    monkeypatch.setattr(exporter, "PAGE_ENTRIES", 5)
    rig.settings = replace(rig.settings, exports_url=str(tmp_path))
    rig.put(*items(*(f"i{number:02}" for number in range(39))), {"id": "z", "name": "Z", "data": {"last": "x"}})
    rig.drain()
    return Ingress(rig, store_server.url)


@pytest.mark.parametrize("taken", range(10))
def test_the_next_owner_goes_on_where_a_killed_one_was(forty: Ingress, rig: Rig, taken: int) -> None:
    """In either pass, behind any piece; a piece that was written and not counted is written again."""
    wish = {"type": "catalog_export", "catalog_part": "items", "format": "csv"}
    task_id = forty.write("POST", "/v1/tasks", wish)
    for _ in range(taken):
        grant = rig.acquire()
        rig.take(grant, rig.plan(grant))
        rig.expire_lease()
    grant = rig.acquire()
    rig.plan(grant)
    rig.expire_lease()
    rig.drain()
    result = forty.get(f"/v1/tasks/{task_id}")["result"]
    with forty.app.test_client() as client:
        data = client.get(result["url"], buffered=True).data
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(data).decode(), newline="")))
    assert [row["id"] for row in rows] == [*(f"i{number:02}" for number in range(39)), "z"]
    assert [row["metadata:last"] for row in rows] == [""] * 39 + ["x"]
    assert result["count"] == 40


def test_what_the_command_line_exports_it_uploads(ingress: Ingress, store_server: StoreServer, tmp_path: Path) -> None:
    """Under the name that it chose."""
    ingress.rig.put({"id": "a", "name": "A", "data": {"colour": SPECIAL}})
    env = {"SLUICE_REDIS_URL": store_server.url, "SLUICE_EXPORTS_URL": ingress.rig.settings.exports_url}
    file = tmp_path / "acme_Products_export_items_2026-01-31-12-00-00.csv.gz"
    with ingress.draining():
        try:
            result = CliRunner().invoke(sluice, ["export", ACME, "--format", "csv", "--to", str(file)], env=env)
        finally:
            structlog.reset_defaults()
    assert result.exit_code == 0, result.output
    [part] = parts_of(file)
    assert (part.name, part.filename) == ("items", file.name)
    other = {"key": OTHER, "token": "tok-other"}
    sent = multipart([(part.name, part.filename, b"".join(part.read(lambda _: None)))])
    ingress.write("PUT", "/v1/catalog", sent, headers=MULTIPART, **other)
    ingress.rig.drain(OTHER)
    assert ingress.rig.bodies(catalog_key=OTHER).keys() == {"a"}
    assert json.loads(ingress.rig.bodies(catalog_key=OTHER)["a"])["data"] == {"colour": SPECIAL}
