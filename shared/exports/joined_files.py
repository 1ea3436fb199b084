"""Several files joined into one seekable file."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any


class JoinedFiles(io.RawIOBase):
    """Several files as one, read-only; at most one is open at a time."""

    def __init__(self, filesystem: Any, paths: Sequence[str], sizes: Sequence[int]) -> None:
        super().__init__()
        self._fs = filesystem
        self._paths = paths
        self._starts = [0, *accumulate(sizes)]
        self._at = 0
        self._open: tuple[int, Any] | None = None

    @property
    def size(self) -> int:
        """Total size in bytes."""
        return self._starts[-1]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, without opening a file."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read at most to the end of one of the files; returns nothing only at the end of all."""
        number = bisect_right(self._starts, self._at) - 1
        if number >= len(self._paths):
            return b""
        left = self._starts[number + 1] - self._at
        file = self._file(number)
        file.seek(self._at - self._starts[number])
        data: bytes = file.read(left if size < 0 else min(size, left))
        if not data:
            raise OSError(f"{self._paths[number]} is shorter than it was")
        self._at += len(data)
        return data

    def _file(self, number: int) -> Any:
        if self._open is None or self._open[0] != number:
            self._close()
            self._open = number, self._fs.open(self._paths[number], "rb")
        return self._open[1]

    def _close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def close(self) -> None:
        self._close()
        super().close()
