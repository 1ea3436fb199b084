"""The history of entries: find the tasks that touched an entry.

Every task leaves one line in the history of its catalog: its id, the task that it re-runs, and 4 bytes for the id of
each entry, in the order of the batch; one of catalogue files leaves a line for each chunk, as it is applied.  An
entry's history is found by going through all lines, newest first: 100,000 of them take some 50 ms, so nothing is
written per entry.  What the batch does not name, as variations that go with their item, has a line of its own.
"""

from __future__ import annotations

import heapq
import struct
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from shared.codec import digest_ids
from shared.keys import keys_of
from shared.store import scripts
from shared.store.client import Store

#: Lines read in one round trip; they keep the store busy for a millisecond or two.
PAGE = 10_000
#: Lines before a task in which its entries are looked for, many at once.
NEAR = 2_000
#: Tasks that one look names at most.
MOST = 500

#: The task, the one that it re-runs or _ALSO, the index of the first entry.
_HEAD = struct.Struct(">III")
_DIGEST_BYTES = 4
#: In place of a re-run task: entries that the batch does not name.
_ALSO = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Touch:
    """A task that touched an entry, or, since a digest is all that is kept, perhaps another one."""

    task_id: int
    #: Where the entry is in the batch; None where the batch does not name it.
    index: int | None


class History:
    """The history of one catalog's entries."""

    def __init__(self, client: Store, catalog_key: str) -> None:
        self._client = client
        self._key = keys_of(catalog_key).history

    def find(self, entry_id: str, *, before: int | None = None, most: int = MOST) -> list[Touch]:
        """List the tasks that touched an entry of this id, of whatever kind and section, newest first.

        In a batch that names it several times the last one counts.  If there are more than ``most``, those before the
        last one are found from ``before`` it.  Reaches back as far as tasks are kept, or ``SLUICE_HISTORY_BYTES``.
        Raises StoreUnavailable.
        """
        needle = digest_ids([entry_id])
        found: dict[int, int | None] = {}
        reruns: dict[int, list[int]] = {}
        for line in self._lines():
            task_id, of, first = _HEAD.unpack_from(line)
            if of not in (0, _ALSO):
                reruns.setdefault(of, []).append(task_id)
            elif (index := _find(line, needle)) is not None:
                for each in _with_reruns(task_id, reruns):
                    # A re-run is known only once the task is come to that it re-runs: so all lines are looked at.
                    if before is None or each < before:
                        found.setdefault(each, None if of == _ALSO else first + index)
        return [Touch(task_id, found[task_id]) for task_id in heapq.nlargest(most, found)]

    def find_many(self, entry_ids: Collection[str], *, before: int, most: int) -> dict[str, list[Touch]]:
        """List by id the tasks that touched entries before a task, newest first, among the last NEAR lines before it.

        ``most`` of each, or fewer, but never others between two of them: from a re-run on that an earlier version
        noted, nothing is told.  Raises StoreUnavailable.
        """
        digests = {entry_id: digest_ids([entry_id]) for entry_id in entry_ids}
        lines: dict[bytes, dict[int, bytes]] = {digest: {} for digest in digests.values()}
        wanted = {int.from_bytes(digest, sys.byteorder): digest for digest in lines}
        near = 0
        for line in self._lines() if wanted else ():
            task_id, of, _ = _HEAD.unpack_from(line)
            if task_id >= before:
                continue
            near += 1
            if near > NEAR or of not in (0, _ALSO):
                break
            # One look at each digest of the line, however many are wanted.
            for number in wanted.keys() & memoryview(line)[_HEAD.size :].cast("I"):
                lines[wanted[number]].setdefault(task_id, line)
        return {
            entry_id: [
                Touch(task_id, _place(lines[digest][task_id], digest))
                for task_id in heapq.nlargest(most, lines[digest])
            ]
            for entry_id, digest in digests.items()
        }

    def copied(self, task_ids: Collection[int]) -> bytes:
        """Copy what the history has of tasks, for those that run them again: it outlives the first ones.

        A line for each chunk: the task, the index of its first entry, the length of the digests, the digests.
        """
        wanted = {task_id: [task_id] for task_id in task_ids}
        found: list[bytes] = []
        for line in self._lines() if wanted else ():
            task_id, of, first = _HEAD.unpack_from(line)
            digests = line[_HEAD.size :]
            if of == 0:
                found += [_HEAD.pack(each, first, len(digests)) + digests for each in wanted.get(task_id, ())]
            elif of != _ALSO and task_id in wanted:
                # A re-run itself, of which earlier versions noted only that.
                wanted.setdefault(of, []).extend(wanted[task_id])
        return b"".join(found)

    def _lines(self) -> Iterator[bytes]:
        """Read all lines, newest first; one that comes in meanwhile makes others come twice, which does no harm."""
        read = 0
        while True:
            [page] = scripts.run(self._client, ("LRANGE", self._key, -read - PAGE, -read - 1))
            yield from reversed(page)
            if len(page) < PAGE:
                return
            read += PAGE


def _place(line: bytes, digest: bytes) -> int | None:
    """Return the index in the batch of the last entry with a digest; None where the batch does not name it."""
    _, of, first = _HEAD.unpack_from(line)
    index = _find(line, digest)
    return None if of == _ALSO or index is None else first + index


def _find(line: bytes, needle: bytes) -> int | None:
    """Find the last digest in a line that is the needle."""
    end = len(line)
    while (at := line.rfind(needle, _HEAD.size, end)) >= 0:
        if at % _DIGEST_BYTES == 0:
            return (at - _HEAD.size) // _DIGEST_BYTES
        end = at + _DIGEST_BYTES - 1
    return None


def _with_reruns(task_id: int, reruns: dict[int, list[int]]) -> Iterator[int]:
    """Yield a task, and those that ran it again."""
    yield task_id
    for again in reruns.get(task_id, ()):
        yield from _with_reruns(again, reruns)
