"""Read the body of a request as inflated bytes, within limits."""

from __future__ import annotations

from flask import request

from api.errors import Invalid, Problem, TooLarge, UnsupportedMediaType
from api.http.current import current_request
from api.http.inflate import Compression, NotInflatable, inflate
from api.services import current_services
from shared.model import Form

CUT_SHORT = Problem("body", "truncated or corrupted in transit")
#: Some programs put it before UTF-8; JSON itself has none (RFC 8259).
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

JSON = "application/json"
_JSON_TYPES = frozenset({"", JSON, "text/json"})
_NDJSON_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})


def read_json_body() -> bytes:
    """Read the body of a request that sends JSON.

    Raises UnsupportedMediaType for another type or an encoding we do not know, TooLarge past
    ``SLUICE_MAX_BODY_BYTES`` as it arrives or ``SLUICE_MAX_INFLATED_BYTES`` inflated, Invalid if it is cut short.
    """
    if not _is_json():
        raise UnsupportedMediaType(f"Content-Type {request.mimetype!r} is not supported here; send application/json.")
    return _read_inflated()


def read_entries_body() -> tuple[bytes, Form]:
    """Read the body of a request with entries, and their form by its Content-Type; raises as `read_json_body`."""
    if request.environ.get("CONTENT_TYPE") == JSON:  # the usual spelling
        return _read_inflated(), Form.JSON
    if request.mimetype in _NDJSON_TYPES:
        return _read_inflated(), Form.NDJSON
    if not _is_json():
        types = "application/json or application/x-ndjson"
        raise UnsupportedMediaType(f"Content-Type {request.mimetype!r} is not supported here; send {types}.")
    return _read_inflated(), Form.JSON


def is_readable_type() -> bool:
    """Tell whether the present request says that it sends JSON or NDJSON."""
    return _is_json() or request.mimetype in _NDJSON_TYPES


def _is_json() -> bool:
    return request.mimetype in _JSON_TYPES or request.mimetype.endswith("+json")


def _read_inflated() -> bytes:
    settings = current_services().settings
    body, limit = _read(settings.max_body_bytes), settings.max_inflated_bytes
    compression = sent_compression()
    inflated = body if compression is None else _inflated(body, compression, limit)
    return inflated.removeprefix(_BYTE_ORDER_MARK)


def sent_compression() -> Compression | None:
    """Read the Content-Encoding of the current request.  Raises UnsupportedMediaType."""
    match request.environ.get("HTTP_CONTENT_ENCODING", "").strip().lower():
        case "identity" | "":
            return None
        case "gzip" | "x-gzip":
            return Compression.GZIP
        case "zstd":
            return Compression.ZSTD
        case other:
            raise UnsupportedMediaType(f"Content-Encoding {other!r} is not supported here; send gzip, zstd or none.")


def _read(limit: int) -> bytes:
    request = current_request()
    environ, length = request.environ, request.content_length
    if length is not None and length > limit:
        raise _too_large(limit)
    # Without a length, the server knows the end of the body, or there is none.
    most = (limit + 1 if environ.get("wsgi.input_terminated") else 0) if length is None else length
    try:
        # In one read: with Flask's smaller reads the server copies all that has arrived at each of them.
        body: bytes = environ["wsgi.input"].read(most)
    # The server's own errors, of any class: the connection broke, or its chunks are invalid.
    except Exception:
        raise Invalid(CUT_SHORT) from None
    if len(body) > limit:
        raise _too_large(limit)
    if len(body) < (length or 0):
        raise Invalid(CUT_SHORT)
    return body


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is too large: at most {limit} bytes are accepted.")


def _inflated(body: bytes, compression: Compression, limit: int) -> bytes:
    pieces, length = [], 0
    try:
        for piece in inflate([body], compression, max_ratio=None):
            pieces.append(piece)
            length += len(piece)
            if length > limit:
                raise TooLarge(f"The body is too large: at most {limit} bytes are accepted once inflated.")
    except NotInflatable:
        raise Invalid(Problem("body", f"value is not valid {compression}")) from None
    return b"".join(pieces)
