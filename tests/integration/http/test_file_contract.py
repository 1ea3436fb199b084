"""Catalogue files in the public format: columns, archives, names and forms, as its guide shows them."""

from __future__ import annotations

import gzip
import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from shared.model import Kind
from tests.support.batches import items, variations
from tests.support.files import MULTIPART, archive, multipart
from tests.support.ingress import Ingress
from tests.support.key_checker import check_keys

#: A folder with files as the vendor of the format publishes them, where they are at hand.
EXAMPLES = Path(os.environ.get("CATALOGUE_EXAMPLES", "/nonexistent"))

gzipped = partial(gzip.compress, mtime=0)

Files = dict[str, bytes | str] | list[tuple[str, str, bytes]]


def apply(ingress: Ingress, method: str, files: Files, **query: Any) -> dict[str, Any]:
    """Send files, apply them, and return their task."""
    task_id = ingress.write(method, "/v1/catalog", multipart(files), headers=MULTIPART, **query)
    ingress.rig.drain()
    check_keys(ingress.rig.client)
    return ingress.get(f"/v1/tasks/{task_id}")  # type: ignore[no-any-return]


def done(ingress: Ingress, method: str, files: Files, **query: Any) -> list[dict[str, Any]]:
    """The same, of files that are all right; returns what the task warns of."""
    task = apply(ingress, method, files, **query)
    assert task["status"] == "DONE", task
    return task["result"]["ingestion_warnings"]  # type: ignore[no-any-return]


def refused(ingress: Ingress, method: str, files: Files, **query: Any) -> str:
    """Send files that must be refused; returns why."""
    answer = ingress.send(method, "/v1/catalog", multipart(files), headers=MULTIPART, **query)
    assert answer.status_code == 400, answer.text
    assert ingress.get("/v1/tasks")["total_count"] == 0
    return str(answer.json["message"])


def data_of(ingress: Ingress, item_id: str) -> Any:
    return ingress.get(f"/v2/items/{item_id}")["data"]


def groups(ingress: Ingress) -> dict[str, list[str]]:
    found = ingress.get("/v2/item_groups")["item_groups"]
    return {group["id"]: group.get("parent_ids", []) for group in found}


# -- item groups ----------------------------------------------------------------------------------------------------


def test_the_parents_of_a_group_are_a_json_array_of_ids(ingress: Ingress) -> None:
    """An empty array, or an empty cell, is a root; the older column has one id."""
    rows = 'parent_ids,id,name,data\n[],all,All,\n"[""all""]",shoes,Shoes,"{""a"": 1}"\n'
    rows += '"[""all"",""shoes""]",sale,S,\n,x,X,\n'
    assert done(ingress, "PUT", {"item_groups": rows}) == []
    assert groups(ingress) == {"all": [], "shoes": ["all"], "sale": ["all", "shoes"], "x": []}
    assert done(ingress, "PUT", {"item_groups": "parent_id,id,name\n,all,All\nall,sale,Sale\n"}) == []
    assert groups(ingress) == {"all": [], "sale": ["all"]}


def test_a_group_in_several_rows_has_several_parents(ingress: Ingress) -> None:
    """However far the rows are from each other; the row that comes last says the rest."""
    rows = "parent_id,id,name\n,a,A\n,b,B\na,both,Old\n" + "".join(f"b,g{i},G\n" for i in range(1500)) + "b,both,New\n"
    assert done(ingress, "PUT", {"item_groups": rows}) == []
    both = ingress.get("/v2/item_groups/both")
    assert (both["parent_ids"], both["name"]) == (["a", "b"], "New")
    lines = '{"id":"c","name":"C","parent_id":"a"}\n{"id":"c","name":"C","parent_ids":["b"]}\n'
    lines += '{"id":"r","name":"R","parent_id":null}'
    assert done(ingress, "PATCH", {"item_groups": lines}, format="jsonl") == []
    assert ingress.get("/v2/item_groups/c")["parent_ids"] == ["a", "b"]
    assert ingress.get("/v2/item_groups/r").get("parent_ids", []) == []


