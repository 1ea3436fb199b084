"""Ids that come again in a later chunk of a file."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api.entries.repeated_ids import RepeatedIds

IDS = st.one_of(st.just(""), st.integers(0, 30).map(str))


@given(st.lists(st.lists(IDS, min_size=1, max_size=20), max_size=20))
def test_all_ids_that_come_again_in_a_later_chunk_are_found_and_no_others(chunks: list[list[str]]) -> None:
    """An empty id is that of a row that is left out, and none."""
    repeated = RepeatedIds()
    for ids in chunks:
        repeated.add(ids)
    expected = {}
    for number, ids in enumerate(chunks):
        later = {entry_id for chunk in chunks[number + 1 :] for entry_id in chunk if entry_id}
        if places := [place for place, entry_id in enumerate(ids) if entry_id in later]:
            expected[number] = places
    assert dict(repeated.superseded()) == expected
