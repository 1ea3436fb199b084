"""The body of a request as plain bytes: inflated, within its limits."""

from __future__ import annotations

import zlib

import zstandard
from flask import request

from api.errors import Invalid, Problem, TooLarge, UnsupportedMediaType
from api.services import services
from shared.model import Form

CUT_SHORT = Problem("body", "it was cut short or garbled on the way")

JSON = "application/json"
_JSON_TYPES = frozenset({"", JSON, "text/json"})
_NDJSON_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})


def read_json_body() -> bytes:
    """Read the body of a request that sends JSON.

    Raises UnsupportedMediaType for another type or an encoding we do not know, TooLarge past
    ``SLUICE_MAX_BODY_BYTES`` as it arrives or ``SLUICE_MAX_INFLATED_BYTES`` inflated, Invalid if it is cut short.
    """
    if not _is_json():
        raise UnsupportedMediaType(f"Content-Type {request.mimetype!r} is not read here; send application/json.")
    return _read_inflated()


def read_entries_body() -> tuple[bytes, Form]:
    """Read the body of a request that sends entries, and tell by its type in which form; raises as the other one."""
    if request.environ.get("CONTENT_TYPE") == JSON:  # as nearly everybody says it
        return _read_inflated(), Form.JSON
    if request.mimetype in _NDJSON_TYPES:
        return _read_inflated(), Form.NDJSON
    if not _is_json():
        types = "application/json or application/x-ndjson"
        raise UnsupportedMediaType(f"Content-Type {request.mimetype!r} is not read here; send {types}.")
    return _read_inflated(), Form.JSON


def _is_json() -> bool:
    return request.mimetype in _JSON_TYPES or request.mimetype.endswith("+json")


def _read_inflated() -> bytes:
    settings = services().settings
    body, limit = _read(settings.max_body_bytes), settings.max_inflated_bytes
    match request.environ.get("HTTP_CONTENT_ENCODING", "").strip().lower():
        case "identity" | "":
            return body
        case "gzip" | "x-gzip":
            return _inflate_gzip(body, limit)
        case "zstd":
            return _inflate_zstd(body, limit)
        case other:
            raise UnsupportedMediaType(f"Content-Encoding {other!r} is not read here; send gzip, zstd or none.")


def _read(limit: int) -> bytes:
    environ, length = request.environ, request.content_length
    if length is not None and length > limit:
        raise _too_large(limit)
    # One of unknown length has an end that the server knows, or is none.
    most = (limit + 1 if environ.get("wsgi.input_terminated") else 0) if length is None else length
    try:
        # In one go: in steps, as Flask reads, the server copies all that has arrived at each of them.
        body: bytes = environ["wsgi.input"].read(most)
    # The server's own errors, whatever they are called: the connection broke, or its chunks make no sense.
    except Exception:
        raise Invalid(CUT_SHORT) from None
    if len(body) > limit:
        raise _too_large(limit)
    if len(body) < (length or 0):
        raise Invalid(CUT_SHORT)
    return body


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is too large: at most {limit} bytes are read.")


def _inflate_gzip(body: bytes, limit: int) -> bytes:
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        inflated = inflater.decompress(body, limit + 1)
    except zlib.error:
        raise _broken("gzip") from None
    if len(inflated) > limit:
        raise _too_long(limit)
    if not inflater.eof or inflater.unused_data:
        raise _broken("gzip")
    return inflated


def _inflate_zstd(body: bytes, limit: int) -> bytes:
    # One for each call: they must not be shared between threads.
    inflater = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
    pieces, length = [], 0
    try:
        # A zstd block holds 128 KiB at most, so small steps of input are small steps of output.
        for start in range(0, len(body), _ZSTD_STEP):
            piece = inflater.decompress(body[start : start + _ZSTD_STEP])
            pieces.append(piece)
            length += len(piece)
            if length > limit:
                raise _too_long(limit)
    except zstandard.ZstdError:
        raise _broken("zstd") from None
    if not inflater.eof or inflater.unused_data:
        raise _broken("zstd")
    return b"".join(pieces)


#: Input taken at a time.  The smallest block, 4 bytes, may inflate to 128 KiB, so this bounds what a bomb can reach.
_ZSTD_STEP = 1024


def _broken(encoding: str) -> Invalid:
    return Invalid(Problem("body", f"value is not valid {encoding}"))


def _too_long(limit: int) -> TooLarge:
    return TooLarge(f"The body is too large: at most {limit} bytes are read once it is inflated.")
