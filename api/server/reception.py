"""Accept and close connections: caps, deadlines, and a limit of memory."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections import Counter, deque

from api.server.connection import Connection
from api.server.hosted_app import HostedApp
from api.server.http_answer import refusal
from api.server.poller import Poller

log = logging.getLogger(__name__)

#: Connections accepted in one turn.
_HANDFUL = 64
#: Seconds after which the kernel asks a silent peer whether it is still there, and again, and gives up.
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}


class Reception:
    """All connections of a process.

    A connection is owned by one thread, or it waits; `claim` makes the caller the owner of one that waits.  What
    happens while a thread owns it sets `news`, which is handled when the owner lets it wait again.
    """

    def __init__(self, hosted: HostedApp, tls: ssl.SSLContext | None) -> None:
        self.poller = Poller()
        #: Connections with news, to be handled in this order.
        self.turns: deque[Connection] = deque()
        self.count = 0
        self._limits, self._is_trusted, self._tls = hosted.limits, hosted.is_trusted, tls
        self._by_fd: dict[int, Connection] = {}
        self._waiting: set[Connection] = set()
        self._addresses: Counter[str] = Counter()
        self._held = 0
        #: Connections were closed to free memory since it was last given back to the system.
        self.made_room = False
        self._guard = threading.Lock()
        self._tidying = threading.Lock()

    # -- coming and going

    def accept(self, listener: socket.socket) -> None:
        """Accept new connections.  Raises OSError if there are no descriptors or no memory for another."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(_HANDFUL):
                sock, address = listener.accept()
                # Linux reports a peer that is already gone as an error here; nothing is wrong.
                with contextlib.suppress(ConnectionError):
                    self._welcome(sock, address[0] if isinstance(address, tuple) else "")

    def _welcome(self, sock: socket.socket, address: str) -> None:
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEPALIVE.items():
                if hasattr(socket, name):
                    sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        if not self._admit(sock, address):
            return
        if self._tls:
            sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        c = Connection(sock, address, self._limits, time.monotonic())
        self._by_fd[c.fd] = c
        self.poller.watch(c.fd)
        self.wait_for(c)

    def _admit(self, sock: socket.socket, address: str) -> bool:
        with self._guard:
            full = self.count >= self._limits.connections
            crowded = self._addresses[address] >= self._limits.connections_per_address
            if not full and (not crowded or not address or self._is_trusted(address)):
                self.count += 1
                self._addresses[address] += 1
                return True
        if self._tls is None:
            words = (503, "Too many connections.") if full else (429, "Too many connections from this address.")
            with contextlib.suppress(OSError):
                sock.send(refusal(*words, "Retry-After: 10"))
                sock.shutdown(socket.SHUT_WR)
                sock.recv(65536)  # unread bytes would take the answer with them
        sock.close()
        return False

    def close(self, c: Connection, *, abort: bool = False) -> None:
        """Close a connection that the calling thread owns."""
        with self._guard:
            self.count -= 1
            self._held -= c.counted
            self._addresses[c.address] -= 1
            if not self._addresses[c.address]:
                del self._addresses[c.address]
        self._by_fd.pop(c.fd, None)
        try:
            if abort:
                c.abort()
            else:
                c.close()
        # The application's own close() may raise anything; the thread goes on.
        except Exception:
            log.exception("error at the end of an answer", extra={"action": "request_failed"})

    # -- waiting

    def claim(self, c: Connection) -> bool:
        """Become the owner of a waiting connection; False if another thread already is."""
        try:
            self._waiting.remove(c)
        except KeyError:
            return False
        return True

    def wait_for(self, c: Connection) -> None:
        """Let a connection wait for news of its socket; from here on another thread may own it."""
        change = c.held - c.counted
        if change:
            c.counted += change
            with self._guard:
                self._held += change
        self._waiting.add(c)
        if c.news and self.claim(c):
            self.turns.append(c)
        if change > 0 and self._held > self._limits.client_bytes:
            self._make_room()

    def _make_room(self) -> None:
        """Close the connections that stood still longest until what is held for clients is within its limit."""
        if not self._tidying.acquire(blocking=False):
            return
        try:
            for c in sorted((c for c in self.waiting() if c.counted), key=lambda c: c.touched):
                if self._held <= self._limits.client_bytes * 3 // 4:
                    return
                if self.claim(c):
                    self.close(c, abort=True)
                    self.made_room = True
        finally:
            self._tidying.release()

    def waiting(self) -> list[Connection]:
        """List the connections that wait."""
        # Other threads change the set, so it cannot be iterated; copying it is atomic.
        return list(self._waiting)

    def close_overdue(self, now: float) -> None:
        """Close connections past their deadline: slow readers are reset, slow senders are told 408 first."""
        for c in self.waiting():
            if c.deadline < now and self.claim(c):
                if c.moved and not c.answering and not c.draining and not c.discards and not c.handshaking:
                    with contextlib.suppress(OSError):
                        c.sock.send(refusal(408, "The request came too slowly."))
                self.close(c, abort=c.answering)

    def close_idle(self) -> None:
        """Close the connections on which no request is under way."""
        for c in self.waiting():
            if not c.headed and not c.moved and not c.answering and self.claim(c):
                self.close(c)

    def note(self, fd: int, *, hung_up: bool, gone: bool) -> None:
        """Note that a socket has news; the connection is handled once no thread owns it.

        The news may be of an older connection with the same descriptor: `hung_up` and `gone` are hints.
        """
        c = self._by_fd.get(fd)
        if c is not None:
            c.hung_up |= hung_up
            c.reported_gone |= gone
            c.news = True
            if self.claim(c):
                self.turns.append(c)
