"""Which tasks touched an entry.

Every task leaves one line in the history of its catalog: its id, the task that it re-runs, and 4 bytes for the id of
each entry, in the order of the batch; one of catalogue files leaves a line for each chunk, as it is applied.  An
entry's history is found by going through all lines, newest first: 100,000 of them take some 50 ms, so nothing is
written per entry.  What the batch does not name, as variations that go with their item, has a line of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from shared import scripts
from shared.codec import digest_ids
from shared.keys import CatalogKeys
from shared.store import Store

#: Lines read in one round trip; they keep the store busy for a millisecond or two.
PAGE = 10_000
#: Tasks that a history names at most.
MOST = 200

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
        self._key = CatalogKeys(catalog_key).history

    def find(self, entry_id: str, *, most: int = MOST) -> list[Touch]:
        """List the tasks that touched an entry of this id, of whatever kind and section, newest first.

        In a batch that names it several times the last one counts.  Reaches back as far as tasks are kept, or
        ``SLUICE_HISTORY_BYTES``.  Raises StoreUnavailable.
        """
        needle = digest_ids([entry_id])
        found: dict[int, Touch] = {}
        reruns: dict[int, list[int]] = {}
        for line in self._lines():
            task_id, of, first = _HEAD.unpack_from(line)
            if of not in (0, _ALSO):
                reruns.setdefault(of, []).append(task_id)
            elif (index := _find(line, needle)) is not None:
                touch = Touch(task_id, None if of == _ALSO else first + index)
                for each in _with_reruns(touch, reruns):
                    found.setdefault(each.task_id, each)
                if len(found) >= most:
                    break
        return sorted(found.values(), key=lambda touch: -touch.task_id)[:most]

    def _lines(self) -> Iterator[bytes]:
        """Read all lines, newest first; one that comes in meanwhile makes others come twice, which does no harm."""
        read = 0
        while True:
            [page] = scripts.run(self._client, ("LRANGE", self._key, -read - PAGE, -read - 1))
            yield from reversed(page)
            if len(page) < PAGE:
                return
            read += PAGE


def _find(line: bytes, needle: bytes) -> int | None:
    """Find the last digest in a line that is the needle."""
    end = len(line)
    while (at := line.rfind(needle, _HEAD.size, end)) >= 0:
        if at % _DIGEST_BYTES == 0:
            return (at - _HEAD.size) // _DIGEST_BYTES
        end = at + _DIGEST_BYTES - 1
    return None


def _with_reruns(touch: Touch, reruns: dict[int, list[int]]) -> Iterator[Touch]:
    """Yield a touch, and those of the tasks that ran its task again."""
    yield touch
    for task_id in reruns.get(touch.task_id, ()):
        yield from _with_reruns(Touch(task_id, touch.index), reruns)
