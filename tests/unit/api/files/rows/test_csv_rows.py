"""What a row of CSV becomes, by the columns of its file."""

from __future__ import annotations

import csv
from typing import Any

import msgspec
import pytest

from api.files.rows.csv_rows import BadRow, Columns
from shared.model import Kind, Operation


def columns(names: str, kind: Kind = Kind.ITEMS, operation: Operation = Operation.PUT) -> Columns:
    return Columns(next(csv.reader([names])), kind, operation)


def row_of(names: str, row: str, kind: Kind = Kind.ITEMS, operation: Operation = Operation.PATCH) -> Any:
    entry = columns(names, kind, operation).entry(next(csv.reader([row])))
    return None if entry is None else msgspec.json.decode(entry)


# -- columns ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "row", "data"),
    [
        ("url,image_url,description", " u ,i,d d", {"url": "u", "image_url": "i", "description": "d d"}),
        ("keywords,group_ids", "a| b |,|c", {"keywords": ["a", "b"], "group_ids": ["c"]}),
        ("keywords,group_ids", "a |b c,\u00a0d|e", {"keywords": ["a", "b c"], "group_ids": ["d", "e"]}),
        ("active,metadata:deactivated,metadata:x", "Yes,0,yes", {"active": True, "deactivated": False, "x": "yes"}),
        ("active,metadata:json:is_default", "maybe,true", {"active": "maybe", "is_default": True}),
        ("metadata: spaced out ,metadata:", "1,2", {"spaced out": "1"}),
        ("facet:Größe,facet:,facet:c", "S|M,x,", {"facets": {"Größe": ["S", "M"]}}),
        (
            "facets,facet:color,facet:fit", r"color: red|size: M ||odd\|\:one: a\:b\\|color: blue|empty:,green,slim",
            {"facets": {"color": ["red", "blue", "green"], "fit": ["slim"], "size": ["M"], "odd|:one": ["a:b\\"]}},
        ),
        ("facets", "a: b", {"facets": {"a": ["b"]}}),
        ("metadata:json:facets", '"{""a"":1.50}"', {"facets": {"a": 1.5}}),
    ],
)  # fmt: skip
def test_a_column_sets_the_field_that_it_names(names: str, row: str, data: Any) -> None:
    """A name in front of which there is a prefix may be any; without one it is the usual."""
    for kind, first in ((Kind.ITEMS, "id"), (Kind.VARIATIONS, "variation_id")):
        assert row_of(f"{first},{names}", f"x,{row}", kind) == {"id": "x", "data": data}


def test_the_fields_at_the_top_have_their_columns() -> None:
    """A score is a number as it is written; what is none is left to the rules."""
    read = columns("item_name,id,suggested_score").entry(["N", "a", "1.50"])
    assert read == msgspec.Raw(b'{"name":"N","id":"a","suggested_score":1.50}')
    for no_number in ("01", "1.", ".5", "+1", "1e", "0x1", "NaN", "１", "1 2"):
        assert row_of("id,suggested_score", f"a,{no_number}")["suggested_score"] == no_number
    for number in ("-1", "0", "1e5", "1.5E-3", "10"):
        assert row_of("id,suggested_score", f"a,{number}")["suggested_score"] == float(number)
    for names in ("variation_id,item_id,item_name", "id,item_id,item_name"):
        assert row_of(names, "v,i,N", Kind.VARIATIONS) == {"id": "v", "item_id": "i", "name": "N"}
    group = row_of("id,name,parent_ids,data", 'g,G,"[""a"",""b""]","{""x"":1}"', Kind.ITEM_GROUPS)
    assert group == {"id": "g", "name": "G", "parent_ids": ["a", "b"], "data": {"x": 1}}


@pytest.mark.parametrize("names", ["parent_id,parent_ids", "parent_ids,parent_id"])
def test_of_two_columns_of_parents_the_newer_wins(names: str) -> None:
    """Where both have a value; a blank cell has none."""
    older_first = names.startswith("parent_id,")
    for old, new, parents in (("o", '["n"]', ["n"]), ("o", "", ["o"]), ("", '["n"]', ["n"])):
        row = [old, new] if older_first else [new, old]
        for header, cells in ((f"id,name,{names}", ["g", "G", *row]), (f"{names},id,name", [*row, "g", "G"])):
            entry = columns(header, Kind.ITEM_GROUPS).entry(cells)
            assert entry is not None
            assert msgspec.json.decode(entry)["parent_ids"] == parents
    assert columns(f"id,name,{names}", Kind.ITEM_GROUPS).name_field("parent_ids[0]") == "column 'parent_ids'"


def test_a_list_of_ids_has_no_other_columns() -> None:
    for operation in (Operation.KEEP, Operation.DELETE):
        read = columns("x,id,item_name", operation=operation)
        assert read.entry(["1", "a", "N"]) == msgspec.Raw(b'{"id":"a"}')
        assert (read.unknown, read.name_field("id")) == ([], "column 'id'")
        assert columns("id", Kind.VARIATIONS, operation).name_field("id") == "column 'id'"


