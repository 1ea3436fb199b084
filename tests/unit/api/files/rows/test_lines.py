"""The rows of a file do not depend on how it arrives, nor on how its lines end; a problem is told with its line."""

from __future__ import annotations

import random

import pytest

from api.files.rows.json_rows import JsonFile
from api.files.rows.lines import LINE_MAX_BYTES, BrokenFile, CsvFile, read_blocks, with_newlines
from shared.model import Kind, Operation
from tests.unit.api.files.test_archives import pieces

CSV = 'id,item_name,url\na,"two\nlines",u\n\nb,Ä,\nc,"x",u\nd,d,d,d\ne,E,u'
#: Line and JSON of each of its rows; those without an entry have a problem.
CSV_ROWS = [
    (2, '{"id":"a","name":"two\\nlines","data":{"url":"u"}}'), (5, '{"id":"b","name":"Ä"}'),
    (6, '{"id":"c","name":"x","data":{"url":"u"}}'), (7, None), (8, '{"id":"e","name":"E","data":{"url":"u"}}'),
]  # fmt: skip
JSON = ' [ {"id": "a",\n "x": "]\\",{"} ,\n\n {"id": "Ä", "y": [1, {"z": []}]},7 , {"id" 8}\n,[]]\n '
JSON_ROWS = [
    (1, '{"id": "a",  "x": "]\\",{"}'),
    (4, '{"id": "Ä", "y": [1, {"z": []}]}'),
    (4, "7"),
    (4, None),
    (5, "[]"),
]
LINES = '{"id": "a"}\n\n  {"id": "Ä"}\t\n{"id" 8}\n[]'
LINE_ROWS = [(1, '{"id": "a"}'), (3, '{"id": "Ä"}'), (4, None), (5, "[]")]


def rows(file: CsvFile | JsonFile, body: bytes, size: int) -> list[tuple[int, str | None]]:
    found = file.rows(pieces(body, size))
    return [(line, None if problem else bytes(entry).decode()) for line, entry, problem in found]


def csv_file(delimiter: str = ",") -> CsvFile:
    return CsvFile(Kind.ITEMS, Operation.PUT, delimiter)


def json_file() -> JsonFile:
    return JsonFile(Kind.ITEMS, ["id", "name"])


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "with a mark"])
def test_rows_are_the_same_however_a_file_arrives(size: int, mark: bytes) -> None:
    for file, text, expected in (
        (csv_file(), CSV, CSV_ROWS), (json_file(), JSON, JSON_ROWS), (json_file(), LINES, LINE_ROWS),
        (json_file(), '{"items":' + JSON.strip() + "}", JSON_ROWS),
    ):  # fmt: skip
        assert rows(file, mark + text.encode(), size) == expected


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_way(end: str, size: int) -> None:
    """And the last one in none."""
    text = "id,item_name,url\na,A,u\n\nb,B,\n"
    expected = [(2, '{"id":"a","name":"A","data":{"url":"u"}}'), (4, '{"id":"b","name":"B"}')]
    for body in (text, text.rstrip()):
        assert rows(csv_file(), body.replace("\n", end).encode(), size) == expected
    listed = '[{"id": 1},\n{"id": 2},\n\n{"id": 3}]'.replace("\n", end).encode()
    assert [line for line, _ in rows(json_file(), listed, size)] == [1, 2, 4]


def test_blocks_are_whole_lines_and_each_knows_its_number() -> None:
    chance = random.Random(5)
    text = b"".join(b"x" * chance.randrange(9) + b"\n" for _ in range(200)) + b"last"
    for size in (1, 7, 50, 10_000):
        blocks = list(read_blocks(pieces(text, size)))
        assert b"".join(block for block, _ in blocks) == text
        assert all(block.endswith(b"\n") for block, _ in blocks[:-1])
        starts = [sum(len(block) for block, _ in blocks[:i]) for i in range(len(blocks))]
        assert [first for _, first in blocks] == [1 + text.count(b"\n", 0, start) for start in starts]


def broken(body: bytes, size: int = 1 << 16, file: CsvFile | JsonFile | None = None) -> tuple[int, str]:
    with pytest.raises(BrokenFile) as caught:
        list((file or csv_file()).rows(pieces(body, size)))
    return caught.value.line, str(caught.value)


@pytest.mark.parametrize("size", [7, 1000])
def test_a_file_that_cannot_be_read_on_says_in_which_line(size: int) -> None:
    head = b"id,item_name\na,A\n"
    assert broken(head + b"b,B\nc,\xff\nd,D\n", size) == (4, "not valid UTF-8")
    assert broken(head + b'b,"x"y\n', size) == (3, "not valid CSV: ',' expected after '\"'")
    assert broken(head + b"b,x\ry\n", size) == (3, "a lone carriage return in an unquoted cell, or mixed line ends")
    for never_closed in (b'b,"B\nc,C\n', b'b,"B', b'b,"B\nc,"C\n'):
        line, reason = broken(head + never_closed, size)
        assert (line, reason.startswith("a quote opened here is never closed")) == (3, True)
    line, reason = broken(b"\n\nname,x\n", size)
    assert (line, reason.startswith("the first line must name the columns")) == (3, True)
    for text, at in ((b'[{"id": 1},\n\n,{"id": 2}]', 1), (b"[1,\n2,\n]", 2), (b'[,{"id": 1}]', 1)):
        said = (at, "not valid JSON: an entry is missing before or after a comma")
        assert broken(text, size, json_file()) == said
    for text, at in ((b'[{"id": 1}\n\n', 3), (b"[]\n]", 2), (b'{"items":[]\n', 2), (b'{"items":[]}}', 1), (b"[7", 1)):
        line, reason = broken(text, size, json_file())
        assert (line, reason.startswith("not valid JSON: a list of entries must end")) == (at, True)


