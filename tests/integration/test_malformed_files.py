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


CSV = [
    pytest.param("name,price\na,A\n", "items: the first line has to name the columns", "(line 1)", id="wrong header"),
    pytest.param(
        "id;item_name\na;A\n", "'id' is missing in 'id;item_name'", "(line 1)", id="wrong delimiter"
    ),
    pytest.param(b"id,item_name\na,A\nb,\xff\n", "items: not valid UTF-8", "(line 3)", id="invalid UTF-8"),
    pytest.param(HEADER.encode() + b"x" * 100_000_000, "items: a line is longer", "(line 2)", id="a line of 100 MB"),
    pytest.param(
        HEADER + 'a,A,\nb,"B,\n' + "c,C,\n" * 300_000, "a quote that is opened here is not closed", "(line 3)",
        id="an open quote",
    ),
    pytest.param(HEADER + 'a,"A"x,\n', "items: not valid CSV", "(line 2)", id="text behind a quote"),
    pytest.param(GOOD + "b,B\n", "items[1]: 2 cells, where the first line names 3", "(line 3)", id="a short row"),
    pytest.param(GOOD + "b,,\n\nc,-,\n", "items[1].name: field required", "(line 3)", id="no name"),
    pytest.param(GOOD + "b,,\n\nc,-,\n", "items[2].name: ensure this value has at least", "(line 5)", id="a bad name"),
    pytest.param("id,id,item_name\na,b,A\n", "'id' and 'id' are one field", "(line 1)", id="a column twice"),
    pytest.param(
        "id,item_name,metadata:json:x\na,A,{\n", "items[0]: not valid JSON", "(line 2)", id="bad JSON in a cell"
    ),
]  # fmt: skip

ARCHIVES = [
    pytest.param(zipped(), "archive: it is no tar.gz", id="a zip"),
    pytest.param(archive({"items.csv": GOOD})[:-20], "archive: it is no tar.gz", id="cut short"),
    pytest.param(gzip.compress(b"no tar at all" * 100), "archive: it is no tar.gz", id="no tar"),
    pytest.param(archive({"../items.csv": GOOD}), "leads out of it", id="a name that leads out"),
    pytest.param(archive({"/items.csv": GOOD}), "leads out of it", id="an absolute name"),
    pytest.param(archive({"items.csv": link("items.csv", "/etc", tarfile.SYMTYPE)}), "no plain file", id="a link"),
    pytest.param(archive({"items.csv": link("items.csv", "x", tarfile.LNKTYPE)}), "no plain file", id="a hard link"),
    pytest.param(archive({"items.csv": link("items.csv", "", tarfile.FIFOTYPE)}), "no plain file", id="a pipe"),
    pytest.param(archive({"prices.csv": GOOD}), "'prices.csv' is none of", id="another file"),
    pytest.param(archive({"items.csv": GOOD + "b,,\n"}), "items[1].name: field required (line 3)", id="a bad row"),
    pytest.param(
        archive({"items.csv": GOOD.encode() + b"a,A,\n" * 1_000_000}), "it inflates to far more", id="a bomb of rows"
    ),
    pytest.param(long_header(), "it inflates to far more", id="a bomb of a name"),
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


@pytest.mark.parametrize(("text", "said", "where"), CSV)
def test_a_broken_csv_file_is_refused_with_line_and_reason(
    ingress: Ingress, text: bytes | str, said: str, where: str
) -> None:
    message = refused(ingress, multipart({"items": text}))
    assert said in message
    assert where in message


@pytest.mark.parametrize(("sent", "said"), ARCHIVES)
def test_a_broken_archive_is_refused(ingress: Ingress, sent: bytes, said: str) -> None:
    assert said in refused(ingress, multipart([("acme_x.tar.gz", "acme_x.tar.gz", sent)]))


def test_a_body_that_is_cut_short_leaves_nothing(ingress: Ingress) -> None:
    """Whole chunks have been staged by then."""
    body = multipart({"items": HEADER + "".join(f"i{i},Item {i},\n" for i in range(5000))})
    assert "cut short" in refused(ingress, body[: len(body) // 2])


def test_without_a_file_nothing_is_done(ingress: Ingress) -> None:
    """In the words that both clients look for; that request has neither a body nor a type."""
    no_file = 'form-data should contain at least one of "items", "variations", "item_groups".'
    assert refused(ingress, b"", headers={"Content-Type": ""}) == no_file
    assert refused(ingress, multipart({})) == no_file


def test_a_part_that_is_none_of_ours_is_named(ingress: Ingress) -> None:
    assert refused(ingress, multipart({"item": GOOD})) == "item: extra fields not permitted"
    twice = [("items", "a.csv", GOOD.encode()), ("items", "b.csv", GOOD.encode())]
    assert refused(ingress, multipart(twice)) == "items: this part is there more than once"


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
