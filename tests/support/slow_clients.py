"""Clients that are slow, silent or gone, hundreds at a time."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Kind:
    """How a client behaves: what it sends at first, then once a second, and whether it reads."""

    first: bytes
    drip: bytes = b""
    reads: bool = True
    #: It goes away without a word: the server gets a reset when it sends.
    vanishes: bool = False


def kinds(catalog_key: str, authorization: str, page: str) -> dict[str, Kind]:
    """All kinds; ``page`` is a path with a long answer."""
    query, auth = f"?key={catalog_key}".encode(), f"Authorization: {authorization}\r\n".encode()
    put = b"PUT /v2/items" + query + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + auth
    upload = b"PUT /v1/catalog" + query + b" HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    upload += auth + b"Content-Length: 1000000\r\n\r\n"
    return {
        "silent": Kind(b""),
        "half a head": Kind(put + b"X-Half: "),
        "a head, then silence": Kind(put + b"Content-Length: 100000\r\n\r\n"),
        "a byte a second of head": Kind(put + b"X-Half: ", b"a"),
        "a byte a second of body": Kind(put + b"Content-Length: 1000\r\n\r\n", b" "),
        "a byte a second of a long body": Kind(put + b"Content-Length: 1000000\r\n\r\n", b" "),
        "a byte a second in chunks": Kind(put + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        "refused, its body unread": Kind(put.replace(b"/v2/items", b"/nowhere") + b"Content-Length: 1000000\r\n\r\n"),
        "a reader that stops": Kind(
            b"GET " + page.encode() + b" HTTP/1.1\r\nHost: x\r\n" + auth + b"\r\n", reads=False
        ),
        "a slow upload": Kind(upload, b"a"),
        "a vanished peer": Kind(put + b"Content-Length: 100000\r\n\r\n", vanishes=True),
    }


class Crowd:
    """Connections of one kind to one server."""

    def __init__(self, url: str, kind: Kind, count: int) -> None:
        self.kind = kind
        address = urlsplit(url)
        assert address.hostname
        self._where = (address.hostname, address.port)
        self._open: dict[int, socket.socket] = {}
        self._poll = select.poll()
        self._dripped = time.monotonic()
        #: Seconds from the first connection to the close of the latest.
        self.last_closed_s = 0.0
        self._began = time.monotonic()
        for _ in range(count):
            self._connect()

    def _connect(self) -> None:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(10)
        sock.connect(self._where)
        sock.sendall(self.kind.first)
        sock.setblocking(False)
        if self.kind.vanishes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
            return
        self._open[sock.fileno()] = sock
        ends = select.POLLHUP | select.POLLERR
        self._poll.register(sock, ends | (select.POLLIN if self.kind.reads else select.POLLRDHUP))

    @property
    def left(self) -> int:
        """How many are still connected."""
        return len(self._open)

    def tend(self) -> None:
        """Read what came, note who was closed, and send the next byte once a second."""
        for fd, _ in self._poll.poll(20):
            try:
                if self.kind.reads and self._open[fd].recv(65536):
                    continue
            except BlockingIOError:
                continue
            except OSError:
                pass
            self._poll.unregister(fd)
            self._open.pop(fd).close()
            self.last_closed_s = time.monotonic() - self._began
        if self.kind.drip and time.monotonic() - self._dripped > 1:
            self._dripped = time.monotonic()
            for sock in list(self._open.values()):
                with contextlib.suppress(OSError):  # the poll tells
                    sock.send(self.kind.drip)

    def close(self) -> None:
        """Hang up."""
        for sock in self._open.values():
            sock.close()
        self._open.clear()


@contextmanager
def crowd(url: str, kind: Kind, count: int) -> Iterator[Crowd]:
    """Keep connections open for as long as this lasts."""
    opened = Crowd(url, kind, count)
    try:
        yield opened
    finally:
        opened.close()