def test_parents_that_are_not_there_are_warned_of(ingress: Ingress) -> None:
    """Of a sync, those that are not in its file; of a delta, those that are nowhere."""
    [warning] = done(ingress, "PUT", {"item_groups": "parent_id,id,name\n,a,A\nnone,b,B\na,c,C\n"})
    assert warning["message"] == "item_groups.csv: there is no item group 'none' to be a parent"
    [warning] = done(ingress, "PATCH", {"item_groups": "parent_id,id,name\na,d,D\nlost,e,E\n"})
    assert (warning["code"], "'lost'" in warning["message"]) == ("UNKNOWN_PARENT", True)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_groups_of_items_that_are_not_there_are_warned_of(ingress: Ingress, form: str) -> None:
    """Those neither in the upload nor, unless it replaces all groups, in the catalog; whichever file comes first."""
    rows = "id,item_name,group_ids\na,A,g|there\nb,B,there|lost\nc,C,g\n"
    if form == "jsonl":
        entries = ({"id": one, "name": one, "data": {"group_ids": ["g", "there", "lost"]}} for one in "abc")
        rows = "\n".join(map(json.dumps, entries))
    made = '{"id":"g","name":"G","parent_ids":[]}' if form == "jsonl" else "parent_id,id,name\n,g,G\n"
    said = "items.csv: group_ids name item groups that are not there: "
    ingress.rig.put({"id": "there", "name": "There"}, kind=Kind.ITEM_GROUPS)
    ingress.rig.drain()
    [warning] = done(ingress, "PUT", {"items": rows}, format=form)
    assert (warning["code"], warning["message"]) == ("UNKNOWN_GROUP", f"{said}'g', 'lost'")
    [warning] = done(ingress, "PATCH", {"items": rows, "item_groups": made}, format=form)
    assert warning["message"] == f"{said}'lost'"
    [warning] = done(ingress, "PUT", {"item_groups": made, "items": rows}, format=form)
    assert warning["message"] == f"{said}'lost', 'there'"
    many = "id,item_name,group_ids\n" + "".join(f"i{i},I,x{i:03}|g\n" for i in range(12))
    [warning] = done(ingress, "PATCH", {"items": many})
    assert warning["message"].endswith("'x008', 'x009' and 2 more")


def test_a_file_of_groups_that_names_no_parents_is_refused(ingress: Ingress) -> None:
    task = apply(ingress, "PUT", {"item_groups": "id,name\na,A\n"})
    assert "'parent_ids' is missing in 'id', 'name'" in task["error"]["message"]
    done(ingress, "PATCH", {"item_groups": "parent_id,id,name\n,a,A\n"})
    assert done(ingress, "PATCH", {"item_groups": "id,name\na,Other\n"}, patch_delta=True) == []


def test_parents_that_are_no_array_are_told_with_their_column(ingress: Ingress) -> None:
    task = apply(ingress, "PUT", {"item_groups": "parent_ids,id,name\nall,a,A\n"})
    said = "item_groups.csv, line 2, column 'parent_ids': not a JSON array of ids"
    assert said in task["error"]["message"]


# -- columns --------------------------------------------------------------------------------------------------------


def test_facets_come_as_columns_or_as_one(ingress: Ingress) -> None:
    """A name that comes again has several values; a backslash takes the meaning from what separates."""
    rows = (
        "id,item_name,facets,facet: Brand,facet:color\n"
        r"a,A,color: red|size: medium|color: blue|odd\|one: x\:y,ACME ,green" + "\n"
    )
    assert done(ingress, "PUT", {"items": rows}) == []
    assert data_of(ingress, "a")["facets"] == {
        "color": ["red", "blue", "green"], "size": ["medium"], "odd|one": ["x:y"], "Brand": ["ACME"],
    }  # fmt: skip


def test_metadata_that_is_a_flag_is_true_or_false(ingress: Ingress) -> None:
    rows = "variation_id,item_id,metadata:is_default,metadata:price\nv,a,true,10.50\nw,a,FALSE,\n"
    done(ingress, "PUT", {"items": "id,item_name\na,A\n", "variations": rows})
    assert ingress.get("/v2/variations/v")["data"] == {"is_default": True, "price": "10.50"}
    assert ingress.get("/v2/variations/w")["data"] == {"is_default": False}


def test_a_column_that_is_not_known_is_left_out_with_a_warning(ingress: Ingress) -> None:
    """Which names the one that was probably meant."""
    warnings = done(ingress, "PUT", {"items": "id,item_name,Keyword,imageurl,stock,\na,A,x,y,3,\n"})
    assert [(one["code"], one["message"]) for one in warnings] == [
        ("UNKNOWN_COLUMN", "items.csv: the column 'Keyword' is unknown and was ignored; did you mean 'keywords'?"),
        ("UNKNOWN_COLUMN", "items.csv: the column 'imageurl' is unknown and was ignored; did you mean 'image_url'?"),
        ("UNKNOWN_COLUMN", "items.csv: the column 'stock' is unknown and was ignored"),
    ]
    assert ingress.get("/v2/items/a").get("data", {}) == {}


