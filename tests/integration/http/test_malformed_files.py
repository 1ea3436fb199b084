"""Files that are not what they should be: refused with line and reason, and nothing of them is left."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import pytest

from tests.support.batches import items
from tests.support.files import MULTIPART, archive, multipart
from tests.support.ingress import Ingress
from tests.support.key_checker import check_keys

HEADER = "id,item_name,facet:Color\n"
GOOD = HEADER + "a,A,\n"


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("items.csv", GOOD)
    return out.getvalue()


def long_header() -> bytes:
    """An archive whose first member is a name of 100 MB."""
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 100_000_000
    return gzip.compress(member.tobuf() + b"a" * 10_000_000, compresslevel=1)


def tarred() -> bytes:
    return gzip.decompress(archive({"items.csv": GOOD, "variations.csv": "variation_id,item_id\nv,a\n"}))


CSV = [
    pytest.param("name,price\na,A\n", "line 1: the first line must name the columns", id="wrong header"),
    pytest.param("id;item_name\na;A\n", "'id;item_name'; send delimiter=semicolon", id="wrong delimiter"),
    pytest.param("Id,item_name\na,A\n", "'id' is missing in 'Id', 'item_name'", id="wrong letters"),
    pytest.param(b"id,item_name\na,A\nb,\xff\n", "line 3: not valid UTF-8", id="invalid UTF-8"),
    pytest.param(HEADER.encode() + b"x" * 100_000_000, "line 2: a line is longer", id="a line of 100 MB"),
    pytest.param(
        HEADER + 'a,A,\nb,"B,\n' + "c,C,\n" * 300_000, "line 3: a quote opened here is never closed",
        id="an open quote",
    ),
    pytest.param(HEADER + 'a,"A"x,\n', "line 2: not valid CSV", id="text behind a quote"),
    pytest.param(HEADER + "a,A\rB,\n", "line 2: a lone carriage return", id="a lone carriage return"),
    pytest.param(HEADER.replace("\n", "\r") + "a,A,\r" * 399999 + "\n", "line 400001: line ends are mixed", id="mixed"),
    pytest.param(GOOD + "b,B,,c\n", "line 3: 4 cells, but the first line names 3", id="a long row"),
    pytest.param(GOOD + "b,,\n\nc,-,\n", "line 3, column 'item_name': field required", id="no name"),
    pytest.param(
        GOOD + "b,,\n\nc,-,\n", "line 5, column 'item_name': ensure this value has at least", id="a bad name"
    ),
    pytest.param("id,id,item_name\na,b,A\n", "line 1: the columns 'id' and 'id' set the same field", id="twice"),
    pytest.param(
        "id,item_name,metadata:json:x,metadata:x,metadata:json:x\na,A,1,,2\n", "set the same field", id="twice as JSON"
    ),
    pytest.param(
        "id,item_name,metadata:json:x\na,A,{\n", "line 2, column 'metadata:json:x': not valid JSON",
        id="bad JSON in a cell",
    ),
    pytest.param(
        "id,item_name,facet:Size (in.)\na,A," + "x" * 201, "line 2, column 'facet:Size (in.)': ensure this value has",
        id="a long facet",
    ),
    pytest.param("id,item_name,facets\na,A,red\n", "column 'facets': 'red' is not a facet of the form", id="no facet"),
    pytest.param("id,item_name,suggested_score\na,A,1.5\n", "column 'suggested_score': value is not", id="a score"),
]  # fmt: skip

ARCHIVES = [
    pytest.param(zipped(), "not a tar.gz archive", id="a zip"),
    pytest.param(archive({"items.csv": GOOD})[:-20], "not a tar.gz archive", id="cut short"),
    pytest.param(gzip.compress(b"no tar at all" * 100), "not a tar.gz archive", id="no tar"),
    pytest.param(archive({"../items.csv": GOOD}), "points outside the archive", id="a name that points outside"),
    pytest.param(archive({"/items.csv": GOOD}), "points outside the archive", id="an absolute name"),
    pytest.param(archive({"items.csv": link("items.csv", "/etc", tarfile.SYMTYPE)}), "not a regular file", id="a link"),
    pytest.param(archive({"items.csv": link("items.csv", "x", tarfile.LNKTYPE)}), "not a regular file", id="hard link"),
    pytest.param(archive({"items.csv": link("items.csv", "", tarfile.FIFOTYPE)}), "not a regular file", id="a pipe"),
    pytest.param(archive({"prices.csv": GOOD}), "'prices.csv' is not named after one of 'items'", id="another"),
    pytest.param(archive({"item.csv": GOOD}), "did you mean 'items'?", id="a misspelt file"),
    pytest.param(archive({"items.csv": GOOD}) + b"more", "not a tar.gz archive", id="something behind"),
    pytest.param(2 * archive({"items.csv": GOOD}), "two archives in one", id="two archives in one"),
    pytest.param(gzip.compress(tarred()[:700]), "not a tar.gz archive", id="a tar that was cut inside of a file"),
    pytest.param(gzip.compress(tarred()[:1100]), "not a tar.gz archive", id="a tar that was cut inside of a header"),
    pytest.param(gzip.compress(tarred()[:1024]), "not a tar.gz archive", id="a tar that was cut between files"),
    pytest.param(
        archive({"items.csv": GOOD.encode() + b"a,A,\n" * 1_000_000}), "inflates to far more", id="a bomb of rows"
    ),
    pytest.param(long_header(), "inflates to far more", id="a bomb of a name"),
    pytest.param(archive({f"._{i}": b"" for i in range(101)}), "more than 100 members", id="many members"),
]  # fmt: skip


def refused(ingress: Ingress, body: bytes, headers: dict[str, str] = MULTIPART) -> str:
    """Sync a file that must be refused and leave nothing."""
    ingress.rig.put(*items("there"))
    ingress.rig.drain()
    before = ingress.rig.dump()
    answer = ingress.send("PUT", "/v1/catalog", body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert ingress.rig.dump() == before
    return str(answer.json["message"])


def failed(ingress: Ingress, body: bytes, **query: object) -> str:
    """Sync a file whose task must fail and leave the catalogue as it is; returns the error."""
    ingress.rig.put(*items("there"))
    task_id = ingress.write("PUT", "/v1/catalog", body, headers=MULTIPART, **query)
    ingress.rig.drain()
    task = ingress.get(f"/v1/tasks/{task_id}")
    assert (task["status"], list(ingress.rig.bodies())) == ("FAILED", ["there"])
    assert task["error"]["message"].startswith("IngestionError: ")
    check_keys(ingress.rig.client)
    return str(task["error"]["message"]).removeprefix("IngestionError: ")


@pytest.mark.parametrize(("text", "said"), CSV)
def test_a_broken_csv_file_makes_a_task_that_fails_and_says_where(
    ingress: Ingress, text: bytes | str, said: str
) -> None:
    """In the words of the file: its name, the line, the column."""
    message = failed(ingress, multipart({"items": text}))
    assert message.startswith("items.csv, line ")
    assert said in message


@pytest.mark.parametrize(
    ("method", "query"), [("PUT", {}), ("PATCH", {"patch_delta": True, "on_missing": "CREATE"})], ids=["put", "patch"]
)
def test_a_broken_file_fails_also_right_behind_a_batch_that_does_the_same(
    ingress: Ingress, method: str, query: dict[str, object]
) -> None:
    """All are applied in one go: nothing of its good rows, and what is behind it."""
    missing = {name: value for name, value in query.items() if name == "on_missing"}
    ids = [
        ingress.write(method, "/v2/items", {"items": items("there")}, **missing),
        ingress.write("PATCH", "/v1/catalog", multipart({"items": GOOD + "c,C,,D\n"}), headers=MULTIPART, **query),
        ingress.write(method, "/v2/items", {"items": items("last")}, **missing),
    ]
    ingress.rig.drain()
    assert [ingress.get(f"/v1/tasks/{task_id}")["status"] for task_id in ids] == ["DONE", "FAILED", "DONE"]
    assert list(ingress.rig.bodies()) == ["last", "there"]


def test_all_that_is_wrong_is_counted_and_the_first_of_it_kept(ingress: Ingress) -> None:
    """Ten in the message, a thousand with their rows in the report."""
    rows = HEADER + "".join(f"i{i},{'' if i % 2 else 'A'},\n" for i in range(3000))
    message = failed(ingress, multipart({"items": rows}))
    assert message.count("field required") == 10
    assert message.endswith("; and 1490 more")
    report = ingress.get("/v1/tasks/2/entries", outcome="failed", num_results_per_page=100)
    assert report["total_count"] == 1500
    first = report["entries"][0]
    assert (first["id"], first["outcome"]) == ("i1", "failed")
    assert first["reason"] == "items.csv, line 3, column 'item_name': field required"
    assert ingress.get("/v1/tasks/2")["files"] == {"items": {"rows": 3000, "name": "items.csv"}}


def test_a_file_of_nothing_but_bad_rows_is_not_read_to_its_end(ingress: Ingress) -> None:
    message = failed(ingress, multipart({"items": HEADER + "a,,\n" * 30_000}))
    assert message.endswith("; and at least 9990 more")


@pytest.mark.parametrize(("sent", "said"), ARCHIVES)
def test_a_broken_archive_is_refused(ingress: Ingress, sent: bytes, said: str) -> None:
    assert said in refused(ingress, multipart([("acme_x.tar.gz", "acme_x.tar.gz", sent)]))


def test_a_body_that_is_cut_short_leaves_nothing(ingress: Ingress) -> None:
    """Whole chunks have been staged by then."""
    body = multipart({"items": HEADER + "".join(f"i{i},Item {i},\n" for i in range(5000))})
    assert "truncated" in refused(ingress, body[: len(body) // 2])


def test_without_a_file_nothing_is_done(ingress: Ingress) -> None:
    """In the words that both clients look for; that request has neither a body nor a type."""
    no_file = 'form-data should contain at least one of "items", "variations", "item_groups".'
    assert refused(ingress, b"", headers={"Content-Type": ""}) == no_file
    assert refused(ingress, multipart({})) == no_file


def test_a_part_that_is_none_of_ours_is_named(ingress: Ingress) -> None:
    said = "item: unknown part; parts are named 'items', 'variations', 'item_groups'; did you mean 'items'?"
    assert refused(ingress, multipart({"item": GOOD})) == said
    twice = [("items", "a.csv", GOOD.encode()), ("items", "b.csv", GOOD.encode())]
    assert refused(ingress, multipart(twice)) == "items: this part was sent more than once"


@pytest.mark.parametrize("text", ["", "\n", HEADER])
def test_an_empty_file_makes_a_task_that_fails(ingress: Ingress, text: str) -> None:
    """And the others that came with it are not applied."""
    ingress.rig.put(*items("there"))
    body = multipart({"item_groups": "parent_id,id,name\n,g,G\n", "items": text})
    task_id = ingress.write("PUT", "/v1/catalog", body, headers=MULTIPART)
    ingress.rig.drain()
    task = ingress.get(f"/v1/tasks/{task_id}")
    assert task["status"] == "FAILED"
    assert task["error"] == {
        "message": "IngestionError: The items file you have uploaded is empty. Please fix it and try again."
    }
    assert list(ingress.rig.bodies()) == ["there"]
    assert ingress.get("/v2/item_groups")["total_count"] == 0