def test_the_columns_that_a_file_needs_are_told() -> None:
    """With the likely mistake: another separator, or other letters."""
    must = r"^the first line must name the columns, separated by commas: "
    for names, kind, said in (
        ("name,x", Kind.ITEMS, "'id' is missing in 'name', 'x'$"),
        ("id,x", Kind.ITEMS, "'item_name' is missing in 'id', 'x'$"),
        ("variation_id", Kind.VARIATIONS, "'item_id' is missing in 'variation_id'$"),
        ("id,name", Kind.ITEM_GROUPS, "'parent_ids' is missing in 'id', 'name'$"),
        ("id;item_name", Kind.ITEMS, "'id' is missing in 'id;item_name'; send delimiter=semicolon if"),
        ("id\titem_name", Kind.ITEMS, r"'id' is missing in 'id\\titem_name'; send delimiter=tab if"),
        ("ID,Item Name", Kind.ITEMS, "'id' is missing in 'ID', 'Item Name'; is it 'ID' in other letters"),
        (",".join(f"c{i:02}" for i in range(12)), Kind.ITEMS, ".*'c08', 'c09'$"),
        ("x" * 300, Kind.ITEMS, "'id' is missing in 'x{199}$"),
    ):
        with pytest.raises(ValueError, match=must + said):
            columns(names, kind)
    for names, kind in (("id", Kind.ITEMS), ("id", Kind.VARIATIONS), ("id", Kind.ITEM_GROUPS)):
        assert row_of(names, "a", kind) == {"id": "a"}, "a PATCH needs the id alone"


def test_two_columns_set_one_field_only_if_one_of_them_is_json() -> None:
    """Of these a row has one, whichever is in front."""
    for names in ("url,url", "facet:a,facet: a", "metadata:url,url", "metadata:json:x,metadata:x,metadata:json:x"):
        with pytest.raises(ValueError, match=r"^the columns '.*' and '.*' set the same field$"):
            columns(f"id,item_name,{names}")
    for names, first in (("url,metadata:json:url", "url"), ("metadata:json:url,url", "metadata:json:url")):
        read = columns(f"id,{names}", operation=Operation.PATCH)
        assert read.name_field("data.url") == "column 'url'"
        assert [read.entry(["a", *row]) is None for row in (['"u"', ""], ["", '"u"'], ["", ""])] == [False] * 3
        with pytest.raises(BadRow, match=rf"^sets the same field as column '{first}'$") as caught:
            read.entry(["a", '"u"', '"u"'])
        assert caught.value.column == f"column '{({'url', 'metadata:json:url'} - {first}).pop()}'"
    with pytest.raises(BadRow, match=r"^sets the same field as column 'metadata:json:facets'$"):
        row_of("id,facet:a,metadata:json:facets", 'a,x,"{}"')
    with pytest.raises(BadRow, match=r"^sets the same field as column 'url'$"):
        row_of("id,url,metadata:json:url,facet:a,metadata:json:facets", 'a,x,"""y""",,"{}"')


# -- rows -------------------------------------------------------------------------------------------------------------


def test_a_row_is_as_wide_as_the_header_but_for_blank_cells() -> None:
    assert row_of("id,url", "a") == row_of("id,url", "a,, ,") == {"id": "a"}
    assert row_of("id,url", ",") is row_of("id,url", " ") is row_of("id,url", ", ,,") is None
    with pytest.raises(BadRow, match=r"^4 cells, but the first line names 2 columns$") as caught:
        row_of("id,url", "a,b,,c")
    assert caught.value.column == ""
    assert row_of("id,unknown", ",x") == {}, "not blank, so it is a row, which then has no id"


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("metadata:json:x", "{", "not valid JSON"),
        ("facets", "red", "'red' is not a facet of the form name: value"),
        ("facets", ": red", "': red' is a facet without a name"),
        ("facets", "x" * 60, f"'{'x' * 50}' is not a facet"),
        ("facets", ":" + "x" * 60, f"':{'x' * 49}' is a facet without"),
    ],
)
def test_a_cell_that_cannot_be_read_is_told_with_its_column(column: str, cell: str, said: str) -> None:
    """Of several the first."""
    read = columns(f"id,url,{column},metadata:json:y", operation=Operation.PATCH)
    with pytest.raises(BadRow) as caught:
        read.entry(["a", "u", cell, "["])
    assert (str(caught.value).startswith(said), caught.value.column) == (True, f"column {column!r}")
    with pytest.raises(BadRow, match=r"^not a JSON array of ids"):
        row_of("id,parent_ids", 'g,"{}"', Kind.ITEM_GROUPS)


def test_a_problem_is_told_with_the_column_of_its_field() -> None:
    """That of the field itself before that of what it lies in; one that is not there by its usual name."""
    read = columns("id,url,metadata:json:x,facet:a,facets", operation=Operation.PATCH)
    for field, column in (
        ("id", "id"), ("data.url", "url"), ("data.x.y[0]", "metadata:json:x"), ("data.facets.a[0]", "facet:a"),
        ("data.facets.b[0]", "facets"), ("name", "item_name"), ("data.keywords", "keywords"),
    ):  # fmt: skip
        assert read.name_field(field) == f"column {column!r}"
    assert [read.name_field(field) for field in ("", "data.xy", "idx")] == ["", "data.xy", "idx"]


def test_unknown_columns_and_the_groups_of_items_are_noted() -> None:
    """An empty name is the comma at the end of a line."""
    read = columns("id,Keyword,stock,,group_ids,metadata", operation=Operation.PATCH)
    assert read.unknown == [
        ("Keyword", "; did you mean 'keywords'?"), ("stock", ""), ("metadata", "; did you mean 'metadata:'?"),
    ]  # fmt: skip
    for cell in ("a|b", "b", ""):
        read.entry(["x", "", "", "", cell])
    assert read.group_ids.ids == {"a", "b"}
    groups = columns("id,facet:x", Kind.ITEM_GROUPS, Operation.PATCH)
    assert groups.unknown == [("facet:x", "")], "item groups have no facets"
