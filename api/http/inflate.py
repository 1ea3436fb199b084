"""Inflate compressed bytes as they arrive, for bodies, files and archives, over HTTP and FTPS.

The stream must end exactly where a gzip member or a zstd frame ends, with a correct checksum; only more of them, or
zeros, may follow.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

import zstandard

from shared.errors import SluiceError

#: Input bytes per step, which bounds the memory of a decompression bomb: as gzip they inflate to at most 4 MB; a zstd
#: block, at least 4 bytes, inflates to at most 128 KiB.
_GZIP_STEP, _ZSTD_STEP = 4096, 1024
#: Limit of members: a free number, plus one for each number of bytes.
_FREE_MEMBERS, _BYTES_A_MEMBER = 1000, 512
_GZIP_WINDOW = zlib.MAX_WBITS | 16
_ZSTD_WINDOW_BYTES = 1 << 27
#: Largest ratio for files: very similar rows shrink to a fiftieth, a bomb's to a thousandth.
MAX_RATIO = 200
_FREE_BYTES = 1024 * 1024


class Compression(StrEnum):
    """A compression format."""

    GZIP = "gzip"
    ZSTD = "zstd"


class NotInflatable(SluiceError):
    """The bytes are not in the format, or are truncated or corrupted."""


class InflatesTooFar(NotInflatable):
    """The bytes inflate to far more than any legitimate file."""


def _inflater(compression: Compression) -> Any:
    """Create a decompressor for one gzip member or zstd frame; not to be shared between threads."""
    if compression is Compression.GZIP:
        return zlib.decompressobj(wbits=_GZIP_WINDOW)
    return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).decompressobj()


class _Measure:
    """Limits the inflated size and the number of members."""

    def __init__(self, max_ratio: int | None) -> None:
        self._max_ratio = max_ratio
        self._members = self._taken = self._given = 0

    def begin(self) -> None:
        """Count one more member; even an empty one costs time."""
        self._members += 1
        if self._members > _FREE_MEMBERS + self._taken // _BYTES_A_MEMBER:
            raise NotInflatable

    def count(self, taken: int, given: int) -> None:
        self._taken += taken
        self._given += given
        if self._max_ratio is not None and self._given > _FREE_BYTES + self._max_ratio * self._taken:
            raise InflatesTooFar


def inflate(pieces: Iterable[bytes], compression: Compression, *, max_ratio: int | None = MAX_RATIO) -> Iterator[bytes]:
    """Inflate pieces one by one; consecutive gzip members or zstd frames are joined.

    Raises NotInflatable, possibly only at the end: do not rely on the output before.
    """
    size = _GZIP_STEP if compression is Compression.GZIP else _ZSTD_STEP
    inflater, measure = _inflater(compression), _Measure(max_ratio)
    for piece in pieces:
        at = 0
        while at < len(piece):
            if inflater is None:
                # Padding may follow the last member.
                at = len(piece) - len(piece[at:].lstrip(b"\0"))
                if at == len(piece):
                    break
                measure.begin()
                inflater = _inflater(compression)
            step = piece[at : at + size]
            try:
                inflated = inflater.decompress(step)
            except (zlib.error, zstandard.ZstdError):
                raise NotInflatable from None
            used = len(step) - len(inflater.unused_data)
            at += used
            measure.count(used, len(inflated))
            if inflated:
                yield inflated
            inflater = None if inflater.eof else inflater
    if inflater is not None:
        raise NotInflatable
