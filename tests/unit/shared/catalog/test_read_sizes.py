"""Long entries are read a few at a time, and short ones by the thousand."""

from __future__ import annotations

from shared.catalog.read_sizes import FIRST, MOST, REPLY_BYTES, LongRead, ReadSizes


def replies(sizes: ReadSizes, values: dict[str, bytes]) -> list[int]:
    """Read entries; returns how many were in each reply."""
    found: dict[str, bytes | None] = {}
    read = LongRead("key", list(values), lambda ids, some: found.update(zip(ids, some, strict=True)))
    counts = []
    while read.ids:
        _, key, *ids = read.next(sizes)
        assert key == "key"
        read.take(sizes, [values[str(id_)] for id_ in ids])
        counts.append(len(ids))
    assert found == values
    return counts


def test_short_entries_are_soon_read_all_at_once() -> None:
    sizes = ReadSizes()
    assert replies(sizes, {str(n): b"short" for n in range(5000)})[0] == FIRST
    assert replies(sizes, {str(n): b"short" for n in range(MOST)}) == [MOST]


def test_no_reply_with_long_entries_takes_much_more_than_it_may() -> None:
    sizes = ReadSizes()
    counts = replies(sizes, {str(n): b"x" * 200_000 for n in range(300)})
    assert max(counts[1:]) * 200_000 <= REPLY_BYTES
    assert max(replies(sizes, {str(n): b"x" * 200_000 for n in range(300)})) * 200_000 <= REPLY_BYTES


def test_entries_that_are_not_there_say_nothing_of_those_that_are() -> None:
    """They make the next reply longer, but by a few times only."""
    sizes = ReadSizes()
    sizes.learn("key", [None] * FIRST)
    assert FIRST < sizes.most("key") < MOST
