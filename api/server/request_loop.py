"""Take a connection through its request: read, parse, take a seat, call the application, answer."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import gunicorn_h1c
from gunicorn_h1c import _protocol

from api.server.body import NoBody, StreamedBody
from api.server.connection import WOULD_BLOCK, Connection
from api.server.environ import environ_of
from api.server.hosted_app import HostedApp, Verdict
from api.server.http_answer import HttpAnswer
from api.server.limits import SMALL_BODY
from api.server.reception import Reception
from api.server.seats import Seats
from api.server.sender import Sender
from shared.elsewhere import on_shared_thread, take_turns

log = logging.getLogger(__name__)

#: Requests for light paths that are served at once.
LIGHT_SEATS = 2
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_PARSE_ERRORS = (gunicorn_h1c.ParseError, _protocol.ParseError)


class RequestLoop:
    """Handles connections that have news.

    No step waits for a client except the reads of uploads, which have seats of their own.
    """

    def __init__(
        self,
        hosted: HostedApp,
        reception: Reception,
        base: dict[str, Any],
        *,
        threads: int,
        hand_over: Callable[[Callable[[], None]], None],
    ) -> None:
        """``hand_over`` lets another thread do something: what is not quick, on a thread that many requests share."""
        self.stopping = False
        self._hosted, self._reception, self._base, self._hand_over = hosted, reception, base, hand_over
        self._sender = Sender(reception)
        self._requests: Seats[Connection] = Seats(threads)
        self._light: Seats[Connection] = Seats(LIGHT_SEATS)
        self._files: Seats[Connection] = Seats(hosted.limits.uploads)

    def run_turns(self) -> None:
        """Handle all connections that have news."""
        turns = self._reception.turns
        while turns:
            try:
                c = turns.popleft()
            except IndexError:
                return
            self._guarded(c, self._turn)

    def refuse_those_who_wait(self, now: float) -> None:
        """Answer 503 to requests that have waited too long for a seat."""
        for lane in (self._requests, self._light, self._files):
            for c in lane.give_up(now - self._hosted.limits.seat_timeout_s):
                if c.answering:
                    self._reception.close(c, abort=True)
                else:
                    self._guarded(c, lambda c: self._sender.refuse(c, 503, "The service is busy.", "Retry-After: 5"))

    def _guarded(self, c: Connection, step: Callable[[Connection], None]) -> None:
        try:
            step(c)
        except _PARSE_ERRORS as error:
            if c.answering or c.discards:
                self._reception.close(c, abort=c.answering)
                return
            status, message = _status_of(error), str(error)
            self._guarded(c, lambda c: self._sender.refuse(c, status, message))
        except OSError:  # of the socket, TLS included
            self._reception.close(c)
        except BaseException:
            log.exception("error handling a request", extra={"action": "request_failed"})
            self._reception.close(c, abort=True)

    # -- bytes in

    def _turn(self, c: Connection) -> None:
        c.news = False
        now = time.monotonic()
        if c.handshaking:
            try:
                c.sock.do_handshake()  # type: ignore[attr-defined]  # it is TLS
            except WOULD_BLOCK:
                return self._reception.wait_for(c)
            c.handshaking = False
        if c.draining:
            return self._sender.drain(c)
        if c.answering:
            if not c.flush(now):
                return self._reception.wait_for(c)
            return self._enter(c) if c.reply is not None and c.reply.pending else self._sender.answered(c, now)
        c.receive(now)
        return self._after_bytes(c, now)

    def _after_bytes(self, c: Connection, now: float) -> None:
        if c.discards:
            return self._sender.discarded(c, now)
        if not c.headed:
            return self._reception.close(c) if c.ended else self._reception.wait_for(c)
        parser = c.parser
        if c.verdict is None:
            if not parser.path.isascii():
                return self._sender.refuse(c, 400, "A path is written in ASCII; other letters are percent-encoded.")
            if parser.http_version[1] and parser.get_header(b"host") is None:
                return self._sender.refuse(c, 400, "A request has to name its Host.")
        if c.whole or c.ended or self._is_due(c):
            return self._enter(c)
        return self._reception.wait_for(c)

    def _is_due(self, c: Connection) -> bool:
        """Return whether to go on with a request although its body has not arrived completely."""
        if c.verdict is None:
            return (c.parser.content_length or 0) > SMALL_BODY or c.parser.is_chunked or c.expects
        # An upload gets its seat only once its sender has sent something.
        return c.body_bytes > (SMALL_BODY if c.verdict is Verdict.STREAM else self._hosted.limits.max_body_bytes)

    # -- seats

    def _lane_of(self, c: Connection) -> Seats[Connection]:
        if c.verdict is Verdict.STREAM or c.reply is not None:
            return self._files
        return self._light if c.parser.path.startswith(self._hosted.light) else self._requests

    def _enter(self, c: Connection) -> None:
        """Serve a connection, or have it served, if there is a seat; else let it wait."""
        lane = self._lane_of(c)
        if not lane.enter(c, time.monotonic()):
            return
        serve = partial(self._serve_seat, c, lane)
        if not on_shared_thread():
            serve()
        elif self._is_quick(c):
            take_turns(serve)
        else:
            self._hand_over(serve)

    def _is_quick(self, c: Connection) -> bool:
        parser = c.parser
        if not c.whole or c.verdict is not None or parser.get_header(b"content-encoding") is not None:
            return False  # compressed, it may be of any length
        return self._hosted.is_quick(parser.method, parser.path, c.body_bytes)

    def _serve_seat(self, c: Connection, lane: Seats[Connection]) -> None:
        """Serve a connection that has a seat, then on the same seat those that wait for one."""
        following: Connection | None = c
        while following is not None:
            if following.gone:
                self._reception.close(following, abort=True)
            elif on_shared_thread() and not self._is_quick(following):
                return self._hand_over(partial(self._serve_seat, following, lane))
            else:
                self._guarded(following, self._serve)
            following = lane.leave()

    # -- the application

    def _serve(self, c: Connection) -> None:
        if c.reply is not None:
            return self._sender.go_on(c)
        if c.verdict is None and not c.whole and not c.ended:
            c.verdict = self._hosted.triage(environ_of(c, self._base, NoBody()))
            if c.verdict is not Verdict.NOW:
                if c.expects:
                    c.expects = False
                    c.sock.send(_CONTINUE)
                c.patience_begins(time.monotonic())
                return self._reception.wait_for(c)
        return self._ask(c)

    def _ask(self, c: Connection) -> None:
        parser = c.parser
        body: Any
        if c.verdict is Verdict.STREAM:
            body = StreamedBody(c, self._hosted.limits.client_timeout_s)
        elif c.verdict is Verdict.NOW or (not c.whole and parser.is_chunked and c.ended):
            body = NoBody()
        else:
            body = io.BytesIO(c.gathered())
        keep = bool(parser.should_keep_alive) and not self.stopping
        reply = HttpAnswer(is_head=parser.method == b"HEAD", version=parser.http_version[1], keep=keep)
        try:
            pieces = self._hosted.app(environ_of(c, self._base, body), reply.start)
        # Whatever the application raises, its client gets an answer and the thread goes on.
        except Exception:
            log.exception("error handling a request", extra={"action": "request_failed"})
            return self._sender.refuse(c, 500, "Internal server error. It was logged.")
        # The rest of an unread body can be discarded only if its length is known and its sender was not told to wait.
        rest = c.verdict is Verdict.NOW and not c.expects and not parser.is_chunked
        reply.keep = reply.keep and (c.whole or rest)
        now = time.monotonic()
        c.body, c.body_bytes, c.reply = [], 0, reply
        c.patience_begins(now)
        c.out.append(reply.begin(pieces, time.time()))
        return self._sender.go_on(c)


def _status_of(error: Exception) -> int:
    if isinstance(error, gunicorn_h1c.LimitRequestLine):
        return 414
    return 431 if isinstance(error, gunicorn_h1c.LimitRequestHeaders) else 400
