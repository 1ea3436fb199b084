"""Send answers, then go on with the connection or close it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time

from api.server.connection import WOULD_BLOCK, Connection
from api.server.hosted_app import Verdict
from api.server.http_answer import refusal
from api.server.limits import DRAIN_BYTES, DRAIN_S, TURN_BYTES, UPLOAD_DRAIN_BYTES, UPLOAD_DRAIN_S
from api.server.reception import Reception

#: Pieces of an answer are collected up to this many bytes before they are sent.
_FILL = 16 * 1024
_DRAINED_AT_ONCE = 4


class Sender:
    """Sends answers without waiting for clients: what a client does not take yet is sent when it is ready."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    def go_on(self, c: Connection) -> None:
        """Send the pieces of an answer, as many as one turn allows."""
        reply, now, turn = c.reply, time.monotonic(), 0
        assert reply is not None
        while turn < TURN_BYTES:
            while reply.pending and c.unsent < _FILL:
                c.out += reply.take()
            turn += c.unsent
            if not c.flush(now):
                return self._reception.wait_for(c)
            if not reply.pending:
                return self.answered(c, now)
        c.news = True  # goes on after the others
        return self._reception.wait_for(c)

    def answered(self, c: Connection, now: float) -> None:
        """Go on after an answer: read the next request, discard the rest of this one, or close."""
        reply, c.reply = c.reply, None
        if reply is None or not reply.keep:
            return self._hang_up(c, now)
        if not c.whole:
            c.discard(now + DRAIN_S)
            return self.discarded(c, now)
        return self._next(c, now)

    def discarded(self, c: Connection, now: float) -> None:
        """Go on with the next request once the rest of an unread body is discarded."""
        if c.whole:
            return self._next(c, now)
        if c.ended or c.moved > DRAIN_BYTES:
            return self._reception.close(c)
        return self._reception.wait_for(c)

    def _next(self, c: Connection, now: float) -> None:
        rest = c.next_request(now)
        c.news = c.news or rest or c.hung_up  # its end is still to be read
        self._reception.wait_for(c)

    def refuse(self, c: Connection, status: int, message: str, *more: str) -> None:
        """Answer an error without the application, with more header lines if given, and close."""
        c.out, c.reply = [refusal(status, message, *more)], None
        now = time.monotonic()
        c.patience_begins(now)
        if c.flush(now):
            self._hang_up(c, now)
        else:
            self._reception.wait_for(c)

    def _hang_up(self, c: Connection, now: float) -> None:
        """Close once the client has read the answer: while it still sends, a reset would hide the answer from it."""
        c.draining, c.moved, c.body, c.body_bytes = True, 0, [], 0
        c.deadline = now + (UPLOAD_DRAIN_S if c.verdict is Verdict.STREAM else DRAIN_S)
        if isinstance(c.sock, ssl.SSLSocket):
            with contextlib.suppress(OSError):
                c.sock.unwrap()
        c.sock.shutdown(socket.SHUT_WR)
        self.drain(c)

    def drain(self, c: Connection) -> None:
        """Discard what the client still sends; close at its end."""
        most = UPLOAD_DRAIN_BYTES if c.verdict is Verdict.STREAM else DRAIN_BYTES
        try:
            for _ in range(_DRAINED_AT_ONCE):
                data = c.sock.recv(TURN_BYTES // _DRAINED_AT_ONCE)
                c.moved += len(data)
                if not data or c.moved > most:
                    return self._reception.close(c)
            c.news = True
        except WOULD_BLOCK:
            pass
        return self._reception.wait_for(c)
