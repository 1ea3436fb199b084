"""Format answers as HTTP/1.1."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

from gunicorn.util import http_date


class HttpAnswer:
    """One answer of the application: its head, then its pieces, chunked if it has no length."""

    def __init__(self, *, is_head: bool, version: int, keep: bool) -> None:
        self.keep = keep
        #: More pieces may come.
        self.pending = True
        self._version, self._silent, self._chunked = version, is_head, False
        self._head = ""
        self._body: Iterable[bytes] = ()
        self._pieces: Iterator[bytes] = iter(())

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        """Take status and headers: the ``start_response`` of WSGI."""
        lines, has_length = [f"HTTP/1.1 {status}\r\n"], False
        for name, value in headers:
            has_length = has_length or name.lower() == "content-length"
            lines.append(f"{name}: {value}\r\n")
        self._silent = self._silent or status[:3] in ("204", "304")
        self._chunked = not has_length and not self._silent and bool(self._version)
        if self._chunked:
            lines.append("Transfer-Encoding: chunked\r\n")
        elif not has_length and not self._silent:
            self.keep = False  # the end of the connection marks the end of the answer
        self._head = "".join(lines)

    def begin(self, body: Iterable[bytes], now: float) -> bytes:
        """Take the body and return the head.  ``now`` is the time of day in seconds."""
        self._body, self._pieces = body, iter(body)
        connection = "keep-alive" if self.keep else "close"
        return f"{self._head}Date: {_date(int(now))}\r\nConnection: {connection}\r\n\r\n".encode("latin-1")

    def take(self) -> list[bytes]:
        """Return the next piece, ready to be sent."""
        data = next(self._pieces, None)
        if data is None:
            self.close()
            return [b"0\r\n\r\n"] if self._chunked else []
        if not data or self._silent:
            return []
        return [b"%x\r\n" % len(data), data, b"\r\n"] if self._chunked else [data]

    def close(self) -> None:
        """Close the application's body, as WSGI requires."""
        body, self._body, self.pending = self._body, (), False
        if hasattr(body, "close"):
            body.close()


def refusal(status: int, message: str, *more: str) -> bytes:
    """Format an error for a request that never reaches the application, as JSON like all others."""
    body = json.dumps({"message": message}).encode()
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *more,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


_dates: dict[int, str] = {}


def _date(second: int) -> str:
    text = _dates.get(second)
    if text is None:
        _dates.clear()
        text = _dates[second] = http_date(second)
    return text
