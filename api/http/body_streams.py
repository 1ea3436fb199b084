"""Read the body of a request as a stream, inflated on the fly."""

from __future__ import annotations

import sys
from typing import Protocol, cast

from flask import request

from api.errors import Invalid
from api.http.bodies import CUT_SHORT, sent_compression
from api.http.inflate import Compression, NotInflatable, inflate

#: Bytes read at a time.
PIECE_BYTES = 65_536


class Stream(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """Read up to ``size`` bytes; none only at the end."""


class _Body:
    """The body as received."""

    def __init__(self, stream: Stream, length: int | None) -> None:
        self._stream = stream
        self._missing = length or 0

    def read(self, size: int, /) -> bytes:
        """Read more.  Raises Invalid if the connection broke."""
        try:
            piece = self._stream.read(size)
        # The server's own errors, of any class.
        except Exception:
            raise Invalid(CUT_SHORT) from None
        self._missing -= len(piece)
        if not piece and self._missing > 0:
            raise Invalid(CUT_SHORT)
        return piece


class _InflatedBody:
    """A compressed body, inflated."""

    def __init__(self, body: Stream, compression: Compression) -> None:
        self._pieces = inflate(iter(lambda: body.read(PIECE_BYTES), b""), compression)
        self._ready = b""

    def read(self, size: int, /) -> bytes:
        """Read more.  Raises Invalid if the body is not compressed as declared."""
        try:
            ready = self._ready or next(self._pieces, b"")
        except NotInflatable:
            raise Invalid(CUT_SHORT) from None
        self._ready = ready[size:]
        return ready[:size]


def open_body() -> Stream:
    """Open the body of the current request, of any length, without keeping it.  Raises UnsupportedMediaType."""
    request.max_content_length = sys.maxsize
    body, compression = _Body(cast(Stream, request.stream), request.content_length), sent_compression()
    return body if compression is None else _InflatedBody(body, compression)