def test_fields_of_json_that_are_not_known_are_left_out_with_a_warning(ingress: Ingress) -> None:
    lines = (
        '{"id": "a", "name": "A", "price": 3}\n{"id": "b", "name": "B", "data": {"n": 1.50}}\n{"id": "c", "colour": 1}'
    )
    task = apply(ingress, "PUT", {"items": lines}, format="jsonl")
    assert task["error"]["message"] == "IngestionError: items.csv, line 3, name: field required"
    warnings = done(ingress, "PUT", {"items": lines.rpartition("\n")[0]}, format="jsonl")
    assert [one["message"] for one in warnings] == ["items.csv: the field 'price' is unknown and was ignored"]
    assert ingress.rig.bodies()["a"] == b'{"id":"a","name":"A"}'
    assert b"1.50" in ingress.rig.bodies()["b"]


def test_what_spreadsheets_leave_behind_is_forgiven(ingress: Ingress) -> None:
    """Rows of commas or of blanks, short rows, a comma at the end, blanks in cells, the mark of the encoding."""
    rows = "\ufeff\r\nid,item_name , url,keywords,\r\na , A,http://a, x | y ,\r\n,,,,\r\n  \r\nb,B\r\n"
    rows += " , , \r\nc,C,,,, \r\n"
    assert done(ingress, "PUT", {"items": rows}) == []
    assert list(ingress.rig.bodies()) == ["a", "b", "c"]
    assert ingress.rig.bodies()["a"] == b'{"id":"a","name":"A","data":{"url":"http://a","keywords":["x","y"]}}'


def test_a_blank_cell_leaves_a_field_as_it_is(ingress: Ingress) -> None:
    """In a patch; one that holds blanks too."""
    ingress.rig.put(*items("a", data={"url": "u", "keywords": ["k"]}))
    done(ingress, "PATCH", {"items": "id,item_name,url,keywords\na, , ,\n"}, patch_delta=True)
    assert data_of(ingress, "a") == {"url": "u", "keywords": ["k"]}


def test_null_in_a_column_of_json_clears_a_field(ingress: Ingress) -> None:
    """Also of a field that has a column of its own, beside that."""
    ingress.rig.put(*items("a", "b", data={"url": "u", "keywords": ["k"], "x": "1"}))
    rows = "id,url,metadata:json:url,metadata:json:keywords,metadata:json:x\na,,null,null,null\nb,v,,,\n"
    done(ingress, "PATCH", {"items": rows}, patch_delta=True)
    assert data_of(ingress, "a") == {}
    assert data_of(ingress, "b") == {"url": "v", "keywords": ["k"], "x": "1"}


def test_lines_may_end_in_carriage_returns(ingress: Ingress) -> None:
    done(ingress, "PUT", {"items": "id,item_name\ra,A\rb,B\r"})
    assert list(ingress.rig.bodies()) == ["a", "b"]


@pytest.mark.parametrize(("delimiter", "character"), [("semicolon", ";"), ("tab", "\t")])
def test_cells_may_be_separated_otherwise(ingress: Ingress, delimiter: str, character: str) -> None:
    rows = 'id,item_name\na,"A|B"\n'.replace(",", character)
    done(ingress, "PUT", {"items": rows}, delimiter=delimiter)
    assert ingress.get("/v2/items/a")["name"] == "A|B"


# -- forms, names and packing ---------------------------------------------------------------------------------------

JSON_LIST = (
    '{"items": [{"id": "a", "name": "A ] \\" }"},\n {"id": "b",\n "name": "B", "data": {"x": [1, {"y": 2}]}}]}\n'
)


@pytest.mark.parametrize(
    ("filename", "text"),
    [
        ("items.json", JSON_LIST),
        ("ITEMS.JSON", JSON_LIST[len('{"items": ') : -2]),
        ("items.jsonl", '{"id": "a", "name": "A"}\n\n{"id": "b", "name": "B"}'),
        ("items.CSV", "id,item_name\na,A\nb,B\n"),
        ("whatever.csv.gz", gzipped(b"id,item_name\na,A\n") + gzipped(b"b,B\n")),
        ("x.jsonl.GZ", gzipped(b'{"id": "a", "name": "A"}\n{"id": "b", "name": "B"}')),
        ("acme_Products.tgz", archive({"items.json": JSON_LIST})),
        ("acme_Products.TAR.GZ", archive({"folder/Items.CSV": "id,item_name\na,A\nb,B\n"})),
    ],
)
def test_a_file_says_by_its_name_how_it_is_written_and_packed(
    ingress: Ingress, filename: str, text: str | bytes
) -> None:
    done(ingress, "PUT", [("items", filename, text if isinstance(text, bytes) else text.encode())])
    assert list(ingress.rig.bodies()) == ["a", "b"]


