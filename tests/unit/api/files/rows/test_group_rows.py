"""An item group that a file names in several rows has the parents of all of them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from msgspec import Raw

from api.errors import Problem
from api.files.rows import group_rows
from api.files.rows.group_rows import join_parents
from api.files.rows.json_rows import MAX_UNKNOWN, JsonFile
from api.files.rows.lines import BrokenFile, Row
from shared.model import Kind


def joined(*entries: str) -> tuple[list[tuple[int, str]], list[str]]:
    rows, strangers = join_parents((line, Raw(text.encode()), None) for line, text in enumerate(entries, 1))
    return [(line, bytes(entry).decode()) for line, entry, _ in rows], strangers


def test_the_last_row_of_a_group_has_the_parents_of_all() -> None:
    """In the order in which they came, each once; other rows stay as they were sent, and where."""
    assert joined(
        '{"id": "a", "parent_ids": []}', '{"id":"g","name":"Old","parent_ids":["a","b"]}', '{"id":"b"}',
        '{"id":"g","name":"New","parent_ids":["c","a"]}', '{"id":"c","parent_ids":null}',
        '{"id":"g","name":"Last","parent_ids":["d"]}', '{"id":"d"}',
    ) == (
        [
            (1, '{"id": "a", "parent_ids": []}'), (3, '{"id":"b"}'), (5, '{"id":"c","parent_ids":null}'),
            (6, '{"id":"g","name":"Last","parent_ids":["a","b","c","d"]}'), (7, '{"id":"d"}'),
        ],
        [],
    )  # fmt: skip


def test_a_row_that_brings_no_parent_replaces_the_one_before_as_any_entry_does() -> None:
    """Both stay, and the one before is warned of; the parents stay too."""
    for later in ('{"id":"g","name":"New","parent_ids":["a"]}', '{"id":"g","name":"New"}'):
        rows, _ = joined('{"id":"g","parent_ids":["a"]}', later)
        assert [line for line, _ in rows] == [1, 2]
        assert rows[1][1] == '{"id":"g","name":"New","parent_ids":["a"]}'
        again, _ = joined('{"id":"g","parent_ids":["a"]}', later, '{"id":"g","parent_ids":["b"]}')
        assert again == [(1, '{"id":"g","parent_ids":["a"]}'), (3, '{"id":"g","parent_ids":["a","b"]}')]
    assert joined('{"id":"g"}', '{"id":"g"}')[0] == [(1, '{"id":"g"}'), (2, '{"id":"g"}')]


def test_parents_that_are_no_groups_of_the_file_are_named() -> None:
    """Sorted; what is no text is left to the rules."""
    assert joined('{"id":"g","parent_ids":["z","h","a",7]}', '{"id":"h","parent_ids":["z"]}')[1] == ["a", "z"]


def test_null_says_that_a_group_has_no_parents() -> None:
    """Whatever rows before it say; it is a group of the file all the same."""
    texts = ['{"id":"g","parent_ids":["a"]}', '{"id":"g","parent_ids":null}', '{"id":"a","parent_ids":null}']
    assert joined(*texts) == (list(enumerate(texts, 1)), [])


def test_what_breaks_the_rules_is_left_to_them() -> None:
    texts = ("7", '{"id"', '{"name":"x"}', '{"id":"a","parent_ids":"b"}', "[" * 5000)
    assert joined(*texts) == (list(enumerate(texts, 1)), [])
    problem = Problem("", "bad")
    rows, _ = join_parents([(1, Raw(b"null"), problem)])
    assert rows == [(1, Raw(b"null"), problem)]


def test_groups_take_no_more_memory_than_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_rows, "GROUPS_MAX_BYTES", 20)

    def rows(*lengths: int) -> Iterable[Row]:
        return [(line, Raw(b"x" * length), None) for line, length in enumerate(lengths, 1)]

    assert len(join_parents(rows(10, 10))[0]) == 2
    with pytest.raises(BrokenFile, match="item groups of more than 20 bytes") as caught:
        join_parents(rows(10, 10, 1))
    assert caught.value.line == 3


# -- entries of JSON --------------------------------------------------------------------------------------------------


def tidied(entry: str, kind: Kind = Kind.ITEM_GROUPS, known: tuple[str, ...] = ("id", "parent_ids")) -> str:
    return bytes(JsonFile(kind, known).tidy(Raw(entry.encode()))).decode()


def test_a_single_parent_becomes_a_list() -> None:
    """None or an empty one an empty list; the list, if there is one too, counts more."""
    for sent, parents in (('"p"', '["p"]'), ("null", "[]"), ('""', "[]"), ("7", "[7]")):
        assert tidied(f'{{"id":"g","parent_id":{sent}}}') == f'{{"id":"g","parent_ids":{parents}}}'
    assert tidied('{"id":"g","parent_id":"p","parent_ids":["q"]}') == '{"id":"g","parent_ids":["q"]}'
    assert tidied('{"id":"g","parent_id":"p"}', known=("id",)) == '{"id":"g"}'
    assert tidied('{"id":"g","parent_id":"p"}', Kind.ITEMS) == '{"id":"g"}'


def test_unknown_fields_are_dropped_and_named() -> None:
    """The first of them, and the beginning of long names; an entry without any stays as it was sent."""
    file = JsonFile(Kind.ITEMS, ["id"])
    for entry in (b'{ "id": 1.50 }', b"7", b"[" * 5000, b'{"id"'):
        assert bytes(file.tidy(Raw(entry))) == entry
    assert file.unknown == []
    assert bytes(file.tidy(Raw(b'{"x":1,"id": 1.50,"%s":2}' % (b"y" * 200)))) == b'{"id":1.50}'
    assert sorted(file.unknown) == [("x", ""), ("y" * 100, "")]
    for number in range(50):
        assert bytes(file.tidy(Raw(b'{"id":1,"u%d":2}' % number))) == b'{"id":1}'
    assert len(file.unknown) == MAX_UNKNOWN


def test_the_groups_that_items_name_are_noted() -> None:
    """Not those of item groups, which have none."""
    body = b'{"id":"a","data":{"group_ids":["g","h"]}}\n{"id":"b","data":{"group_ids":["h"]}}\n7\n{"id":"c"}'
    for kind, noted in ((Kind.ITEMS, {"g", "h"}), (Kind.VARIATIONS, {"g", "h"}), (Kind.ITEM_GROUPS, set[str]())):
        file = JsonFile(kind, ["id"])
        assert len(list(file.rows([body]))) == 4
        assert file.group_ids == noted
