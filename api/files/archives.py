"""Unpack a ``tar.gz`` archive of catalogue files as it arrives, never to disk."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from api.errors import Invalid, Problem
from api.http.inflate import Compression, InflatesTooFar, NotInflatable, inflate

#: Bytes unpacked at a time.
PIECE_BYTES = 65_536
#: Most members of an archive: three files, and what operating systems add.
_MAX_MEMBERS = 100
#: Most bytes between two files: headers, and the padding of the last block.
_MAX_HEADER_BYTES = 200_000

_BROKEN = "not a tar.gz archive, or truncated or corrupted in transit"
_BOMB = "inflates to far more than catalogue files do"


class BrokenArchive(Invalid):
    """The archive cannot be unpacked."""

    def __init__(self, reason: str, where: str = "archive") -> None:
        super().__init__(Problem(where, reason))


class Member(NamedTuple):
    """One file of an archive; read its pieces before moving to the next file."""

    path: PurePosixPath
    pieces: Iterator[bytes]


def gunzip(pieces: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Inflate a single file.  Raises BrokenArchive, possibly only at its end."""
    try:
        yield from inflate(pieces, Compression.GZIP)
    except InflatesTooFar:
        raise BrokenArchive(_BOMB, name) from None
    except NotInflatable:
        raise BrokenArchive("not a gzip file, or truncated or corrupted in transit", name) from None


class _Blocks:
    """The blocks of a tar file, inflated as they are read, within bounds."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = inflate(pieces, Compression.GZIP)
        self._ready, self._at = b"", 0
        #: The bytes of the last read.
        self.last = b""
        #: Bytes that may still be read; None: no limit.
        self.allowance: int | None = _MAX_HEADER_BYTES

    def read(self, size: int) -> bytes:
        """Read ``size`` bytes, fewer only at the end.  Raises BrokenArchive."""
        if self.allowance is not None:
            self.allowance -= size
            if self.allowance < 0:
                raise BrokenArchive(_BOMB)
        while len(self._ready) - self._at < size and (more := self.more()):
            self._ready, self._at = self._ready[self._at :] + more, 0
        self.last = self._ready[self._at : self._at + size]
        self._at += size
        return self.last

    def more(self) -> bytes:
        """Inflate the next piece; empty at the end."""
        try:
            return next(self._pieces, b"")
        except InflatesTooFar:
            raise BrokenArchive(_BOMB) from None
        except NotInflatable:
            raise BrokenArchive(_BROKEN) from None

    def finish(self) -> None:
        """Read to the end, which is a block of zeros followed only by more of them.

        Checked here because `tarfile` accepts an archive that was truncated between two files or inside a header.
        """
        if len(self.last) < tarfile.BLOCKSIZE or any(self.last):
            raise BrokenArchive(_BROKEN)
        if any(self._ready[self._at :]) or any(map(any, iter(self.more, b""))):
            raise BrokenArchive("data follows the end of the archive: are these two archives in one?")


def read_archive(pieces: Iterable[bytes]) -> Iterator[Member]:
    """Read an archive file by file, to its end.

    Raises BrokenArchive if it is not a tar.gz, is truncated, inflates too far, or has links or names that point
    outside it.
    """
    blocks = _Blocks(pieces)
    try:
        # tarfile calls only `read` on a stream.
        with tarfile.open(fileobj=blocks, mode="r|", bufsize=tarfile.BLOCKSIZE) as tar:  # type: ignore[call-overload]
            for count, member in enumerate(tar):
                if count == _MAX_MEMBERS:
                    raise BrokenArchive(f"has more than {_MAX_MEMBERS} members")
                path = _path(member)
                if not member.isdir():
                    blocks.allowance = None
                    contents = _contents(tar, member)
                    yield Member(path, contents)
                    for _ in contents:
                        pass
                blocks.allowance = _MAX_HEADER_BYTES
    except (tarfile.TarError, EOFError, UnicodeError, ValueError):
        raise BrokenArchive(_BROKEN) from None
    blocks.finish()


def _path(member: tarfile.TarInfo) -> PurePosixPath:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise BrokenArchive(f"the name {member.name[:200]!r} points outside the archive")
    if not (member.isdir() or member.isreg()) or member.issparse():
        raise BrokenArchive(f"{member.name[:200]!r} is not a regular file")
    return path


def _contents(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    contents = archive.extractfile(member)
    assert contents is not None, "it is a regular file"
    try:
        while piece := contents.read(PIECE_BYTES):
            yield piece
    # Callers see BrokenArchive only: where the pieces come from is not their concern.
    except tarfile.TarError:
        raise BrokenArchive(_BROKEN) from None
