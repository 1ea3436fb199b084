"""The body of a request as a stream, inflated as it is read."""

from __future__ import annotations

import gzip
import sys
from typing import BinaryIO, Protocol, cast

import zstandard
from flask import request

from api.bodies import CUT_SHORT
from api.errors import Invalid, UnsupportedMediaType


class Stream(Protocol):
    """What a body is read from."""

    def read(self, size: int, /) -> bytes:
        """Read so many bytes, fewer only at the end."""


class _Body:
    """The body as it arrives."""

    def __init__(self, stream: Stream, length: int | None) -> None:
        self._stream = stream
        self._missing = length or 0

    def read(self, size: int, /) -> bytes:
        """Read on.  Raises Invalid if the connection broke."""
        try:
            piece = self._stream.read(size)
        # The server's own errors, whatever they are called.
        except Exception:
            raise Invalid(CUT_SHORT) from None
        self._missing -= len(piece)
        if not piece and self._missing > 0:
            raise Invalid(CUT_SHORT)
        return piece


class _Inflated:
    """A body that was compressed."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        """Read on.  Raises Invalid if it is not what it says it is."""
        try:
            return self._stream.read(size)
        except (OSError, EOFError, zstandard.ZstdError, ValueError):
            raise Invalid(CUT_SHORT) from None


def open_body() -> Stream:
    """Open the body of the present request, of any length; nothing of it is kept.  Raises UnsupportedMediaType."""
    request.max_content_length = sys.maxsize
    body = _Body(cast(Stream, request.stream), request.content_length)
    match request.headers.get("Content-Encoding", "identity").strip().lower():
        case "identity" | "":
            return body
        case "gzip" | "x-gzip":
            return _Inflated(gzip.GzipFile(fileobj=cast(BinaryIO, body)))
        case "zstd":
            reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(cast(BinaryIO, body))
            return _Inflated(cast(Stream, reader))
        case other:
            raise UnsupportedMediaType(f"Content-Encoding {other!r} is not read here; send gzip, zstd or none.")
