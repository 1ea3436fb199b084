"""Catalogue files in one archive, ``tar.gz``, unpacked as it arrives and never onto a disk."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import cast

from api.errors import Invalid, Problem

#: What is unpacked at a time.
PIECE_BYTES = 65_536
#: Members of an archive: three files, and what systems add to them.
_MAX_MEMBERS = 100
#: Bytes between two files: headers, and what is left of the block before.
_MAX_HEADER_BYTES = 200_000
#: How far an archive may be inflated: rows that are much alike shrink to a fiftieth, a bomb's to a thousandth.
_MAX_RATIO = 200
_FREE_BYTES = 1024 * 1024


def _refused(reason: str) -> Invalid:
    return Invalid(Problem("archive", reason))


_BROKEN = "it is no tar.gz, or was cut short or garbled on the way"
_BOMB = "it inflates to far more than catalogue files do"


class _Inflated:
    """A gzip stream, inflated as it is read, within bounds."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        self._rest = b""
        self._ready = b""
        self._taken = self._inflated = 0
        #: Bytes that may still be read; None: any number.
        self.allowance: int | None = None

    def read(self, size: int) -> bytes:
        """Read so many bytes, fewer only at the end.  Raises Invalid."""
        if self.allowance is not None:
            self.allowance -= size
            if self.allowance < 0:
                raise _refused(_BOMB)
        while len(self._ready) < size and (more := self._more()):
            self._ready += more
        taken, self._ready = self._ready[:size], self._ready[size:]
        return taken

    def finish(self) -> None:
        """Read on to the end of the stream, which has to be whole."""
        self.allowance = None
        while self.read(PIECE_BYTES):
            pass

    def _more(self) -> bytes:
        while not self._inflater.eof:
            if not self._rest:
                self._rest = next(self._pieces, b"")
                if not self._rest:
                    raise _refused(_BROKEN)
                self._taken += len(self._rest)
            try:
                more = self._inflater.decompress(self._rest, PIECE_BYTES)
            except zlib.error:
                raise _refused(_BROKEN) from None
            self._rest = self._inflater.unconsumed_tail
            self._inflated += len(more)
            if self._inflated > _FREE_BYTES + _MAX_RATIO * (self._taken - len(self._rest)):
                raise _refused(_BOMB)
            if more:
                return more
        return b""


def read_archive(pieces: Iterable[bytes]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Read file after file of an archive: its name without folders, and its pieces, to be taken before the next.

    Raises Invalid for what is no such archive, is cut short, inflates without measure, or holds links or names that
    lead out of it.
    """
    inflated = _Inflated(pieces)
    inflated.allowance = _MAX_HEADER_BYTES
    try:
        # A stream has to be read, and nothing else is asked of it.
        with tarfile.open(fileobj=cast("tarfile._Fileobj", inflated), mode="r|", bufsize=512) as archive:
            for count, member in enumerate(archive):
                if count == _MAX_MEMBERS:
                    raise _refused(f"it has more than {_MAX_MEMBERS} members")
                if _is_file(member):
                    inflated.allowance = None
                    contents = _contents(archive, member)
                    yield PurePosixPath(member.name).name, contents
                    for _ in contents:
                        pass
                inflated.allowance = _MAX_HEADER_BYTES
    except (tarfile.TarError, EOFError, UnicodeError, ValueError):
        raise _refused(_BROKEN) from None
    inflated.finish()


def _is_file(member: tarfile.TarInfo) -> bool:
    """Tell files from folders, and from what a Mac adds to each file."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        raise _refused(f"the name {member.name[:200]!r} leads out of it")
    if member.isdir():
        return False
    if not member.isreg():
        raise _refused(f"{member.name[:200]!r} is no plain file")
    return not path.name.startswith("._")


def _contents(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    contents = archive.extractfile(member)
    assert contents is not None, "it is a plain file"
    while piece := contents.read(PIECE_BYTES):
        yield piece