def test_a_json_file_of_any_length_is_read_in_flat_memory(ingress: Ingress) -> None:
    """Wherever it is cut into pieces."""
    entries = [{"id": f"i{i:05d}", "name": f'Näme \\ " {i}', "data": {"n": [i, {"m": "}{]["}]}} for i in range(6000)]
    for text in (json.dumps({"items": entries}), json.dumps(entries, indent=1, ensure_ascii=False)):
        done(ingress, "PUT", [("items", "items.json", text.encode())])
        assert [json.loads(body) for body in ingress.rig.bodies().values()] == entries


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"items": [{"id": "a", "name": "A"}', "line 1: not valid JSON: a list of entries must end"),
        ('{"items": [{"id": "a", "name": "A"}]', "line 1: not valid JSON: a list of entries must end"),
        ('{"items": [{"id": "a", "name": "A"}]}\n{}', "line 2: not valid JSON: a list of entries must end"),
        ('{"items": [{"id": "a", "name": "A"},\n]}', "an entry is missing before or after a comma"),
        ('[{"id": "a", "name": "A"},\n 7]', "line 2, entry: value is not a valid dict"),
        ('[{"id": "a", "name": "A"},\n {"id": 7 "b"}]', "line 2: not valid JSON"),
        ("[]", "The items file you have uploaded is empty."),
        ('{"variations": []}', "field required"),
        ("id,item_name\na,A", "items.jsonl, line 1: not valid JSON"),
    ],
)
def test_a_broken_json_file_makes_a_task_that_fails(ingress: Ingress, text: str, said: str) -> None:
    """CSV that is said to be JSON too."""
    task = apply(ingress, "PUT", [("items", "items.jsonl", text.encode())])
    assert task["status"] == "FAILED"
    assert said in task["error"]["message"]


def test_the_format_that_is_asked_for_counts_more_than_the_name(ingress: Ingress) -> None:
    task = apply(ingress, "PUT", {"items": "id,item_name\na,A\n"}, format="jsonl")
    assert task["error"]["message"].startswith("IngestionError: items.csv, line 1: not valid JSON")


def test_what_systems_add_to_archives_is_left_out_with_a_warning(ingress: Ingress) -> None:
    files = {"items.csv": "id,item_name\na,A\n", ".DS_Store": b"\0", "__MACOSX/._items.csv": b"x", "README.txt": "Hi"}
    name = "acme_Products_sync_2026-01-01-00-00-00.tar.gz"
    warnings = done(ingress, "PUT", [(name, name, archive(files))])
    assert [one["code"] for one in warnings] == ["IGNORED_FILE"] * 3
    assert list(ingress.rig.bodies()) == ["a"]


# -- keeping by ids, and the safeguard ------------------------------------------------------------------------------


def test_a_list_of_ids_has_ids_only(ingress: Ingress) -> None:
    """Of variations too, by either name; what is kept does not count as updated, what is not there is told."""
    ingress.rig.put(*items("a", "b"))
    ingress.rig.put(*variations("a", "v", "w"), kind=Kind.VARIATIONS)
    task = apply(ingress, "PUT", {"items": "id\na\nnone\n", "variations": "id\nv\n"}, mode="ids")
    assert task["result"]["changelog"]["sections"]["Products"] == {
        "items_updated": 0, "items_unchanged": 1, "items_deleted": 1,
        "variations_updated": 0, "variations_unchanged": 1, "variations_deleted": 1,
    }  # fmt: skip
    [warning] = task["result"]["ingestion_warnings"]
    assert (warning["code"], warning["data"]["id"]) == ("NOT_FOUND", "none")
    assert done(ingress, "PUT", {"items": '{"id": "a", "name": "ignored"}'}, mode="ids", format="jsonl")
    assert list(ingress.rig.bodies()) == ["a"]


