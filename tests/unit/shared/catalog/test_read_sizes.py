"""Long entries are read a few at a time, and short ones by the thousand."""

from __future__ import annotations

from shared.catalog.read_sizes import FIRST, MOST, REPLY_BYTES, LongRead, ReadSizes

GIANT = b"x" * 200_000


def replies(sizes: ReadSizes, values: list[bytes | None]) -> list[int]:
    """Read entries; returns how many were in each reply."""
    found: dict[str, bytes | None] = {}
    stored = {str(number): value for number, value in enumerate(values)}
    read = LongRead("key", list(stored), lambda ids, some: found.update(zip(ids, some, strict=True)))
    counts = []
    while read.ids:
        _, key, *ids = read.next(sizes)
        assert key == "key"
        read.take(sizes, [stored[str(id_)] for id_ in ids])
        counts.append(len(ids))
    assert found == stored
    return counts


def test_short_entries_are_soon_read_all_at_once() -> None:
    sizes = ReadSizes()
    assert replies(sizes, [b"short"] * MOST) == [FIRST, MOST - FIRST]
    assert replies(sizes, [b"short"] * MOST) == [MOST]


def test_no_reply_with_long_entries_takes_much_more_than_it_may() -> None:
    """Also the first, which is short because nothing is known yet."""
    sizes = ReadSizes()
    first, *others = replies(sizes, [GIANT] * 300)
    assert first == FIRST
    for counts in (others, replies(sizes, [GIANT] * 300)):
        assert max(counts) * len(GIANT) <= REPLY_BYTES


def test_entries_that_are_not_there_say_nothing_of_those_that_are() -> None:
    """Not even where many thousands were created before."""
    sizes = ReadSizes()
    for _ in range(10):
        assert replies(sizes, [None] * MOST) == [FIRST, MOST - FIRST]
    assert replies(sizes, [GIANT] * 300)[0] == FIRST


def test_what_was_sent_tells_how_long_it_is() -> None:
    """A few short ones since do not make that forgotten."""
    sizes = ReadSizes()
    sizes.learn("key", len(GIANT))
    replies(sizes, [b"short"] * 20)
    assert replies(sizes, [GIANT] * 300)[0] * len(GIANT) <= 2 * REPLY_BYTES
