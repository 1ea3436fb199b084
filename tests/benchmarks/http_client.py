"""A client that costs the machine next to nothing: one kept connection, requests rendered beforehand, raw sockets."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

#: Seconds to wait for an answer; the slowest system has long queues in front of a read.
ANSWER_TIMEOUT_S = 60.0
#: Tells the kernel that the body follows at once, where it can be told.
_MORE = getattr(socket, "MSG_MORE", 0)

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RETRY_AFTER = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Request:
    """A request, rendered but for its body."""

    head: bytes
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    #: None where the server did not say.
    retry_after_s: int | None = None


class Connection:
    """A kept connection to one server."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, timeout=ANSWER_TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def send(self, request: Request) -> Answer:
        """Send a request and read its answer.  Raises OSError if the connection breaks."""
        if request.body:
            self._socket.sendall(request.head, _MORE)
            self._socket.sendall(request.body)
        else:
            self._socket.sendall(request.head)
        return self._read()

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> Answer:
        text = self._rest
        while (end := text.find(b"\r\n\r\n")) < 0:
            text += self._receive()
        head = text[:end]
        length = _LENGTH.search(head)
        if length is None:
            raise ConnectionError(f"an answer without a length: {head!r}")
        stop = end + 4 + int(length[1])
        while len(text) < stop:
            text += self._receive()
        self._rest = text[stop:]
        retry_after = _RETRY_AFTER.search(head)
        return Answer(int(head[9:12]), text[end + 4 : stop], int(retry_after[1]) if retry_after else None)

    def _receive(self) -> bytes:
        received = self._socket.recv(65536)
        if not received:
            raise ConnectionError("the server closed the connection")
        return received


def render(method: str, target: str, token: str, body: bytes = b"", content_type: str = "application/json") -> Request:
    """Render a request."""
    lines = [f"{method} {target} HTTP/1.1", "Host: bench", f"Authorization: Bearer {token}"]
    if body:
        lines += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    return Request("\r\n".join([*lines, "", ""]).encode(), body)