def test_variations_go_with_the_items_that_a_list_of_ids_leaves_out(ingress: Ingress) -> None:
    """Others stay as they are, links and times too, on any number of pages; a sync of whole items leaves all."""
    rig = ingress.rig
    rig.put(*items("a", "b", "c"))
    rig.put(*variations("a", *(f"a{i:04d}" for i in range(1500))), kind=Kind.VARIATIONS)
    rig.put(*variations("b", *(f"b{i:04d}" for i in range(700))), kind=Kind.VARIATIONS)
    rig.drain()
    before = ingress.get("/v2/variations/a0007")
    rig.clock.advance(60_000)
    tried = {"mode": "ids", "dry_run": True, "force": True}
    said = ingress.send("PUT", "/v1/catalog", multipart({"items": "id\na\na\n"}), headers=MULTIPART, **tried).json
    assert (said["files"]["variations"]["deleted"], said["files"]["variations"]["unchanged"]) == (700, 1500)
    task = apply(ingress, "PUT", {"items": "id\na\n"}, mode="ids", force=True)
    assert task["result"]["changelog"]["sections"]["Products"] == {
        "items_updated": 0, "items_unchanged": 1, "items_deleted": 2,
        "variations_updated": 0, "variations_deleted": 700,
    }  # fmt: skip
    assert len(rig.bodies(Kind.VARIATIONS)) == 1500
    assert ingress.get("/v2/variations", item_id="a", num_results_per_page=1)["total_count"] == 1500
    assert ingress.get("/v2/variations", item_id="b")["total_count"] == 0
    assert ingress.get("/v2/variations/a0007") == before
    told = ingress.get("/v1/changes", after=task["id"] - 1)["changes"]
    assert {change["kind"]: len(change["entries"]) for change in told} == {"items": 2, "variations": 700}
    done(ingress, "PUT", {"items": "id,item_name\nother,O\n"}, force=True)
    assert len(rig.bodies(Kind.VARIATIONS)) == 1500


def test_a_list_of_ids_minds_the_safeguard_of_variations_that_go_along(ingress: Ingress) -> None:
    """It fails before anything is seen of it."""
    ingress.rig.put(*items("a", "b"))
    ingress.rig.put(*variations("b", *(f"b{i:04d}" for i in range(150))), kind=Kind.VARIATIONS)
    task = apply(ingress, "PUT", {"items": "id\na\n"}, mode="ids")
    assert "would delete 150 of the 150 variations" in task["error"]["message"]
    assert (len(ingress.rig.bodies()), len(ingress.rig.bodies(Kind.VARIATIONS))) == (2, 150)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_sync_that_leaves_out_most_of_a_kind_fails(ingress: Ingress, kind: Kind) -> None:
    made = [{"id": f"e{i}", "name": "E", **({"item_id": "x"} if kind is Kind.VARIATIONS else {})} for i in range(120)]
    ingress.rig.put(*made, kind=kind)
    text = "\n".join(map(json.dumps, made[:59]))
    task = apply(ingress, "PUT", {kind: text}, format="jsonl")
    assert task["status"] == "FAILED"
    assert f"would delete 61 of the 120 {kind.many}" in task["error"]["message"]
    assert apply(ingress, "PUT", {kind: text}, format="jsonl", force=True)["status"] == "DONE"


def test_the_last_of_several_rows_counts_however_far_they_are_apart(ingress: Ingress) -> None:
    """The others change nothing, and are told."""
    ingress.rig.put(*items("a", "b"))
    rest = "".join(f"i{i},,\n" for i in range(3000))
    rows = "id,item_name,metadata:x\na,First,1\nb,B,1\n" + rest + "a,,2\n" + rest.replace("i", "j") + "a,,3\n"
    task = apply(ingress, "PATCH", {"items": rows}, patch_delta=True, on_missing="IGNORE")
    assert [one["data"]["id"] for one in task["result"]["ingestion_warnings"]] == ["a", "a"]
    assert ingress.get("/v2/items/a")["data"]["x"] == "3"
    assert ingress.get("/v2/items/a")["name"] != "First"
    assert ingress.get("/v2/items/b")["name"] == "B"
    found = ingress.get(f"/v1/tasks/{task['id']}/entries", num_results_per_page=1)["entries"]
    assert (found[0]["outcome"], found[0]["reason"]) == ("ignored", "a later entry of the batch has the same id")