def test_what_is_wrong_with_a_row_is_told_with_its_column() -> None:
    file = csv_file(";")
    assert (file.unknown, file.group_ids, file.name_field("name")) == ([], set(), "name")
    found = list(file.rows([b"id;item_name;Name;group_ids;facets\n", b"a;A;;g|h;red\nb;B;;g;\n"]))
    assert [(line, problem and tuple(problem)) for line, _, problem in found] == [
        (2, ("column 'facets'", "'red' is not a facet of the form name: value")),
        (3, None),
    ]
    assert file.name_field("name") == "column 'item_name'"
    assert ([name for name, _ in file.unknown], file.group_ids) == (["Name"], {"g", "h"})
    line, reason = broken(b"id,x\n")
    assert (line, "'item_name' is missing" in reason) == (1, True), "a PUT has whole entries"
    with pytest.raises(BrokenFile) as caught:
        list(csv_file().rows([b"id,item_name\n", b"\n\xff\n"]))
    assert caught.value.line == 3


def test_the_first_lines_are_handed_on_before_more_have_arrived() -> None:
    arriving = iter([b"id", b"\na\n", b"b\n"])
    assert next(with_newlines(arriving)) == b"id\na\n"
    assert list(arriving) == [b"b\n"]


def test_line_ends_that_change_on_the_way_are_told() -> None:
    """Where the first line ends is known once a whole line has arrived."""
    long = b"x" * LINE_MAX_BYTES
    arriving = with_newlines([b"id\r" + long, b"a\r", b"\rc\nd\r\r\ne"])
    assert [next(arriving), next(arriving)] == [b"id\n" + long, b"a\n"]
    with pytest.raises(BrokenFile, match=r"^line ends are mixed") as caught:
        next(arriving)
    assert caught.value.line == 4


def test_a_line_is_as_long_as_an_entry_may_be_and_no_longer() -> None:
    """Of JSON an entry, on any number of lines."""
    line = b"x" * LINE_MAX_BYTES
    assert [block for block, _ in read_blocks([b"\n" + line, b"\n"])] == [b"\n", line + b"\n"]
    with pytest.raises(BrokenFile, match=f"longer than {LINE_MAX_BYTES} bytes") as caught:
        list(read_blocks([b"\n\n" + line + b"x", b"\n"]))
    assert caught.value.line == 3
    assert broken(b"id,item_name\na," + line + b"x\n", 2 * LINE_MAX_BYTES) == (
        2,
        f"a line is longer than {LINE_MAX_BYTES} bytes",
    )
    entry = b'"' + b"x" * (LINE_MAX_BYTES - 2) + b'"'
    found = rows(json_file(), b"[1,\n" + entry + b",\n2]", 2 * LINE_MAX_BYTES)
    assert [(at, len(text or "")) for at, text in found] == [(1, 1), (2, LINE_MAX_BYTES), (3, 1)]
    line_of, reason = broken(b"[1,\n" + entry.replace(b"x", b"xx", 1) + b",\n2]", LINE_MAX_BYTES + 4, json_file())
    assert (line_of, reason) == (1, f"an entry is longer than {LINE_MAX_BYTES} bytes")
    assert len(list(json_file().rows([b"[" + entry, b"]"]))) == 1
    assert broken(b"[1] " + line, 2 * LINE_MAX_BYTES, json_file())[1].startswith("not valid JSON: a list of entries")


def test_a_file_is_a_list_only_of_its_own_kind() -> None:
    """Another object is an entry on a line, which then has no id; so is anything that begins otherwise."""
    for text in ('{"variations": [1]}', '{"items": 7}', '"x"', '{"items": {"a": [1]}}'):
        assert rows(json_file(), text.encode(), 3) == [(1, text)]
    assert rows(json_file(), b'\n{ "items" :\n [1]}', 2) == [(3, "1")]
    assert rows(json_file(), b"\x0c\n7", 9) == [(1, None), (2, "7")], "JSON has no form feeds"
    assert rows(json_file(), b"[\x0c7,X8X]", 9) == [(1, None)] * 2
    [(_, entry, problem)] = json_file().rows([b'{"id" 8}'])
    assert (bytes(entry), problem and problem.loc) == (b"null", "")
    assert str(problem).startswith("not valid JSON: expected ':'")
    assert rows(json_file(), b"", 3) == rows(json_file(), b" \n", 3) == rows(csv_file(), b"", 3) == []
