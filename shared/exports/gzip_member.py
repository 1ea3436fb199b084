"""Write one gzip member in pieces, by several processes: many programs read only the first member of a file.

Each piece is deflated by itself and ends at a byte boundary, as RFC 1951 allows.  The header precedes the first one;
the checksum and the length of all text, which pass from piece to piece, follow the last one.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

#: Fast, and a few percent larger.
_LEVEL = 1
#: RFC 1952: deflated, no name, no time, fast, of no particular system.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
#: The last block of a deflated text, an empty one.
_END = b"\x03\x00"


class Deflated(NamedTuple):
    """The state of a member between two pieces."""

    crc: int = 0
    bytes: int = 0


class MemberPiece:
    """One piece of a member."""

    def __init__(self, before: Deflated | None) -> None:
        """Continue after ``before``; None begins the member."""
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._data = bytearray(_HEADER if before is None else b"")
        self._crc, self._bytes = before or Deflated()

    def add(self, text: bytes) -> None:
        self._crc = zlib.crc32(text, self._crc)
        self._bytes += len(text)
        self._data += self._packer.compress(text)

    def end(self, *, last: bool) -> tuple[bytes, Deflated]:
        """Return the piece, and the state for the next one."""
        self._data += self._packer.flush(zlib.Z_SYNC_FLUSH)
        if last:
            self._data += _END + struct.pack("<II", self._crc, self._bytes & 0xFFFFFFFF)
        return bytes(self._data), Deflated(self._crc, self._bytes)
