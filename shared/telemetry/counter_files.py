"""Counter files, in which the processes of a service count, so that any of them can report the sum.

There are as many files as processes ever ran at once: a process continues the file of one that has ended, so that sums
never fall.  Counting never ends a process: each file reserves its disk space at the start, and if there is none, its
process counts in memory alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import mmap
import os
import struct
from pathlib import Path

import structlog
from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

log = structlog.get_logger()

#: Bytes of a file; the counters take a third of them.
FILE_BYTES = 64 * 1024
#: Header of an empty file: its used length, then padding up to the first series.
_EMPTY = struct.pack("ii", 8, 0)


class Slots:
    """Slots for processes: each process has the lowest number that no other living process of the folder has."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        #: None: this process has none yet.
        self._number: int | None = None
        self._held: int | None = None
        os.register_at_fork(after_in_child=self._forget)

    def mine(self) -> int:
        """Return the number of this process; a forked child takes its own."""
        return self._take() if self._number is None else self._number

    def _forget(self) -> None:
        self._number = None

    def _take(self) -> int:
        if self._held is not None:
            os.close(self._held)
        self._held = None
        try:
            self._number, self._held = next(filter(None, map(self._lock, itertools.count())))
        except OSError:
            # No disk space for a lock: use the process id, which is never a slot's number.
            self._number = -os.getpid()
        return self._number

    def _lock(self, number: int) -> tuple[int, int] | None:
        file = os.open(self._folder / f"{number}.slot", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # A record lock: children do not inherit it, and it is released when its process ends.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            os.close(file)
            return None
        return number, file


class CounterFile(MmapedDict):
    """A file with reserved space for all counters; if the disk is full, memory instead."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        try:
            _reserve(Path(filename))
            super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]
        except OSError as problem:
            log.warning("counters of this process are missing in /metrics", action="metrics", error=str(problem))
            self._f = None  # type: ignore[assignment]  # none to close, the class above says
            self._fname = filename
            self._capacity, self._used, self._positions = FILE_BYTES, len(_EMPTY), dict[str, int]()
            self._m = mmap.mmap(-1, FILE_BYTES)


def count_in_files(folder: Path) -> None:
    """Make this process, and those it forks, count in files of a folder.  Call it before creating a metric."""
    values.MmapedDict = CounterFile  # type: ignore[attr-defined]  # imported there for this
    values.ValueClass = values.MultiProcessValue(Slots(folder).mine)  # type: ignore[no-untyped-call]


def _reserve(file: Path) -> None:
    """Create a file with all its disk space reserved: writing a mapped page without space kills the process."""
    if file.exists():
        return
    half = file.with_name(f"{file.name}.{os.getpid()}.new")
    try:
        half.write_bytes(_EMPTY + bytes(FILE_BYTES - len(_EMPTY)))
        half.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            half.unlink()
        raise
