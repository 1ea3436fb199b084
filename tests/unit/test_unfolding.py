"""A sequence that is made while it is used."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.unfolding import Unfolding


def unfolding(made: list[int], members: int = 3) -> Unfolding[int]:
    """A few numbers, each written down when it is made."""

    def make() -> Iterator[int]:
        for number in range(members):
            made.append(number)
            yield number

    return Unfolding(make())


def test_members_are_made_when_they_are_come_to_and_once() -> None:
    made: list[int] = []
    sequence = unfolding(made)
    assert made == []
    seen = iter(sequence)
    assert (next(seen), made) == (0, [0])
    assert (list(sequence), made) == ([0, 1, 2], [0, 1, 2])
    assert (list(seen), list(sequence), made) == ([1, 2], [0, 1, 2], [0, 1, 2])


def test_a_place_makes_no_more_than_it_takes() -> None:
    made: list[int] = []
    sequence = unfolding(made)
    assert (sequence[1], made) == (1, [0, 1])
    assert (sequence[-1], sequence[:2], len(sequence), list(reversed(sequence))) == (2, [0, 1], 3, [2, 1, 0])
    with pytest.raises(IndexError):
        sequence[3]


def test_it_ends_where_making_a_member_raises() -> None:
    def make() -> Iterator[int]:
        yield 1
        raise RuntimeError

    sequence = Unfolding(make())
    with pytest.raises(RuntimeError):
        list(sequence)
    assert list(sequence) == [1]
