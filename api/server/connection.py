"""A client's connection: receive a request, send its answer, with deadlines."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
from typing import Any

import gunicorn_h1c
from gunicorn_h1c import H1CProtocol

from api.server.hosted_app import Verdict
from api.server.http_answer import HttpAnswer
from api.server.limits import TURN_BYTES, Limits

_RECV_BYTES = 256 * 1024
#: Pieces that one system call takes.
_PIECES = 64

WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection:
    """A socket with the request in progress on it; owned by one thread at a time."""

    __slots__ = (
        "_limits",
        "address",
        "body",
        "body_bytes",
        "counted",
        "deadline",
        "discards",
        "draining",
        "ended",
        "expects",
        "fd",
        "handshaking",
        "headed",
        "hung_up",
        "is_tls",
        "moved",
        "news",
        "out",
        "parser",
        "reply",
        "reported_gone",
        "sock",
        "touched",
        "verdict",
        "whole",
    )

    def __init__(self, sock: socket.socket, address: str, limits: Limits, now: float) -> None:
        self.sock, self.fd, self.address, self._limits = sock, sock.fileno(), address, limits
        self.parser = H1CProtocol(
            on_headers_complete=self._on_head,
            on_body=self._on_body,
            on_message_complete=self._on_whole,
            limit_request_line=limits.line_bytes,
            limit_request_fields=limits.headers,
            limit_request_field_size=limits.header_bytes,
            limit_remaining=0,
        )
        self.is_tls = self.handshaking = isinstance(sock, ssl.SSLSocket)
        #: Its socket has news that nobody has handled; its peer was reported to send no more; it was reported gone.
        self.news = self.hung_up = self.reported_gone = False
        #: Draining: the answer is sent, and what still arrives is discarded.  Ended: its end was read.
        self.draining = self.ended = False
        #: Bytes held for it, as counted by the reception.
        self.counted = 0
        self.out: list[Any] = []
        self.reply: HttpAnswer | None = None
        self._begin(now)
        self.deadline = now + limits.client_timeout_s

    def _begin(self, now: float) -> None:
        self.body: list[bytes] = []
        self.body_bytes = self.moved = 0
        #: The head has arrived; the whole request has.
        self.headed = self.whole = False
        self.expects = self.discards = False
        self.verdict: Verdict | None = None
        self.touched, self.deadline = now, now + self._limits.keepalive_s

    # -- bytes in

    def _on_head(self) -> bool:
        self.headed = True
        expect = self.parser.get_header(b"expect")
        self.expects = expect is not None and expect.lower() == b"100-continue" and bool(self.parser.http_version[1])
        return False

    def _on_body(self, piece: bytes) -> None:
        self.expects = False
        if not self.discards:
            self.body.append(piece)
            self.body_bytes += len(piece)

    def _on_whole(self) -> None:
        self.whole = True

    def receive(self, now: float) -> bool:
        """Read and parse what has arrived, as much as one turn allows; False if nothing has.  Raises parse errors."""
        taken = 0
        while taken < TURN_BYTES and not self.whole:
            try:
                data = self.sock.recv(_RECV_BYTES)
            except WOULD_BLOCK:
                return taken > 0
            if not data:
                self.ended = True
                return True
            self.take(data, now)
            taken += len(data)
            if self.verdict is Verdict.STREAM and not self.discards:
                break  # a piece at a time, so that little is held
            if len(data) < _RECV_BYTES and not self.is_tls and not self.hung_up:
                return True  # that was all, see epoll(7)
        self.news = True
        return True

    def take(self, data: bytes, now: float) -> None:
        """Parse these bytes."""
        if not self.headed and not self.moved:
            # The first bytes of a request; no line begins with a control character, but a TLS hello does.
            if data[0] < 0x20 and data[0] not in b"\r\n":
                raise gunicorn_h1c.ParseError("This is not HTTP.")
            self.deadline = now + self._limits.client_timeout_s
        self.parser.feed(data)
        self.progress(len(data), now)

    def progress(self, count: int, now: float) -> None:
        """Move the deadline after each stretch of bytes; a head has only one deadline."""
        self.touched = now
        self.moved += count
        if self.headed and not self.discards and self.moved >= self._limits.stride_bytes:
            self.moved, self.deadline = 0, now + self._limits.client_timeout_s

    def gathered(self) -> bytes:
        """Return the body and forget it."""
        body, self.body, self.body_bytes = b"".join(self.body) if len(self.body) != 1 else self.body[0], [], 0
        return body

    def discard(self, deadline: float) -> None:
        """Discard the rest of the request's body, until ``deadline`` at most."""
        self.discards, self.body, self.body_bytes, self.moved, self.deadline = True, [], 0, 0, deadline

    def next_request(self, now: float) -> bool:
        """Begin the next request; True if bytes of it have already arrived."""
        rest = self.parser.remaining()
        self.parser.reset()
        self._begin(now)
        if rest:
            self.take(rest, now)
        return bool(rest)

    # -- bytes out

    def patience_begins(self, now: float) -> None:
        """Start the deadline for taking an answer, or for sending a body that was asked for."""
        self.moved, self.deadline = 0, now + self._limits.client_timeout_s

    def flush(self, now: float) -> bool:
        """Send what is queued; False if the client takes no more now."""
        out = self.out
        while out:
            try:
                sent = self.sock.send(out[0]) if self.is_tls or len(out) == 1 else self.sock.sendmsg(out[:_PIECES])
            except WOULD_BLOCK:
                return False
            self.progress(sent, now)
            while out and sent >= len(out[0]):
                sent -= len(out[0])
                del out[0]
            if sent:
                out[0] = memoryview(out[0])[sent:]
        return True

    @property
    def gone(self) -> bool:
        """Whether the peer is gone.

        The socket itself is asked: a report may come late and be of an older connection that had this descriptor.
        """
        if not self.reported_gone:
            return False
        probe = select.poll()
        probe.register(self.fd, 0)
        self.reported_gone = bool(probe.poll(0))
        return self.reported_gone

    @property
    def unsent(self) -> int:
        """Bytes queued to be sent."""
        return sum(map(len, self.out))

    @property
    def held(self) -> int:
        """Bytes held in memory for this client."""
        return self.body_bytes + self.unsent + (0 if self.headed else self.moved)

    @property
    def answering(self) -> bool:
        """Whether an answer is in progress."""
        return self.reply is not None or bool(self.out)

    def abort(self) -> None:
        """Reset the connection: what the kernel still holds for this client is discarded."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close, and close the application's body if its answer was in progress."""
        reply, self.reply = self.reply, None
        self.out, self.body, self.parser = [], [], None  # it and its parser hold each other
        try:
            if reply is not None:
                reply.close()
        finally:
            with contextlib.suppress(OSError):
                self.sock.close()
