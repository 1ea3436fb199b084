"""Find the rows of a file whose id is repeated later, in 16 bytes of memory per row."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence

#: Number of stacks, each compared as a whole, and the upper bound of each.
_STACKS = 64
_ENDS = [(number + 1) * 2**64 // _STACKS - 2**63 for number in range(_STACKS)]


class RepeatedIds:
    """The ids of one file as hashes: 64 bits of a keyed hash, so that no two ids are confused."""

    def __init__(self) -> None:
        self._hashes = array("q")
        #: The hashes by size: equal ones are in the same stack.  A set of all would take 100 bytes each.
        self._stacks = [array("q") for _ in _ENDS]
        #: The start of each chunk.
        self._starts: list[int] = []

    def add(self, ids: Sequence[str]) -> None:
        """Add the ids of the next chunk; empty ones are ignored."""
        self._starts.append(len(self._hashes))
        hashes = list(map(hash, ids))
        self._hashes.fromlist(hashes)
        hashes.sort()
        start = 0
        for stack, end in zip(self._stacks, _ENDS, strict=True):
            past = bisect_left(hashes, end, start)
            stack.fromlist(hashes[start:past])
            start = past

    def superseded(self) -> Iterator[tuple[int, list[int]]]:
        """List the chunks with ids that a later chunk repeats, last chunk first, with the places of those ids."""
        repeated, later = self._repeated(), set[int]()
        if not repeated:
            return
        end = len(self._hashes)
        for chunk in reversed(range(len(self._starts))):
            hashes = self._hashes[self._starts[chunk] : end]
            end = self._starts[chunk]
            if here := repeated.intersection(hashes):
                if not later.isdisjoint(here):
                    yield chunk, [place for place, one in enumerate(hashes) if one in later]
                later |= here

    def _repeated(self) -> set[int]:
        """List the hashes that occur more than once."""
        repeated = set[int]()
        for stack in self._stacks:
            once = set(stack)
            if len(once) < len(stack):
                for one in stack:
                    if one in once:
                        once.remove(one)
                    else:
                        repeated.add(one)
        return repeated - {hash("")}