# -- what cannot be meant -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "query", "said"),
    [
        ("PUT", {"patch_delta": "true"}, "patch_delta: PUT replaces the catalogue"),
        ("PUT", {"on_missing": "CREATE"}, "on_missing: PUT replaces the catalogue"),
        ("PATCH", {"mode": "ids"}, "mode: PATCH keeps all other entries"),
        ("PATCH", {"on_missing": "CREATE"}, "on_missing: only valid with patch_delta=true"),
        ("PATCH", {"patchdelta": "true"}, "patchdelta: unknown parameter; did you mean 'patch_delta'?"),
        ("PUT", {"sectoin": "Staging"}, "sectoin: unknown parameter; did you mean 'section'?"),
    ],
)
def test_a_query_that_cannot_be_meant_is_refused(ingress: Ingress, method: str, query: Any, said: str) -> None:
    """It would be another thing that is done, perhaps a sync that deletes."""
    assert refused(ingress, method, {"items": "id,item_name\na,A\n"}, **query).startswith(said)


def test_a_parameter_in_the_form_is_refused(ingress: Ingress) -> None:
    body = multipart({"items": "id,item_name\na,A\n"}).replace(
        b"--b0undary--", b'--b0undary\r\nContent-Disposition: form-data; name="section"\r\n\r\nStaging\r\n--b0undary--'
    )
    answer = ingress.send("PUT", "/v1/catalog", body, headers=MULTIPART)
    assert answer.status_code == 400
    assert answer.json["message"] == "section: form fields must be files; parameters belong in the query"


def test_text_around_the_parts_is_refused(ingress: Ingress) -> None:
    """It may be a part whose boundary was garbled."""
    body = multipart({"items": "id,item_name\na,A\n", "variations": "variation_id,item_id\nv,a\n"})
    before = "there is text before its first part: corrupted in transit"
    behind = "there is text behind its closing boundary: corrupted in transit, or two forms in one"
    for garbled, how in ((body.replace(b"--b0undary", b"--b0undarX", 1), before), (body + body, behind)):
        answer = ingress.send("PUT", "/v1/catalog", garbled, headers=MULTIPART)
        assert (answer.status_code, answer.json["message"]) == (400, f"form-data: {how}; send it again")


def test_a_form_without_a_boundary_says_what_to_do(ingress: Ingress) -> None:
    """A header that was written by hand is the usual reason."""
    body = multipart({"items": "id,item_name\na,A\n"})
    answer = ingress.send("PUT", "/v1/catalog", body, headers={"Content-Type": "multipart/form-data"})
    assert answer.status_code == 400
    assert answer.json["message"].startswith("form-data: the Content-Type names no boundary; leave that header to")


def test_a_form_that_does_not_end_says_where_it_stops(ingress: Ingress) -> None:
    """So a sender sees which file is cut, and that the closing boundary is missing."""
    body = multipart({"items": "id,item_name\na,A\n", "variations": "variation_id,item_id\nv,a\n"})
    why = "without its closing boundary: truncated in transit; send it again"
    for cut, where in ((40, "before its first part"), (98, "in the part 'items'"), (-8, "in the part 'variations'")):
        answer = ingress.send("PUT", "/v1/catalog", body[:cut], headers=MULTIPART)
        assert (answer.status_code, answer.json["message"]) == (400, f"form-data: stops {where}, {why}"), cut
    assert ingress.get("/v1/tasks")["total_count"] == 0


def test_a_section_for_item_groups_alone_is_refused(ingress: Ingress) -> None:
    """They belong to the key, as in all calls. The usual section, which clients name in every call, is no mistake."""
    rows = "parent_id,id,name\n,a,A\n"
    said = refused(ingress, "PUT", {"item_groups": rows}, section="Staging")
    assert said == "section: item groups belong to the key, not to a section"
    done(ingress, "PUT", {"item_groups": rows}, section="Products")
    done(ingress, "PUT", {"item_groups": rows, "items": "id,item_name\na,A\n"}, section="Staging")


# -- as published ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the vendor's files are not at hand")
@pytest.mark.parametrize("packed", [False, True])
def test_the_files_of_an_official_client_are_taken(ingress: Ingress, packed: bool) -> None:
    if packed:
        files = [("catalog.tar.gz", "catalog.tar.gz", (EXAMPLES / "catalog.tar.gz").read_bytes())]
    else:
        files = [(kind.value, f"{kind}.csv", (EXAMPLES / f"{kind}.csv").read_bytes()) for kind in Kind]
    warnings = done(ingress, "PUT", files)
    assert [one for one in warnings if one["code"] != "IGNORED_FILE"] == []
    assert len(ingress.rig.bodies()) == 11
    assert groups(ingress)["BrandXY"] == ["BrandX"]
