"""Succession: a process ends once a younger one serves in its place."""

from __future__ import annotations

import struct
from mmap import mmap

_AGE = struct.Struct("q")
#: Where the ages stand in the memory that the processes share: of the youngest that was started, and of the youngest
#: that serves.
_STARTED, _SERVING = 0, _AGE.size
BYTES = 2 * _AGE.size


class Succession:
    """Ages of gunicorn's processes, as all of them and their parent see them; each process has a higher one."""

    def __init__(self, shared: mmap, age: int) -> None:
        self._shared, self._age = shared, age

    def started(self) -> None:
        """Note that this process is about to be started; called by its parent."""
        _AGE.pack_into(self._shared, _STARTED, self._age)

    def serving(self) -> None:
        """Note that this process serves."""
        _AGE.pack_into(self._shared, _SERVING, max(self._age, *_AGE.unpack_from(self._shared, _SERVING)))

    @property
    def is_coming(self) -> bool:
        """Whether a younger process was started, and none serves yet."""
        [started], [serving] = (_AGE.unpack_from(self._shared, place) for place in (_STARTED, _SERVING))
        return bool(started > self._age >= serving)
