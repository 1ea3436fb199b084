"""Positions in the change feed of a catalog: a task, and the run of the server that told of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from zlib import crc32

from shared import keys
from shared.store import id_writes, scripts
from shared.store.client import Store

#: Hex digits by which a position tells its catalog and the run of the server.
MARK_DIGITS = 8

#: More than the pieces of any task.
WHOLE = 10**9

_WRITTEN = re.compile(rf"([0-9]{{1,10}})(?:(?:\.([0-9]{{1,9}}))?-([0-9a-f]{{{MARK_DIGITS}}}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Position:
    """Behind a task, or inside it, as seen in a run of the server."""

    task_id: int
    #: Digest of the catalog and the run; '' if only the task is known.
    mark: str = ""
    #: Of a task that takes several pages: how many pieces of it were read; 0: all of it.
    pieces: int = 0

    @classmethod
    def read(cls, text: str) -> Position:
        """Read a position.  Raises ValueError."""
        found = _WRITTEN.fullmatch(text)
        if not found:
            raise ValueError(text)
        return cls(int(found[1]), found[3] or "", int(found[2] or 0))

    @property
    def is_inside(self) -> bool:
        """Whether a part of the task is still to be read."""
        return self.pieces > 0

    def is_before(self, other: Position) -> bool:
        """Whether another, seen in the same run, is further."""
        return self.mark == other.mark and (self.task_id, self.pieces or WHOLE) < (other.task_id, other.pieces or WHOLE)

    def is_of(self, catalog_key: str, run_id: bytes) -> bool:
        """Return whether the feed of a catalog told it in a run of the server, or may have: a bare task has no mark."""
        # Those of earlier versions have the beginning of the run's id.
        return self.mark in ("", _mark(catalog_key, run_id), run_id[:MARK_DIGITS].decode())

    def __str__(self) -> str:
        inside = f".{self.pieces}" if self.pieces else ""
        return f"{self.task_id}{inside}-{self.mark}" if self.mark else str(self.task_id)


def position_in(store: Store, catalog_key: str, task_id: int, run_id: bytes) -> Position:
    """Create a position in a current run, and record the run in the store."""
    id_writes.note_run(store, run_id.decode())
    return Position(task_id, _mark(catalog_key, run_id))


def is_known(store: Store, catalog_key: str, position: Position) -> bool:
    """Return whether this catalog told a position in a run that this store, or one whose data it has, had."""
    [runs] = scripts.run(store, ("HKEYS", keys.STORE_RUNS))
    return any(position.is_of(catalog_key, run) for run in runs)


def _mark(catalog_key: str, run_id: bytes) -> str:
    return f"{crc32(catalog_key.encode() + b' ' + run_id):08x}"
