"""A sequence that is made while it is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar, overload

T_co = TypeVar("T_co", covariant=True)


class Unfolding(Sequence[T_co]):
    """Members that are made when they are come to, one by one, and are there from then on for whoever begins anew.

    To ask for its length, or for a slice, makes all of them.  If making one raises, that is the end of it.
    """

    def __init__(self, members: Iterable[T_co]) -> None:
        self._made: list[T_co] = []
        self._rest = iter(members)

    def __iter__(self) -> Iterator[T_co]:
        number = 0
        while number < len(self._made) or self._make_one():
            yield self._made[number]
            number += 1

    def __len__(self) -> int:
        while self._make_one():
            pass
        return len(self._made)

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> list[T_co]: ...
    def __getitem__(self, index: int | slice) -> T_co | list[T_co]:
        if isinstance(index, slice) or index < 0:
            len(self)
        if isinstance(index, int):
            self.has(index)
        return self._made[index]

    def has(self, index: int) -> bool:
        """Tell whether there are so many and one more, and make that."""
        while index >= len(self._made) and self._make_one():
            pass
        return index < len(self._made)

    def _make_one(self) -> bool:
        for member in self._rest:
            self._made.append(member)
            return True
        return False
