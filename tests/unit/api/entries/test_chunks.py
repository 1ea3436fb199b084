"""A text is cut between entries, and every chunk has as many of them as it may."""

from __future__ import annotations

import json
from array import array
from unittest.mock import patch

from hypothesis import example, given
from hypothesis import strategies as st

from api.entries import chunks
from api.entries.chunks import build_body, cut_into_chunks, find_superseded
from shared.model import Chunk, Skipped

#: Small ones, so that few entries make many chunks.
ENTRIES, BYTES = 4, 60

#: Of each entry: its id, which is empty if it is left out; its length; the blanks behind it; what it counts for.
_ENTRY = st.tuples(st.sampled_from(["", "a", "b", "c", "d"]), st.integers(2, 70), st.integers(0, 3), st.integers(1, 5))


def cut(
    drawn: list[tuple[str, int, int, int]], *, weighed: bool, linked: bool
) -> tuple[bytes, list[bytes], list[Chunk]]:
    """Write a text of such entries and cut it."""
    text, bounds, entries = b'{"items":[ ', array("I"), list[bytes]()
    for number, (_, length, blanks, _) in enumerate(drawn):
        entries.append(b"%0*d" % (length, number))
        bounds.extend((len(text), len(text) + length))
        text += entries[-1] + b" " * blanks + b","
    text += b"]}"
    ids = [entry_id for entry_id, *_ in drawn]
    parents: list[str | None] | None = [f"of {number}" for number in range(len(ids))] if linked else None
    skipped = [Skipped(number, None, f"no {number}") for number, entry_id in enumerate(ids) if not entry_id]
    weights = [weight for *_, weight in drawn] if weighed else None
    with patch.multiple(chunks, CHUNK_ENTRIES=ENTRIES, CHUNK_BYTES=BYTES):
        return text, entries, cut_into_chunks(text, bounds, ids, parents, skipped, weights=weights)


@given(st.lists(_ENTRY, max_size=25), st.booleans(), st.booleans())
@example([("a", 2, 0, 1)] * 4, False, True)
@example([("a", 2, 0, 1)] * 5, True, True)
@example([("a", 20, 0, 1), ("b", 25, 0, 1)], False, True)
@example([("a", 20, 0, 1), ("b", 26, 0, 1)], False, True)
@example([("a", 2, 0, 2), ("", 2, 0, 2), ("a", 2, 0, 1)], True, False)
def test_chunks_are_the_whole_text_and_none_takes_more_than_it_may(
    drawn: list[tuple[str, int, int, int]], weighed: bool, linked: bool
) -> None:
    """Unless one entry alone is too long or counts for too much; and none takes fewer than it could."""
    text, entries, cuts = cut(drawn, weighed=weighed, linked=linked)
    assert b"".join(one.text for one in cuts) == text
    assert [entry for one in cuts for entry in one.entries()] == entries
    assert [entry_id for one in cuts for entry_id in one.ids] == [entry_id for entry_id, *_ in drawn]
    if linked:
        assert [parent for one in cuts for parent in one.parents or ()] == [f"of {i}" for i in range(len(drawn))]
    else:
        assert {one.parents is None for one in cuts} == {True}
    assert [one.first for one in cuts] == [sum(map(len, cuts[:i])) for i in range(len(cuts))]

    def fits(first: int, stop: int, length: int) -> bool:
        counted = sum(weight if weighed else 1 for *_, weight in drawn[first:stop])
        return counted <= ENTRIES and length <= BYTES

    for one, after in zip(cuts, [*cuts[1:], None], strict=True):
        stop = one.first + len(one)
        assert len(one) <= 1 or fits(one.first, stop, len(one.text))
        if after is not None:
            more = after.bounds[2] if len(after) > 1 else len(after.text)
            assert len(one) >= 1
            assert not fits(one.first, stop + 1, len(one.text) + more), "it could have had one more"


@given(st.lists(_ENTRY, max_size=25))
def test_each_chunk_knows_which_of_its_entries_do_not_count(drawn: list[tuple[str, int, int, int]]) -> None:
    """Those that a later one of the whole replaces, and those that are left out, which have no id."""
    ids = [entry_id for entry_id, *_ in drawn]
    replaced = [i for i, entry_id in enumerate(ids) if entry_id and entry_id in ids[i + 1 :]]
    _, _, cuts = cut(drawn, weighed=False, linked=False)
    assert find_superseded(ids) == replaced
    assert [one.first + i for one in cuts for i in one.superseded] == replaced
    assert [(one.first + left.at, left.message) for one in cuts for left in one.skipped] == [
        (i, f"no {i}") for i, entry_id in enumerate(ids) if not entry_id
    ]


def test_a_body_that_is_built_is_one_that_could_have_been_sent() -> None:
    for entries in ([], [b'{"id": "a"}'], [b'{"id":"a"}', b'{"id": "b"}', b"{}"]):
        text, bounds = build_body("items", entries)
        assert json.loads(text) == {"items": list(map(json.loads, entries))}
        assert [text[start:end] for start, end in zip(bounds[::2], bounds[1::2], strict=True)] == entries
